// The database behind the other layers: what is put back into them, in which order invalidations reach them, and what either may miss.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Entry, Position } from '../../src/contract/entry.js';
import type { Lookup, Store } from '../../src/contract/store.js';
import { LayeredStore } from '../../src/core/layered-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry, storeSuite } from '../../src/testing/store-suite.js';
import { AsyncStore } from '../fakes/async-store.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { gate } from '../support/gate.js';
import { BOTH, coreOver, draft, lead, memoryOn, request, served } from './set-up.js';

const HOUR_MS = 3_600_000;

let clock: FakeClock;
let events: CacheEvent[];
beforeEach(() => {
  clock = new FakeClock();
  events = [];
});

/** A store whose operations stop where the test says, before or after they have been carried out. */
function gated(inner: Store) {
  const hooks: { before?: (operation: string) => unknown; after?: (operation: string) => unknown } = {};
  const asked: string[] = [];
  const through = async <T>(operation: string, run: () => T | Promise<T>): Promise<T> => {
    asked.push(operation);
    await hooks.before?.(operation);
    const answer = await run();
    await hooks.after?.(operation);
    return answer;
  };
  const store: Store = {
    name: 'database',
    lookup: (key) =>
      through('lookup', async () => {
        const found = await inner.lookup(key);
        return found.outcome === 'hit' ? { ...found, layer: 'database' as const } : found;
      }),
    put: (key, entry, inherited) => through('put', () => inner.put(key, entry, inherited)),
    keepForm: (...args) => inner.keepForm(...args),
    invalidate: (tags) => through('invalidate', () => inner.invalidate(tags)),
    position: () => inner.position(),
    evict: () => inner.evict(),
    close: () => inner.close(),
  };
  return { store, hooks, asked };
}

/** Two processes' worth of fronts over one database. */
async function set(front: Store = memoryOn(clock, 'front'), inDatabase: MemoryStore = memoryOn(clock, 'db')) {
  const options = { frontMs: HOUR_MS, maxOwed: 4 };
  const database = gated(inDatabase);
  const layers = new LayeredStore(front, options, clock, (event) => events.push(event));
  layers.expectDatabase();
  await layers.attach(database.store);
  const look = (key = 'k') => layers.lookup(key, 'strict', undefined, true);
  /** Computes: captures, and returns what it would store. */
  const compute = async (body: string, overrides: Partial<Entry> = {}, key = 'k'): Promise<Entry> => {
    const { position } = (await look(key)) as { position: Position };
    const { database: there } = position;
    return makeEntry(position, clock.now(), {
      body: Buffer.from(body),
      ...(there && { database: there }),
      ...overrides,
    });
  };
  const fill = async (body: string, overrides: Partial<Entry> = {}) => layers.put('k', await compute(body, overrides));
  return { layers, front, database, inDatabase, look, compute, fill };
}

async function shown(found: Lookup | Promise<Lookup>): Promise<string> {
  const known = await found;
  return known.outcome === 'hit' ? `${known.layer}:${known.entry.body.toString()}` : String(known.reason);
}

const roomy = (own: FakeClock) =>
  new MemoryStore(
    new TagTable('epoch-1', 100_000),
    { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: Infinity },
    own,
  );

storeSuite({ describe, it }, 'layers without a database', async () => {
  const own = new FakeClock();
  const store = new LayeredStore(roomy(own), { frontMs: HOUR_MS, maxOwed: 4 }, own, () => undefined);
  return { store, clock: own, close: async () => store.close() };
});

storeSuite({ describe, it }, 'layers over a database', async () => {
  const own = new FakeClock();
  const store = new LayeredStore(roomy(own), { frontMs: HOUR_MS, maxOwed: 4 }, own, () => undefined);
  await store.attach(new AsyncStore(roomy(own)));
  return { store, clock: own, close: async () => store.close() };
});

