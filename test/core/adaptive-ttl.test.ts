// A ttl that follows its report: pure rule, then whole caches. It moves for evidence alone, inside its bounds, and never past an invalidation.
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CacheEvent } from '../../src/contract/events.js';
import type { AdaptiveTtl, ReadRequest } from '../../src/contract/reading.js';
import type { Store } from '../../src/contract/store.js';
import { boundsOf, isUnchanged, nextTtl, ttlAfter } from '../../src/core/adaptive-ttl.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { RedisNamespaces } from '../support/redis-namespace.js';
import { Peers } from './peers.js';
import { coreOver, draft, lead, memoryOn, request, served } from './set-up.js';

const TTL = 60_000;
const GRACE = 300_000;

describe('the rule', () => {
  const ttl = fc.integer({ min: 1, max: 1e9 });
  /** A ttl and bounds around it, as the options demand. */
  const bounded = ttl.chain((ttlMs) =>
    fc.record({
      ttlMs: fc.constant(ttlMs),
      adaptive: fc.record(
        { minMs: fc.integer({ min: 1, max: ttlMs }), maxMs: fc.integer({ min: ttlMs, max: 1e12 }) },
        { requiredKeys: [] },
      ) as fc.Arbitrary<AdaptiveTtl>,
    }),
  );
  const ms = fc.double({ min: 0, max: 1e9, noNaN: true });
  const same = fc.constantFrom(true, false, undefined);
  const ORDER = [false, undefined, true];

  it('stays inside its bounds, whatever happened before', () => {
    fc.assert(
      fc.property(bounded, ms, ms, same, ({ ttlMs, adaptive }, lastMs, computeMs, was) => {
        const { minMs, maxMs } = boundsOf(ttlMs, adaptive);
        const { nextTtlMs } = nextTtl({ lastMs, computeMs, same: was }, ttlMs, adaptive);
        const begun = ttlAfter({ nextTtlMs: lastMs }, ttlMs, adaptive);
        for (const one of [nextTtlMs, begun]) expect(minMs <= one && one <= maxMs).toBe(true);
        expect(minMs <= ttlMs && ttlMs <= maxMs).toBe(true);
      }),
    );
  });

  it('is the longer, the longer the last one was, the costlier the report, and the same before changed', () => {
    const step = fc.double({ min: 0, max: 1e6, noNaN: true });
    const more = fc.record({ last: step, cost: step, from: fc.nat(2), to: fc.nat(2) });
    fc.assert(
      fc.property(bounded, ms, ms, more, ({ ttlMs, adaptive }, lastMs, computeMs, { last, cost, from, to }) => {
        const [worse, better] = [Math.min(from, to), Math.max(from, to)];
        const less = nextTtl({ lastMs, computeMs, same: ORDER[worse] }, ttlMs, adaptive);
        const greater = { lastMs: lastMs + last, computeMs: computeMs + cost, same: ORDER[better] };
        expect(nextTtl(greater, ttlMs, adaptive).nextTtlMs).toBeGreaterThanOrEqual(less.nextTtlMs);
      }),
    );
  });

  it('changes nothing where it is off, or where a ttl of nothing switches the cache off', () => {
    fc.assert(
      fc.property(ttl, ms, (ttlMs, nextTtlMs) => {
        expect(ttlAfter({ nextTtlMs }, ttlMs, undefined)).toBe(ttlMs);
        expect(ttlAfter(undefined, ttlMs, {})).toBe(ttlMs);
        expect(ttlAfter({ nextTtlMs }, 0, {})).toBe(0);
      }),
    );
  });

  it.each([
    ['the same bytes: twice as long', { lastMs: TTL, computeMs: 5, same: true }, 120_000, 'unchanged'],
    ['others: half', { lastMs: TTL, computeMs: 5, same: false }, 30_000, 'changed'],
    ['nobody can tell: as before', { lastMs: 90_000, computeMs: 5, same: undefined }, 90_000, 'kept'],
    ['costly: a hundred times what it took', { lastMs: TTL, computeMs: 1500, same: true }, 150_000, 'costly'],
    ['costly, though it had changed', { lastMs: TTL, computeMs: 400, same: false }, 40_000, 'costly'],
    ['at most four times the ttl', { lastMs: 4 * TTL, computeMs: 5, same: true }, 240_000, 'unchanged'],
    ['at least a quarter', { lastMs: TTL / 4, computeMs: 5, same: false }, 15_000, 'changed'],
  ])('%s', (_case, lesson, nextTtlMs, because) => {
    expect(nextTtl(lesson, TTL, {})).toEqual({ nextTtlMs, because });
  });

  it('compares entity-tags, else bytes, and says nothing where it sees neither', () => {
    const entry = makeEntry({ epoch: 'e', seq: 0 }, 0, { body: Buffer.from('one'), etag: '"1"', status: 200 });
    expect(isUnchanged(entry, draft('two', { etag: '"1"' }))).toBe(true);
    expect(isUnchanged(entry, draft('one', { etag: '"2"' }))).toBe(false);
    expect(isUnchanged(entry, draft('one', { etag: '"1"', status: 404 }))).toBe(false);
    const value = { ...entry, etag: '', status: 0 };
    expect(isUnchanged(value, draft('one', { status: 0 }))).toBe(true);
    expect(isUnchanged(value, draft('two', { status: 0 }))).toBe(false);
    expect(isUnchanged({ ...value, coding: 'gzip' }, draft('one', { status: 0 }))).toBeUndefined();
  });
});

