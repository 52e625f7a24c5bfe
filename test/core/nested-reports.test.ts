// Reports built from cached reports: whatever is mixed in brings its tags and its age, however deep.
import { describe, expect, it } from '@jest/globals';
import { TieredStore } from '../../src/core/tiered-store.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';
import { BOTH, coreOver, draft, lead, memoryOn, request, served, tick } from './set-up.js';

const inner = request({ key: 'inner', tags: ['inner:1'] });
const middle = request({ key: 'middle', tags: ['middle:1'] });
const outer = request({ key: 'outer', tags: ['outer:1'] });

describe.each(BOTH)('nested reports over %s', (_name, wrap) => {
  const setUp = (options?: { waitMs: number }) => {
    const clock = new FakeClock();
    return coreOver(wrap(memoryOn(clock)), clock, options);
  };

  it('the tags that an inner report was asked with are tags of the outer one', async () => {
    const { cache, invalidations } = setUp();
    const load = await lead(cache.read(outer));
    await load.run(async () => (await lead(cache.read(inner))).store(draft('i')));
    expect(await load.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['inner:1'], 'commit');
    (await lead(cache.read(outer))).decline('error');
  });

  it('so are those of an inner report that was computed and not stored', async () => {
    const { cache, invalidations } = setUp();
    const load = await lead(cache.read(outer));
    await load.run(async () => (await lead(cache.read(inner))).decline('too-large'));
    expect(await load.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['inner:1'], 'commit');
    (await lead(cache.read(outer))).decline('error');
  });

  it('so are those of an inner report that was computed without the cache', async () => {
    const { cache, clock, invalidations } = setUp();
    const other = await lead(cache.read(inner));
    const load = await lead(cache.read(outer));
    const reading = load.run(async () => cache.read(inner));
    await tick();
    clock.advance(30_000);
    expect(await reading).toEqual({ next: 'alone', reason: 'wait' });
    expect(await load.store(draft('o'))).toBe('stored');
    other.decline('error');
    await invalidations.invalidate(['inner:1'], 'commit');
    (await lead(cache.read(outer))).decline('error');
  });

  it('what the innermost depends on reaches the outermost through the one between', async () => {
    const { cache, invalidations } = setUp();
    await (await lead(cache.read(inner))).store(draft('i'));
    const load = await lead(cache.read(outer));
    await load.run(async () => {
      const between = await lead(cache.read(middle));
      expect(await between.run(async () => served(cache.read(inner)))).toBe('i');
      await between.store(draft('m'));
    });
    expect(await load.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['inner:1'], 'commit');
    (await lead(cache.read(outer))).decline('error');
  });

  it('a value that another reader computed meanwhile counts like one from the cache', async () => {
    const { cache, invalidations } = setUp();
    const other = await lead(cache.read(inner));
    other.addTags(['found:1']);
    const load = await lead(cache.read(outer));
    const reading = load.run(async () => served(cache.read(inner)));
    await tick();
    await other.store(draft('i'));
    expect(await reading).toBe('i');
    expect(await load.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['found:1'], 'commit');
    (await lead(cache.read(outer))).decline('error');
  });
});

describe('nested reports in a process whose pushes are late (FAULT 34)', () => {
  /** A reader whose memory holds `inner`, and who does not hear of a write to it. */
  async function deaf() {
    const clock = new FakeClock();
    const hub = new SharedHub(clock);
    const client = hub.client();
    const store = new TieredStore(
      memoryOn(clock, ''),
      client,
      { leaseMs: 250, overdueMs: 100 },
      clock,
      () => undefined,
    );
    store.follow(client);
    const core = coreOver(store, clock);
    await store.position();
    await (await lead(core.cache.read(inner))).store(draft('old'));
    expect(await served(core.cache.read(inner))).toBe('old');
    client.deaf = true;
    return { ...core, write: () => hub.client().invalidate(['inner:1']) };
  }
  const lenient = { ...inner, consistency: 'lease' as const };

  it('a value served under a lease is not made young by a report built from it', async () => {
    const { cache, write } = await deaf();
    const load = await lead(cache.read(outer));
    await write();
    expect(await load.run(async () => served(cache.read(lenient)))).toBe('old');
    expect(await load.store(draft('built from old'))).toBe('stale');
    (await lead(cache.read(outer))).decline('error');
  });

  it('nor by a report built from a report built from it', async () => {
    const { cache, write } = await deaf();
    const load = await lead(cache.read(outer));
    await load.run(async () => {
      const between = await lead(cache.read(middle));
      await write();
      expect(await between.run(async () => served(cache.read(lenient)))).toBe('old');
      expect(await between.store(draft('built from old'))).toBe('stale');
    });
    expect(await load.store(draft('built from built from old'))).toBe('stale');
  });

  it('a report takes nothing from a lease that is older than itself', async () => {
    const { cache, write } = await deaf();
    await write();
    const load = await lead(cache.read(outer));
    expect(await load.run(async () => served(cache.read(lenient)))).toBe('lead');
    // Outside of a report the lease counts as ever.
    expect(await served(cache.read(lenient))).toBe('old');
  });
});