describe('what the front has lost', () => {
  it('is found in the database once, and put back', async () => {
    const { layers, look, fill } = await set();
    expect(await fill('a')).toBe('stored');
    layers.evict();
    expect(await shown(look())).toBe('database:a');
    expect(await shown(look())).toBe('memory:a');
  });

  it('stays in front for a bounded time, however long it lives behind', async () => {
    const { look, fill } = await set();
    const ends = clock.now() + 100 * HOUR_MS;
    await fill('a', { staleAt: ends, deleteAt: ends });
    clock.advance(HOUR_MS);
    expect(await shown(look())).toBe('database:a');
    expect(await shown(look())).toBe('memory:a');
    expect((await look()) as { entry: Entry }).toMatchObject({ entry: { staleAt: ends } });
  });

  it('RACE: is not put back once it was invalidated while the database was asked', async () => {
    const { layers, database, look, fill } = await set();
    await fill('old');
    layers.evict();
    const reached = gate();
    const passed = gate();
    database.hooks.after = (operation) => (operation === 'lookup' ? (reached.open(), passed.opened) : undefined);
    const reading = look();
    await reached.opened;
    await layers.invalidate(['student:1']);
    passed.open();
    // He came before the writer had his answer.
    expect(await shown(reading)).toBe('database:old');
    expect(await shown(layers.lookup('k', 'strict'))).toBe('absent');
  });

  it('RACE: is not found behind by whoever has heard of the invalidation in front', async () => {
    const { layers, database, look, fill } = await set();
    await fill('old');
    layers.evict();
    const reached = gate();
    const passed = gate();
    database.hooks.before = (operation) => (operation === 'invalidate' ? (reached.open(), passed.opened) : undefined);
    const before = await layers.position();
    const writing = layers.invalidate(['student:1']);
    await reached.opened;
    // Until the database is told, nobody in front has been: what is found now is as old as their position.
    expect(await layers.position()).toEqual(before);
    expect(await shown(look())).toBe('database:old');
    passed.open();
    await writing;
    expect(await shown(layers.lookup('k', 'strict'))).toBe('invalidated');
    expect(await shown(look())).toBe('invalidated');
  });

  it('is not shown while a write that has announced itself is under way', async () => {
    const front = memoryOn(clock, 'front');
    const { layers, look, fill } = await set(front);
    await fill('old');
    layers.evict();
    front.put = () => 'flux';
    expect(await shown(look())).toBe('flux');
  });
});

describe('an invalidation that the database does not take', () => {
  it('is in force in front, goes on being tried, and leaves the mark where it is', async () => {
    const front = memoryOn(clock, 'front');
    const told: unknown[] = [];
    const invalidate = front.invalidate.bind(front);
    front.invalidate = (tags, options) => (told.push(options), invalidate(tags, options));
    const { layers, database, fill } = await set(front);
    await fill('old');
    database.hooks.before = (operation) => {
      if (operation === 'invalidate') throw new Error('away');
    };
    await expect(layers.invalidate(['student:1'], { mark: 'm', lsn: '0' })).rejects.toThrow('away');
    expect(told).toEqual([{ lsn: '0' }]);
    expect(await shown(layers.lookup('k', 'strict'))).toBe('invalidated');
    // What somebody has put back from there meanwhile goes with the attempt that succeeds.
    database.hooks.before = () => undefined;
    expect(await shown(layers.lookup('k', 'strict', undefined, true))).toBe('database:old');
    await layers.invalidate(['student:1'], { mark: 'm' });
    expect(await shown(layers.lookup('k', 'strict', undefined, true))).toBe('invalidated');
  });

  it('RACE: refuses what was computed before it, whatever the database says of that', async () => {
    const { layers, database, compute } = await set();
    const entry = await compute('old');
    database.hooks.before = (operation) => {
      if (operation === 'invalidate') throw new Error('away');
    };
    await expect(layers.invalidate(['student:1'])).rejects.toThrow('away');
    expect(await layers.put('k', entry)).toBe('stale');
  });

  it('because there is none yet reaches it before anybody is served from it', async () => {
    const inDatabase = memoryOn(clock, 'db');
    const first = await set(memoryOn(clock, 'a'), inDatabase);
    await first.fill('old');
    const layers = new LayeredStore(memoryOn(clock, 'b'), { frontMs: HOUR_MS, maxOwed: 4 }, clock, () => undefined);
    layers.expectDatabase();
    await layers.invalidate(['student:1']);
    await layers.attach(inDatabase);
    expect(await shown(layers.lookup('k', 'strict', undefined, true))).toBe('invalidated');
    layers.detach();
    for (let turn = 0; turn < 5; turn += 1) await layers.invalidate([`student:${turn + 2}`]);
    first.layers.evict();
    expect(await first.fill('new')).toBe('stored');
    await layers.attach(inDatabase);
    // More than are remembered mean everything.
    expect(await shown(layers.lookup('k', 'strict', undefined, true))).toBe('invalidated');
  });
});

