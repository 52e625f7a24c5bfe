// What a computation depends on, however it says so: tags in any form, nested values, transactions around it.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Load, ReadRequest, Turn } from '../../src/contract/reading.js';
import { Cache } from '../../src/core/cache.js';
import { getOrLoad } from '../../src/core/get-or-load.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { Scopes } from '../../src/core/scope.js';
import { structuredCodec } from '../../src/entry/value-codec.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { FakeClock } from '../fakes/fake-clock.js';

const LIMITS = { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: Infinity };
const request = (overrides: Partial<ReadRequest> = {}): ReadRequest => ({
  key: 'k',
  type: 'default',
  owner: 'u1',
  tags: ['student:1'],
  ttlMs: 60_000,
  consistency: 'strict',
  ...overrides,
});
const draft = (body: string) => ({ body: Buffer.from(body), status: 200, headers: [], etag: '' });

async function lead(turn: Turn | Promise<Turn>): Promise<Load> {
  const known = await turn;
  if (known.next !== 'lead') throw new Error(`expected to lead, got ${known.next}`);
  return known.load;
}

function setUp() {
  const clock = new FakeClock();
  const events: CacheEvent[] = [];
  const emit = (event: CacheEvent) => void events.push(event);
  const store = new MemoryStore(new TagTable('epoch-1', 1000), LIMITS, clock);
  const invalidations = new Invalidations(store, { holdMs: 2000, maxTagsPerKind: 64, maxPending: 1000 }, clock, emit);
  const scopes = new Scopes();
  const cache = new Cache(store, invalidations, scopes, { waitMs: 30_000, maxTags: 256 }, clock, emit);
  return { clock, events, emit, store, invalidations, scopes, cache };
}

let set: ReturnType<typeof setUp>;
beforeEach(() => {
  set = setUp();
});

describe('tags', () => {
  it('found while computing may come from an iterator, which can be read only once: the outer report gets them too', async () => {
    const { cache, invalidations } = set;
    const outer = await lead(cache.read(request({ key: 'outer', tags: ['outer:1'] })));
    await outer.run(async () => {
      const inner = await lead(cache.read(request({ key: 'inner', tags: ['inner:1'] })));
      inner.addTags(new Set(['found:1']).values());
      await inner.store(draft('i'));
    });
    expect(await outer.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['found:1'], 'commit');
    (await lead(cache.read(request({ key: 'outer' })))).decline('error');
    (await lead(cache.read(request({ key: 'inner' })))).decline('error');
  });

  it.each([['no kind 1'], ['student:Ann Lee'], ['student:'], [':1'], ['*'], [5 as never], [undefined as never]])(
    'that are none (%p): computed, not stored, said once; nobody waits in vain and nothing is rejected',
    async (bad) => {
      const { cache, events } = set;
      for (let round = 0; round < 2; round += 1) {
        const load = await lead(cache.read(request()));
        const waiting = cache.read(request());
        load.addTags([bad]);
        expect(await load.store(draft('x'))).toBe('declined');
        (await lead(waiting)).decline('error');
      }
      expect(events.filter(({ kind }) => kind === 'advice')).toMatchObject([{ code: 'ERC_TAG' }]);
    },
  );

  it('that a value adds which could not be cached itself still reach the report around it', async () => {
    const { cache, clock, emit, invalidations, scopes } = set;
    const value = request({ key: 'value', tags: ['value:1'] });
    const busy = await lead(cache.read(value));
    const outer = await lead(cache.read(request({ key: 'outer', tags: ['outer:1'] })));
    await outer.run(async () => {
      const loading = getOrLoad(
        cache,
        value,
        async (run) => {
          run.addTags(['found:1']);
          return 1;
        },
        structuredCodec,
        emit,
        scopes,
      );
      await new Promise<void>((resolve) => setImmediate(resolve));
      // Waited too long for the one who computes it: computes alone.
      clock.advance(30_000);
      expect(await loading).toBe(1);
    });
    busy.decline('error');
    expect(await outer.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['found:1'], 'commit');
    (await lead(cache.read(request({ key: 'outer' })))).decline('error');
  });
});

describe('a transaction around a computation', () => {
  const runner = {};

  it('that has written meanwhile keeps the result from being stored: it may show rows that are not committed', async () => {
    const { cache, scopes } = set;
    await (async () => {
      scopes.began(runner);
      const load = await lead(cache.read(request()));
      await load.run(async () => scopes.wrote(runner));
      expect(await load.store(draft('dirty'))).toBe('declined');
      scopes.ended(runner, true);
    })();
  });

  it('that was undone meanwhile keeps the result from being stored; what is computed afterwards is stored', async () => {
    const { cache, scopes } = set;
    await (async () => {
      scopes.began(runner);
      const load = await lead(cache.read(request()));
      await load.run(async () => {
        scopes.wrote(runner);
        scopes.ended(runner, false);
      });
      expect(await load.store(draft('dirty'))).toBe('declined');
      expect(await (await lead(cache.read(request()))).store(draft('clean'))).toBe('stored');
    })();
  });
});