const namespaces = new RedisNamespaces();
afterAll(() => namespaces.close());

const STORES: readonly (readonly [string, () => Promise<{ clock: FakeClock; store: Store }>])[] = [
  [
    'memory',
    async () => {
      const clock = new FakeClock();
      return { clock, store: memoryOn(clock) };
    },
  ],
  ['Redis', async () => ({ clock: namespaces.clock, store: (await namespaces.create()).store })],
];

const policy = (overrides: Partial<NonNullable<ReadRequest['freshness']>> = {}) => ({
  freshness: { graceMs: GRACE, jitter: 0, refreshAhead: 0, adaptive: {}, ...overrides },
});
const asked = (overrides: Partial<ReadRequest> = {}) => request({ ...policy(), ...overrides });
const stored = (events: readonly CacheEvent[]) => events.filter((event) => event.kind === 'stored');

describe.each(STORES)('over %s', (_name, create) => {
  const setUp = async () => {
    const { clock, store } = await create();
    const core = coreOver(store, clock);
    /** Computes it, from `overrides` on. @returns the ttl that was known at the beginning */
    const compute = async (body: string, overrides: Partial<ReadRequest> = {}, takesMs = 0) => {
      const load = await lead(core.cache.read(asked(overrides)));
      clock.advance(takesMs);
      expect(await load.store(draft(body))).toBe('stored');
      return load.ttlMs;
    };
    /** Lets its ttl pass, and computes it anew. */
    const anew = async (body: string, overrides: Partial<ReadRequest> = {}) => {
      const last = stored(core.events).at(-1);
      clock.advance(last?.ttlMs ?? 0);
      return compute(body, overrides);
    };
    return { ...core, compute, anew };
  };

  it('what is the same each time its ttl is over lives longer and longer, up to the bound', async () => {
    const { compute, anew, events } = await setUp();
    const ttls = [await compute('x')];
    for (let times = 0; times < 5; times += 1) ttls.push(await anew('x'));
    expect(ttls).toEqual([TTL, TTL, 2 * TTL, 4 * TTL, 4 * TTL, 4 * TTL]);
    expect(stored(events).map(({ ttlMs }) => ttlMs)).toEqual(ttls);
    expect(stored(events).at(0)).toMatchObject({ nextTtlMs: TTL, because: 'kept' });
    expect(stored(events).at(-1)).toMatchObject({ nextTtlMs: 4 * TTL, because: 'unchanged' });
  });

  it('what is another each time lives shorter, and is fresh for exactly so long', async () => {
    const { cache, clock, compute, anew } = await setUp();
    const ttls = [await compute('0')];
    for (let times = 1; times < 5; times += 1) ttls.push(await anew(String(times)));
    expect(ttls).toEqual([TTL, TTL, TTL / 2, TTL / 4, TTL / 4]);
    clock.advance(TTL / 4 - 1);
    expect(await served(cache.read(asked()))).toBe('4');
    clock.advance(1);
    expect((await cache.read(asked())).next).toBe('lead');
  });

  it('an invalidation is an invalidation, and ends what was learned', async () => {
    const { cache, clock, compute, anew, invalidations } = await setUp();
    await compute('x');
    await anew('x');
    await anew('x');
    clock.advance(1);
    expect(await served(cache.read(asked()))).toBe('x');
    await invalidations.invalidate(['student:1'], 'commit');
    expect(await compute('x')).toBe(TTL);
  });

  it('who forces a new one teaches nothing: the ttl stays what it was', async () => {
    const { compute, anew, events } = await setUp();
    await compute('x');
    await anew('x');
    for (let times = 0; times < 3; times += 1) expect(await compute('x', { refresh: true })).toBe(2 * TTL);
    expect(await compute('y', { accept: () => false })).toBe(2 * TTL);
    expect(stored(events).at(-1)).toMatchObject({ because: 'kept' });
  });

  it('a reader who takes nothing stale computes as well as any', async () => {
    const { compute, anew } = await setUp();
    await compute('x');
    await anew('x', { accept: (entry, now) => now < entry.staleAt });
    expect(await anew('x')).toBe(2 * TTL);
  });

  it('what nobody asks for within its grace is forgotten', async () => {
    const { clock, compute, anew } = await setUp();
    await compute('x');
    await anew('x');
    clock.advance(2 * TTL + GRACE);
    expect(await compute('x')).toBe(TTL);
  });

  it('the handler’s own lifetime bounds it still, and is what is learned from', async () => {
    const { cache, clock, compute, events } = await setUp();
    await compute('x');
    clock.advance(TTL);
    await (await lead(cache.read(asked()))).store(draft('x', { ttlMs: 20_000 }));
    expect(stored(events).at(-1)).toMatchObject({ ttlMs: 20_000, nextTtlMs: 40_000, because: 'unchanged' });
  });

  it('costly reports live longer from their second computation on', async () => {
    const { compute, anew } = await setUp();
    await compute('x', {}, 1800);
    expect(await anew('x')).toBe(180_000);
  });

  it('refreshed ahead of its end it is compared, too', async () => {
    const { clock, store } = await create();
    const { cache, events } = coreOver(store, clock, { chance: () => 1 - 1e-12 });
    const early = asked(policy({ refreshAhead: 10 }));
    const load = await lead(cache.read(early));
    clock.advance(300);
    await load.store(draft('x'));
    clock.advance(TTL - 1000);
    await (await lead(cache.read(early))).store(draft('x'));
    expect(stored(events).at(-1)).toMatchObject({ because: 'unchanged', nextTtlMs: 2 * TTL });
  });

  it('off, it leaves no word: neither in the entry nor in the event', async () => {
    const { compute, anew, events, cache } = await setUp();
    const off = { freshness: { graceMs: GRACE, jitter: 0, refreshAhead: 0 } };
    await compute('x', off);
    expect(await anew('x', off)).toBe(TTL);
    expect(await anew('x', off)).toBe(TTL);
    expect(stored(events).at(-1)).not.toHaveProperty('nextTtlMs');
    const turn = await cache.read(asked(off));
    expect(turn.next === 'serve' && 'nextTtlMs' in turn.entry).toBe(false);
  });

  it('under another key than was asked for, a result is compared with nothing', async () => {
    const { cache, clock, compute, events } = await setUp();
    await compute('x');
    clock.advance(TTL);
    await (await lead(cache.read(asked()))).store(draft('x', { key: 'k2' }));
    expect(stored(events).at(-1)).toMatchObject({ because: 'kept' });
  });
});

it('what one process has learned, the others know: it is kept with the entry', async () => {
  const peers = await Peers.open();
  try {
    const [one, other] = [await peers.peer(), await peers.peer()];
    const shared = { ...policy(), coalesce: 'process' as const };
    await (await lead(one.read(shared))).store(draft('x'));
    peers.clock.advance(TTL);
    await (await lead(other.read(shared))).store(draft('x'));
    peers.clock.advance(TTL);
    const load = await lead(one.read(shared));
    expect(load.ttlMs).toBe(2 * TTL);
    load.decline('incomplete');
  } finally {
    await peers.close();
  }
});