describe('while the front cannot be asked', () => {
  const away: Store = {
    name: 'redis',
    lookup: () => ({ outcome: 'unavailable', reason: 'away' }),
    put: () => 'unavailable',
    keepForm: () => undefined,
    invalidate: () => Promise.reject(new Error('away')),
    position: () => Promise.reject(new Error('away')),
    evict: () => undefined,
    close: () => undefined,
  };

  it('the database answers, and takes what is computed', async () => {
    const { look, fill } = await set(away);
    expect(await shown(look())).toBe('absent');
    expect(await fill('a')).toBe('stored');
    expect(await shown(look())).toBe('database:a');
  });

  it('RACE: it refuses what was invalidated while it was computed', async () => {
    const { layers, look, compute } = await set(away);
    const entry = await compute('old');
    await expect(layers.invalidate(['student:1'])).rejects.toThrow('away');
    expect(await layers.put('k', entry)).toBe('unavailable');
    expect(await shown(look())).toBe('absent');
    expect(events).toMatchObject([{ kind: 'notPersisted', reason: 'stale' }]);
  });

  it('and the database neither, nothing is known', async () => {
    const { database, look } = await set(away);
    database.store.lookup = () => ({ outcome: 'unavailable', reason: 'away, too' });
    expect(await shown(look())).toBe('away');
  });
});

describe('what is computed', () => {
  it('in place of a hit in front is persisted as of when that one was', async () => {
    const { layers, look, fill } = await set();
    await fill('a');
    const { position } = (await look()) as { position: Position };
    expect(position.database).toEqual({ epoch: 'db', seq: 0 });
    const again = makeEntry(position, clock.now(), { body: Buffer.from('b'), database: { epoch: 'db', seq: 0 } });
    expect(await layers.put('k', again)).toBe('stored');
    layers.evict();
    expect(await shown(look())).toBe('database:b');
  });

  it('while the database could not be asked is compared from where it was last known', async () => {
    const { layers, database, look, compute } = await set();
    await layers.invalidate(['other:1']);
    const lookup = database.store.lookup.bind(database.store);
    database.store.lookup = () => ({ outcome: 'unavailable', reason: 'slow' });
    const entry = await compute('a');
    expect(entry.database).toEqual({ epoch: 'db', seq: 1 });
    database.store.lookup = lookup;
    expect(await layers.put('k', entry)).toBe('stored');
    layers.evict();
    expect(await shown(look())).toBe('database:a');
  });

  it('of a value that has no place in the database is kept in front only, and that is told', async () => {
    const { layers, look, compute } = await set();
    const entry = await compute('outer');
    const inherited = [{ tags: ['inner:1'], epoch: entry.epoch, asOf: entry.asOf }];
    expect(await layers.put('k', entry, inherited)).toBe('stored');
    expect(events).toEqual([{ kind: 'notPersisted', key: 'k', type: 'default', reason: 'unproved' }]);
    layers.evict();
    expect(await shown(look())).toBe('absent');
  });

  it('RACE: of a value that was invalidated behind and not yet in front is not persisted', async () => {
    const { layers, database, look, compute } = await set();
    const inner = await compute('inner', { tags: ['inner:1'] }, 'inner');
    await layers.put('inner', inner);
    // The database is told; the front is not yet.
    const reached = gate();
    const passed = gate();
    database.hooks.after = (operation) => (operation === 'invalidate' ? (reached.open(), passed.opened) : undefined);
    const writing = layers.invalidate(['inner:1']);
    await reached.opened;
    const outer = await compute('outer', { tags: ['outer:1', 'inner:1'] });
    const found = await layers.lookup('inner', 'strict', undefined, true);
    if (found.outcome !== 'hit' || !found.entry.database) throw new Error('the inner one is in front');
    const { tags, epoch, asOf, database: there } = found.entry;
    await layers.put('k', outer, [{ tags, epoch, asOf, database: there }]);
    passed.open();
    await writing;
    expect(events).toMatchObject([{ kind: 'notPersisted', reason: 'stale' }]);
    expect(await shown(look())).not.toMatch(/outer/);
  });
});

