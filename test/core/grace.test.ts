// What happens around the end of a ttl: who is served stale, who computes, and what is never served.
import { afterAll, describe, expect, it } from '@jest/globals';
import type { ReadRequest } from '../../src/contract/reading.js';
import type { Store } from '../../src/contract/store.js';
import { BACKOFF_MS, Backoff, MOST_FAILURES } from '../../src/core/backoff.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';
import { RedisNamespaces } from '../support/redis-namespace.js';
import { AsyncStore } from '../fakes/async-store.js';
import { coreOver, draft, lead, memoryOn, request, served, tick } from './set-up.js';

const TTL = 60_000;
const GRACE = 300_000;

const namespaces = new RedisNamespaces();
afterAll(() => namespaces.close());

function tiered(
  clock: FakeClock,
  shared: ConstructorParameters<typeof TieredStore>[1] & Parameters<TieredStore['follow']>[0],
) {
  const store = new TieredStore(memoryOn(clock, ''), shared, { leaseMs: 250, overdueMs: 100 }, clock, () => undefined);
  store.follow(shared);
  return store;
}

const STORES: readonly (readonly [string, () => Promise<{ clock: FakeClock; store: Store }>])[] = [
  ['memory', async () => onClock((clock) => memoryOn(clock))],
  ['an asynchronous store', async () => onClock((clock) => new AsyncStore(memoryOn(clock)))],
  ['two tiers', async () => onClock((clock) => tiered(clock, new SharedHub(clock).client()))],
  [
    'two tiers over Redis',
    async () => {
      const { store } = await namespaces.create();
      return { clock: namespaces.clock, store: tiered(namespaces.clock, store) };
    },
  ],
];

function onClock(make: (clock: FakeClock) => Store) {
  const clock = new FakeClock();
  return { clock, store: make(clock) };
}

const policy = (overrides: Partial<NonNullable<ReadRequest['freshness']>> = {}) => ({
  freshness: { graceMs: GRACE, jitter: 0, refreshAhead: 0, ...overrides },
});
const graceful = (overrides: Partial<ReadRequest> = {}) => request({ ...policy(), ...overrides });

/** The computation, and what may be served instead of it. */
async function leadBeside(turn: ReturnType<ReturnType<typeof coreOver>['cache']['read']>) {
  const known = await turn;
  if (known.next !== 'lead' || known.fallback === undefined) throw new Error(`no fallback: ${known.next}`);
  return { load: known.load, fallback: known.fallback, reason: known.reason };
}

