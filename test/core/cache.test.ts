// The heart under controlled races: who leads, who waits, what may be shared, what is refused.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Store } from '../../src/contract/store.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { BOTH, coreOver, draft, lead, memoryOn, request, served, tick } from './set-up.js';

const GRACE = { graceMs: 60_000, jitter: 0, refreshAhead: 0 };

function setUp(wrap: (store: Store) => Store) {
  const clock = new FakeClock();
  return coreOver(wrap(memoryOn(clock)), clock);
}

describe.each(BOTH)('cache over %s', (_name, wrap) => {
  let set: ReturnType<typeof setUp>;
  beforeEach(() => {
    set = setUp(wrap);
  });

  it('leads a miss, stores it, and serves the next reader', async () => {
    const { cache, events } = set;
    const load = await lead(cache.read(request()));
    expect(await load.store(draft('one'))).toBe('stored');
    expect(await served(cache.read(request()))).toBe('one');
    expect(events.map(({ kind }) => kind)).toEqual(['miss', 'stored', 'hit']);
  });

  it('FAULT the function that makes its tags fails: the reader hears of it, and nobody waits for him', async () => {
    const { cache, clock } = set;
    const broken = Object.defineProperty(request({ freshness: GRACE }), 'tags', {
      get: () => {
        throw new Error('no tags');
      },
    });
    const read = async () => cache.read(broken);
    await expect(read()).rejects.toThrow('no tags');
    await (await lead(cache.read(request({ freshness: GRACE })))).store(draft('one'));
    // Found, so there is no need of them.
    expect(await served(cache.read(broken))).toBe('one');
    clock.advance(61_000);
    await expect(read()).rejects.toThrow('no tags');
    const after = await lead(cache.read(request({ freshness: GRACE })));
    expect(await after.store(draft('two'))).toBe('stored');
  });

  it('FAULT 1 slow reader: captured, read, then a write was acknowledged: not stored, and the next reader computes', async () => {
    const { cache, invalidations } = set;
    const load = await lead(cache.read(request()));
    await invalidations.invalidate(['student:1'], 'commit');
    expect(await load.store(draft('old'))).toBe('stale');
    const next = await lead(cache.read(request()));
    expect(await next.store(draft('new'))).toBe('stored');
    expect(await served(cache.read(request()))).toBe('new');
  });

  it('FAULT 33 two hundred readers of one cold report, with a write in the middle: one load, none old', async () => {
    const { cache, invalidations } = set;
    const first = await lead(cache.read(request()));
    const waiting = Array.from({ length: 199 }, () => cache.read(request()));
    await tick();
    await invalidations.invalidate(['student:1'], 'commit');
    expect(await first.store(draft('old'))).toBe('stale');
    // One of those who waited leads; all others wait for it.
    const turns = Promise.all(
      waiting.map(async (turn) => {
        const known = await turn;
        if (known.next !== 'lead') return served(known);
        await tick();
        await known.load.store(draft('new'));
        return 'led';
      }),
    );
    const outcomes = await turns;
    expect(outcomes.filter((outcome) => outcome === 'led')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'new')).toHaveLength(198);
  });

  it('RACE coalescing: a reader who arrives after a write does not get the value of a load that began before it', async () => {
    const { cache, invalidations } = set;
    const early = await lead(cache.read(request()));
    await invalidations.invalidate(['student:1'], 'commit');
    const late = cache.read(request());
    await early.store(draft('old'));
    const second = await lead(late);
    await second.store(draft('new'));
    expect(await served(cache.read(request()))).toBe('new');
  });

  it('what was not stored may still be shared with those who had arrived before it began', async () => {
    const { cache, invalidations } = set;
    const first = await lead(cache.read(request()));
    const b = cache.read(request());
    const c = cache.read(request());
    await tick();
    await invalidations.invalidate(['student:1'], 'commit');
    await first.store(draft('old'));
    const second = await lead(b);
    const after = cache.read(request());
    await tick();
    // Again invalidated while it runs: not storable, but begun after `c` had arrived.
    await invalidations.invalidate(['student:1'], 'commit');
    expect(await second.store(draft('newer'))).toBe('stale');
    expect(await served(c)).toBe('newer');
    // This one arrived after it had begun, and after no proof: it computes.
    await (await lead(after)).store(draft('newest'));
  });

  it('an answer that may not be shared does not make the others queue for one another', async () => {
    const { cache } = set;
    const first = await lead(cache.read(request()));
    const others = Array.from({ length: 5 }, () => cache.read(request()));
    await tick();
    first.decline('set-cookie');
    const loads = await Promise.all(others.map((turn) => lead(turn)));
    expect(new Set(loads).size).toBe(5);
    for (const load of loads) load.decline('set-cookie');
  });

  it('a reader who has waited too long computes for himself and stores nothing', async () => {
    const { cache, clock } = set;
    const first = await lead(cache.read(request()));
    const second = cache.read(request());
    await tick();
    clock.advance(30_000);
    expect(await second).toEqual({ next: 'alone', reason: 'wait' });
    await first.store(draft('late'));
    expect(clock.waiting).toBe(0);
  });

  it('a load is settled once', async () => {
    const { cache } = set;
    const load = await lead(cache.read(request()));
    load.decline('error');
    expect(await load.store(draft('x'))).toBe('declined');
    expect(load.settled).toBe(true);
    (await lead(cache.read(request()))).decline('error');
  });

  it('tags added while computing count from the capture on', async () => {
    const { cache, invalidations } = set;
    const load = await lead(cache.read(request()));
    await invalidations.invalidate(['class:9'], 'commit');
    load.addTags(['class:9']);
    expect(await load.store(draft('old'))).toBe('stale');
    const again = await lead(cache.read(request()));
    again.addTags(['class:9']);
    await again.store(draft('new'));
    await invalidations.invalidate(['class:9'], 'commit');
    (await lead(cache.read(request()))).decline('error');
  });

  it('"some rows of this kind, unknown which" reaches every entry with a tag of the kind', async () => {
    const { cache, invalidations } = set;
    await (await lead(cache.read(request()))).store(draft('x'));
    await invalidations.invalidate(['class:*'], 'commit');
    expect(await served(cache.read(request()))).toBe('x');
    await invalidations.invalidate(['student:*'], 'commit');
    (await lead(cache.read(request()))).decline('error');
  });

  it('too many tags: computed, not stored', async () => {
    const { cache, events } = set;
    const load = await lead(cache.read(request()));
    load.addTags(Array.from({ length: 300 }, (_, index) => `student:${index}`));
    expect(await load.store(draft('x'))).toBe('declined');
    expect(events.at(-1)).toMatchObject({ kind: 'declined', reason: 'too-many-tags' });
  });

  it('a forced refresh computes beside a running load and replaces what is stored', async () => {
    const { cache } = set;
    await (await lead(cache.read(request()))).store(draft('one'));
    const refresh = await lead(cache.read(request({ refresh: true })));
    expect(await served(cache.read(request()))).toBe('one');
    await refresh.store(draft('two'));
    expect(await served(cache.read(request()))).toBe('two');
  });

  it('an entry that the reader does not accept is computed anew; only-if-cached never computes', async () => {
    const { cache } = set;
    expect(await cache.read(request({ onlyIfCached: true }))).toEqual({ next: 'none' });
    await (await lead(cache.read(request()))).store(draft('one'));
    const picky = { accept: () => false };
    expect(await cache.read(request({ ...picky, onlyIfCached: true }))).toEqual({ next: 'none' });
    const load = await lead(cache.read(request(picky)));
    await load.store(draft('two'));
    expect(await served(cache.read(request()))).toBe('two');
  });

  it('after close it computes and stores nothing', async () => {
    const { cache } = set;
    const load = await lead(cache.read(request()));
    cache.close();
    expect(await load.store(draft('x'))).toBe('unavailable');
    expect(await cache.read(request())).toEqual({ next: 'alone', reason: 'closed' });
  });

  describe('reports built from cached reports', () => {
    it('FAULT 34 an inner report that has been invalidated meanwhile keeps the outer one from being stored', async () => {
      const { cache, invalidations } = set;
      await (await lead(cache.read(request({ key: 'inner', tags: ['inner:1'] })))).store(draft('i'));
      const outer = await lead(cache.read(request({ key: 'outer', tags: ['outer:1'] })));
      await outer.run(async () => served(cache.read(request({ key: 'inner', tags: ['inner:1'] }))));
      await invalidations.invalidate(['inner:1'], 'commit');
      expect(await outer.store(draft('o'))).toBe('stale');
    });

    it('the outer one goes when the inner one goes', async () => {
      const { cache, invalidations } = set;
      await (await lead(cache.read(request({ key: 'inner', tags: ['inner:1'] })))).store(draft('i'));
      await invalidations.invalidate(['outer:1'], 'commit');
      const outer = await lead(cache.read(request({ key: 'outer', tags: ['outer:1'] })));
      expect(await outer.run(async () => served(cache.read(request({ key: 'inner' }))))).toBe('i');
      expect(await outer.store(draft('o'))).toBe('stored');
      await invalidations.invalidate(['inner:1'], 'commit');
      (await lead(cache.read(request({ key: 'outer' })))).decline('error');
    });

    it('an inner report that is computed inside the outer one gives it its tags, those found late too', async () => {
      const { cache, invalidations } = set;
      const outer = await lead(cache.read(request({ key: 'outer', tags: ['outer:1'] })));
      await outer.run(async () => {
        const inner = await lead(cache.read(request({ key: 'inner', tags: ['inner:1'] })));
        inner.addTags(['found:1']);
        await inner.store(draft('i'));
      });
      expect(await outer.store(draft('o'))).toBe('stored');
      await invalidations.invalidate(['found:1'], 'commit');
      (await lead(cache.read(request({ key: 'outer' })))).decline('error');
    });
  });

  describe('transactions', () => {
    const runner = {};

    it('who has written inside an open transaction neither reads nor fills the cache until it is committed', async () => {
      const { cache, scopes } = set;
      await (await lead(cache.read(request()))).store(draft('committed'));
      await (async () => {
        scopes.began(runner);
        await tick();
        expect(await served(cache.read(request()))).toBe('committed');
        scopes.wrote(runner);
        expect(await cache.read(request())).toEqual({ next: 'alone', reason: 'transaction' });
        scopes.ended(runner, true);
        expect(await served(cache.read(request()))).toBe('committed');
      })();
    });

    it('others go on being served meanwhile', async () => {
      const { cache, scopes } = set;
      await (await lead(cache.read(request()))).store(draft('committed'));
      let inside = '';
      const outer = await lead(cache.read(request({ key: 'other' })));
      await outer.run(async () => {
        scopes.began(runner);
        scopes.wrote(runner);
        inside = (await cache.read(request())).next;
      });
      expect(inside).toBe('alone');
      expect(await served(cache.read(request()))).toBe('committed');
      outer.decline('error');
    });

    it('FAULT 10 a snapshot older than the capture: neither served nor stored', async () => {
      const { cache, scopes } = set;
      await (async () => {
        scopes.began(runner);
        scopes.keepsSnapshot(runner);
        expect(await cache.read(request())).toEqual({ next: 'alone', reason: 'transaction' });
        scopes.ended(runner, true);
      })();
    });

    it('what was computed inside an open or undone transaction is not stored', async () => {
      const { cache, scopes } = set;
      const open = await lead(cache.read(request()));
      open.run(() => {
        scopes.began(runner);
        scopes.wrote(runner);
      });
      expect(await open.store(draft('dirty'))).toBe('declined');
      scopes.ended(runner, false);
      const undone = await lead(cache.read(request()));
      undone.run(() => {
        scopes.began(runner);
        scopes.wrote(runner);
        scopes.ended(runner, false);
      });
      expect(await undone.store(draft('dirty'))).toBe('declined');
      const committed = await lead(cache.read(request()));
      committed.run(() => {
        scopes.began(runner);
        scopes.wrote(runner);
        scopes.ended(runner, true);
      });
      expect(await committed.store(draft('clean'))).toBe('stored');
    });
  });
});