describe('past its ttl', () => {
  it('what the database keeps is served to the others while one computes, and replaced there', async () => {
    const { layers, database } = await set();
    const { cache } = coreOver(layers, clock);
    const wanted = request({ persist: true, freshness: { graceMs: HOUR_MS, jitter: 0, refreshAhead: 0 } });
    await (await lead(cache.read(wanted))).store(draft('a'));
    layers.evict();
    clock.advance(60_001);
    const load = await lead(cache.read(wanted));
    expect(await served(cache.read(wanted))).toBe('a');
    expect(await load.store(draft('b'))).toBe('stored');
    layers.evict();
    expect(await served(cache.read(wanted))).toBe('b');
    expect(database.asked).toContain('put');
  });
});

describe('what was read from a replica of the database', () => {
  it.each(['itself', 'in a part of it'])(
    'is not persisted: Redis says how far the replica has come (%s)',
    async (where) => {
      const { layers } = await set();
      const { cache, scopes } = coreOver(layers, clock);
      const wanted = request({ persist: true });
      const load = await lead(cache.read(wanted));
      await load.run(async () => {
        if (where === 'itself') return void scopes.replayNeeded;
        const inner = await lead(cache.read(request({ key: 'inner' })));
        inner.run(() => void scopes.replayNeeded);
        await inner.store(draft('inner'));
      });
      expect(await load.store(draft('outer'))).toBe('stored');
      layers.evict();
      expect((await cache.read(wanted)).next).toBe('lead');
    },
  );
});

describe('types that are not persisted', () => {
  it('ask nothing of the database but to be told of invalidations', async () => {
    const { layers, database } = await set();
    const position = await layers.position();
    await layers.lookup('k', 'strict');
    await layers.put('k', makeEntry(position, clock.now()));
    await layers.lookup('k', 'lease', position);
    expect(database.asked).toEqual([]);
    await layers.invalidate(['student:1']);
    expect(database.asked).toEqual(['invalidate']);
  });

  it('answer as the front does: at once, where that is memory', async () => {
    const { layers } = await set();
    expect(layers.lookup('k', 'strict')).not.toBeInstanceOf(Promise);
  });

  it.each(BOTH)('are computed anew inside of what is persisted (%s)', async (_name, wrap) => {
    const { layers } = await set(wrap(memoryOn(clock, 'front')));
    const { cache } = coreOver(layers, clock);
    const inner = request({ key: 'inner', tags: ['inner:1'] });
    await (await lead(cache.read(inner))).store(draft('inner'));
    expect(await served(cache.read(inner))).toBe('inner');
    const outer = await lead(cache.read(request({ key: 'outer', persist: true })));
    await outer.run(async () => {
      await (await lead(cache.read(inner))).store(draft('inner, anew'));
    });
    expect(await outer.store(draft('outer'))).toBe('stored');
    layers.evict();
    expect(await served(cache.read(request({ key: 'outer', persist: true })))).toBe('outer');
    expect(events).toEqual([]);
    await layers.invalidate(['inner:1']);
    expect((await cache.read(request({ key: 'outer', persist: true }))).next).toBe('lead');
  });
});