describe.each(STORES)('the grace over %s', (_name, create) => {
  const setUp = async (asked = graceful(), options = {}) => {
    const { clock, store } = await create();
    const core = coreOver(store, clock, options);
    await (await lead(core.cache.read(asked))).store(draft('old'));
    return core;
  };

  it('past its ttl one reader computes, the others are served stale until he is done', async () => {
    const { cache, clock, events } = await setUp();
    clock.advance(TTL);
    const { load, reason } = await leadBeside(cache.read(graceful()));
    expect(reason).toBe('expired');
    expect(await served(cache.read(graceful()))).toBe('old');
    expect(events.at(-1)).toMatchObject({ kind: 'staleHit', ageMs: TTL });
    await load.store(draft('new'));
    expect(await served(cache.read(graceful()))).toBe('new');
  });

  it('a report that takes longer than its ttl is a hit for who waited: his own would be no younger', async () => {
    const { clock, store } = await create();
    const { cache, events } = coreOver(store, clock, { waitMs: 2 * TTL });
    const load = await lead(cache.read(graceful()));
    const waiting = served(cache.read(graceful()));
    await tick();
    await store.position();
    await tick();
    clock.advance(TTL);
    await load.store(draft('slow'));
    expect(await waiting).toBe('slow');
    expect(events.at(-1)).toMatchObject({ kind: 'hit', coalesced: true });
  });

  it('ends: afterwards an entry is as good as absent', async () => {
    const { cache, clock } = await setUp();
    clock.advance(TTL + GRACE - 1);
    (await leadBeside(cache.read(graceful()))).load.decline('incomplete');
    clock.advance(1);
    const turn = await cache.read(graceful());
    expect(turn).toMatchObject({ next: 'lead' });
    expect(turn).not.toHaveProperty('fallback');
  });

  it('is the reader’s own: who wants none waits for the new one', async () => {
    const { cache, clock, store } = await setUp();
    clock.advance(TTL);
    const { load } = await leadBeside(cache.read(graceful()));
    const strict = served(cache.read(request()));
    // Asked after that look-up, so answered after it.
    await tick();
    await store.position();
    await tick();
    await load.store(draft('new'));
    expect(await strict).toBe('new');
  });

  it.each([
    ['invalidated by a tag', ['student:1']],
    ['invalidated by its key', ['key:k']],
    ['invalidated with everything', ['*']],
  ])('an entry that was %s is never served, though its ttl had been over already', async (_how, tags) => {
    const { cache, clock, invalidations } = await setUp();
    clock.advance(TTL);
    const { load, fallback } = await leadBeside(cache.read(graceful()));
    await invalidations.invalidate(tags, 'commit');
    const waiting = cache.read(graceful());
    await tick();
    expect(fallback.take()).toBeUndefined();
    load.decline('error');
    (await lead(waiting)).decline('error');
    expect(await cache.read(graceful())).not.toHaveProperty('fallback');
  });

  it('what was computed from before a write is not stored, and the stale entry is gone, too', async () => {
    const { cache, clock, invalidations } = await setUp();
    clock.advance(TTL);
    const { load } = await leadBeside(cache.read(graceful()));
    await invalidations.invalidate(['student:1'], 'commit');
    expect(await load.store(draft('between'))).toBe('stale');
    (await lead(cache.read(graceful()))).decline('error');
  });

  it('a failure is not repeated for a while: meanwhile everybody is served stale at once', async () => {
    const { cache, clock } = await setUp();
    clock.advance(TTL);
    const { load, fallback } = await leadBeside(cache.read(graceful()));
    load.decline('error');
    expect(fallback.take()?.entry.body.toString()).toBe('old');
    clock.advance(BACKOFF_MS - 1);
    expect(await served(cache.read(graceful()))).toBe('old');
    clock.advance(1);
    await (await leadBeside(cache.read(graceful()))).load.store(draft('new'));
    expect(await served(cache.read(graceful()))).toBe('new');
  });

  it('a success ends that', async () => {
    const brief = graceful({ ttlMs: 1000 });
    const { cache, clock } = await setUp(brief);
    clock.advance(1000);
    (await leadBeside(cache.read(brief))).load.decline('error');
    await (await lead(cache.read({ ...brief, refresh: true }))).store(draft('new'));
    clock.advance(1000);
    expect(await cache.read(brief)).toHaveProperty('fallback');
  });

  it('but a reader who left is no failure: the next computes', async () => {
    const { cache, clock } = await setUp();
    clock.advance(TTL);
    (await leadBeside(cache.read(graceful()))).load.decline('incomplete');
    expect(await cache.read(graceful())).toHaveProperty('fallback');
  });

  it('another answer than the old one, which is not stored, ends the grace', async () => {
    const { cache, clock } = await setUp();
    clock.advance(TTL);
    (await leadBeside(cache.read(graceful()))).load.decline('status');
    await tick();
    await tick();
    expect(await cache.read(graceful())).not.toHaveProperty('fallback');
  });

  it('serves nothing to who has asked for a fresh one, or for none to be computed', async () => {
    const { cache, clock } = await setUp();
    clock.advance(TTL);
    for (const asked of [{ refresh: true }, { accept: () => false }]) {
      const turn = await cache.read(graceful(asked));
      expect(turn).not.toHaveProperty('fallback');
      (await lead(turn)).decline('incomplete');
    }
    expect(await cache.read(graceful({ onlyIfCached: true }))).toEqual({ next: 'none' });
  });

  it('a handler may forbid it for its answer', async () => {
    const { cache, clock } = await setUp();
    clock.advance(TTL);
    await (await lead(cache.read(graceful()))).store(draft('strict', { withoutGrace: true }));
    expect(await served(cache.read(graceful()))).toBe('strict');
    clock.advance(TTL);
    const turn = await cache.read(graceful());
    expect(turn).not.toHaveProperty('fallback');
    (await lead(turn)).decline('error');
  });

  it('a ttl of nothing stays nothing', async () => {
    const off = graceful({ ttlMs: 0 });
    const { cache } = await setUp(off);
    expect(await cache.read(off)).not.toHaveProperty('fallback');
  });

  describe('a report built from a stale value', () => {
    const outer = graceful({ key: 'outer', tags: ['outer:1'] });

    it('is stale with it: it is not lent another ttl', async () => {
      const { cache, clock } = await setUp();
      clock.advance(TTL);
      const inner = await leadBeside(cache.read(graceful()));
      const load = await lead(cache.read(outer));
      expect(await load.run(async () => served(cache.read(graceful())))).toBe('old');
      expect(await load.store(draft('built from old'))).toBe('stored');
      const again = await leadBeside(cache.read(outer));
      expect(again.fallback.entry.staleAt).toBe(inner.fallback.entry.staleAt);
      again.load.decline('error');
      expect(await served(cache.read(outer))).toBe('built from old');
    });

    it('likewise where the stale value stands in for one that failed', async () => {
      const { cache, clock } = await setUp();
      clock.advance(TTL);
      const load = await lead(cache.read(outer));
      await load.run(async () => {
        const inner = await leadBeside(cache.read(graceful()));
        inner.load.decline('error');
        inner.fallback.take();
      });
      expect(await load.store(draft('built from old'))).toBe('stored');
      (await leadBeside(cache.read(outer))).load.decline('error');
    });

    it('is not stored where it may not be stale itself', async () => {
      const { cache, clock, events } = await setUp();
      clock.advance(TTL);
      await leadBeside(cache.read(graceful()));
      const load = await lead(cache.read({ ...outer, ...policy({ graceMs: 0 }) }));
      await load.run(async () => served(cache.read(graceful())));
      expect(await load.store(draft('built from old'))).toBe('declined');
      expect(events.at(-1)).toMatchObject({ kind: 'declined', reason: 'expired' });
    });

    it('goes with what the value depends on, as of the value’s own position', async () => {
      const { cache, clock, invalidations } = await setUp();
      clock.advance(TTL);
      await leadBeside(cache.read(graceful()));
      const load = await lead(cache.read(outer));
      await load.run(async () => served(cache.read(graceful())));
      await load.store(draft('built from old'));
      await invalidations.invalidate(['student:1'], 'commit');
      expect(await cache.read(outer)).not.toHaveProperty('fallback');
    });
  });
});

describe('in two processes', () => {
  const pair = () => {
    const clock = new FakeClock();
    const hub = new SharedHub(clock);
    const start = () => coreOver(tiered(clock, hub.client()), clock);
    return { clock, one: start(), other: start() };
  };

  it('RACE another one’s write while a computation runs: the stale entry does not stand in when that fails', async () => {
    const { clock, one, other } = pair();
    await (await lead(one.cache.read(graceful()))).store(draft('old'));
    clock.advance(TTL);
    const { load, fallback } = await leadBeside(one.cache.read(graceful()));
    await other.invalidations.invalidate(['student:1'], 'commit');
    await tick();
    load.decline('error');
    expect(fallback.take()).toBeUndefined();
  });

  it('a stale entry in memory does not hide that another process has stored a new one', async () => {
    const { clock, one, other } = pair();
    await (await lead(one.cache.read(graceful()))).store(draft('old'));
    clock.advance(TTL);
    await (await lead(other.cache.read(graceful()))).store(draft('new'));
    expect(await served(one.cache.read(graceful({ consistency: 'lease' })))).toBe('new');
  });
});

describe('jitter', () => {
  it('takes off what chance says, never adds, and is known when the computation begins', async () => {
    for (const [chance, staleAfter] of [
      [0, 60_000],
      [0.5, 57_000],
      [0.999, 54_006],
    ] as const) {
      const clock = new FakeClock();
      const { cache } = coreOver(memoryOn(clock), clock, { chance: () => chance });
      const asked = request(policy({ jitter: 0.1 }));
      const load = await lead(cache.read(asked));
      expect(load.ttlMs).toBe(staleAfter);
      await load.store(draft('x'));
      clock.advance(staleAfter - 1);
      expect(await served(cache.read(asked))).toBe('x');
      clock.advance(1);
      await leadBeside(cache.read(asked));
    }
  });
});

describe('refresh ahead (XFetch)', () => {
  /** An entry that took ten seconds, so that with beta 1 it is due when -10 s * ln(1 - chance) reaches its end. */
  async function costly(chance: { value: number }) {
    const clock = new FakeClock();
    const core = coreOver(memoryOn(clock), clock, { chance: () => chance.value });
    const asked = request(policy({ graceMs: 0, refreshAhead: 1 }));
    const load = await lead(core.cache.read(asked));
    clock.advance(10_000);
    await load.store(draft('old'));
    return { ...core, asked };
  }

  it('is the likelier the nearer the end: one reader computes, the others are served fresh', async () => {
    const chance = { value: 1 - Math.exp(-2) };
    const { cache, clock, asked, events } = await costly(chance);
    clock.advance(29_999);
    expect(await served(cache.read(asked))).toBe('old');
    clock.advance(1);
    const { load, reason } = await leadBeside(cache.read(asked));
    expect(reason).toBe('early');
    expect(await served(cache.read(asked))).toBe('old');
    expect(events.at(-1)).toMatchObject({ kind: 'hit' });
    await load.store(draft('new'));
    expect(await served(cache.read(asked))).toBe('new');
  });

  it('that fails rests, and the entry lives on', async () => {
    const chance = { value: 0.999 };
    const { cache, asked } = await costly(chance);
    (await leadBeside(cache.read(asked))).load.decline('error');
    expect(await served(cache.read(asked))).toBe('old');
  });

  it('an unlucky draw refreshes nothing, and costs nothing where it is off', async () => {
    const chance = { value: 0 };
    const { cache, clock, asked } = await costly(chance);
    clock.advance(49_999);
    expect(await served(cache.read(asked))).toBe('old');
    chance.value = 0.999_999;
    expect(await served(cache.read(request()))).toBe('old');
  });
});

describe('the memory of failures', () => {
  it('is bounded, and forgets what is over', () => {
    const clock = new FakeClock();
    const backoff = new Backoff(clock);
    for (let index = 0; index <= MOST_FAILURES; index += 1) backoff.failed(`k${index}`);
    expect(backoff.size).toBe(MOST_FAILURES);
    expect([backoff.rests('k0'), backoff.rests('k1')]).toEqual([false, true]);
    clock.advance(BACKOFF_MS);
    backoff.failed('k');
    expect(backoff.size).toBe(1);
  });
});
