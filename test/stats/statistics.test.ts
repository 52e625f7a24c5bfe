// Counts of a day: added up over processes in a real Redis, begun anew, bounded, and told when Redis is back.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheEvent } from '../../src/contract/events.js';
import { BUCKET_MS, BUCKETS, hitRateOf } from '../../src/stats/buckets.js';
import { RedisStatistics } from '../../src/stats/redis-statistics.js';
import { Statistics, type SharedStatistics } from '../../src/stats/statistics.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const FLUSH_MS = 5000;
const hit: CacheEvent = {
  kind: 'hit',
  key: 'k',
  type: 'custom',
  layer: 'memory',
  coalesced: false,
  ageMs: 1,
  durationMs: 0.25,
  avoidedMs: 100,
};
const miss: CacheEvent = { kind: 'miss', key: 'k', type: 'custom', reason: 'absent', durationMs: 2 };

let clock: FakeClock;
let redis: Redis;
let namespace: string;

beforeEach(async () => {
  clock = new FakeClock();
  redis = new Redis(redisUrl());
  await redis.ping();
  namespace = ownNamespace();
});
afterEach(() => redis.disconnect());

const inRedis = (client: Redis = redis) =>
  new RedisStatistics({ client, nameOf: (bucket) => `{${namespace}}:n:${bucket}`, inTime: (answer) => answer });

const statistics = (shared: SharedStatistics | undefined = inRedis()) =>
  new Statistics({ shared, isType: (name) => name === 'custom', flushMs: FLUSH_MS, clock });

describe('statistics', () => {
  it('of all processes are added up, each up to now', async () => {
    const [one, other] = [statistics(), statistics()];
    one.hear(hit);
    one.hear(miss);
    other.hear(hit);
    other.hear({ kind: 'ran', type: 'custom', failed: true, durationMs: 30 });
    await one.read();
    const { buckets, complete } = await other.read();
    expect(complete).toBe(true);
    expect(buckets).toEqual([
      {
        at: new Date(Math.floor(clock.now() / BUCKET_MS) * BUCKET_MS),
        types: {
          custom: {
            memory: { times: 2, ms: 0.5 },
            miss: { times: 1, ms: 2 },
            ran: { times: 1, ms: 30 },
            failed: { times: 1, ms: 30 },
          },
        },
      },
    ]);
    expect(hitRateOf(buckets)).toEqual({ hits: 2, misses: 1, hitRate: 2 / 3, requests: 3 });
    expect(hitRateOf(buckets, 'analytics')).toEqual({ hits: 0, misses: 0, hitRate: 0, requests: 0 });
    await Promise.all([one.close(), other.close()]);
  });

  it('are told five seconds after the first, and what is left when the process ends', async () => {
    const told: number[] = [];
    const shared = inRedis();
    const add = shared.add.bind(shared);
    shared.add = async (buckets) => (await add(buckets), void told.push(buckets.size));
    const one = statistics(shared);
    one.hear(hit);
    clock.advance(FLUSH_MS - 1);
    expect(told).toEqual([]);
    clock.advance(1);
    await one.read();
    expect(told).toEqual([1]);
    one.hear(hit);
    await one.close();
    expect(told).toEqual([1, 1]);
    expect(clock.waiting).toBe(0);
    expect(hitRateOf((await statistics().read()).buckets).hits).toBe(2);
  });

  it('go back a day, and are gone from Redis a little later', async () => {
    const one = statistics();
    one.hear(hit);
    await one.read();
    const [name = ''] = await redis.keys(`{${namespace}}:n:*`);
    const left = await redis.pttl(name);
    expect(left).toBeGreaterThan(BUCKETS * BUCKET_MS);
    expect(left).toBeLessThanOrEqual(BUCKETS * BUCKET_MS + 3_600_000);
    clock.advance((BUCKETS - 1) * BUCKET_MS);
    one.hear(miss);
    expect((await one.read()).buckets).toHaveLength(2);
    clock.advance(BUCKET_MS);
    expect((await one.read()).buckets).toHaveLength(1);
    await one.close();
  });

  it('without Redis are those of this process, as far back', async () => {
    const one = new Statistics({ shared: undefined, isType: () => true, flushMs: FLUSH_MS, clock });
    one.hear(hit);
    clock.advance((BUCKETS - 1) * BUCKET_MS);
    one.hear(miss);
    expect(await one.read()).toMatchObject({ complete: true, buckets: [{}, {}] });
    clock.advance(BUCKET_MS);
    expect((await one.read()).buckets).toHaveLength(1);
    await one.reset();
    expect((await one.read()).buckets).toEqual([]);
  });

  it('names that were not declared are one, whatever a client sends', async () => {
    const one = statistics();
    for (let at = 0; at < 100; at += 1) one.hear({ ...hit, type: `type-${at}` });
    const { buckets } = await one.read();
    expect(Object.keys(buckets[0]?.types ?? {})).toEqual(['other']);
    expect(hitRateOf(buckets).hits).toBe(100);
    await one.close();
  });

  it('while Redis is away are those of this process, and nothing is lost when it is back', async () => {
    let away = true;
    const shared = inRedis();
    const broken = async () => {
      throw new Error('away');
    };
    const flaky: SharedStatistics = {
      add: (buckets) => (away ? broken() : shared.add(buckets)),
      read: (now) => (away ? broken() : shared.read(now)),
      reset: (now) => (away ? broken() : shared.reset(now)),
    };
    const one = statistics(flaky);
    one.hear(hit);
    expect(await one.read()).toMatchObject({
      complete: false,
      buckets: [{ types: { custom: { memory: { times: 1 } } } }],
    });
    await expect(one.reset()).rejects.toThrow('away');
    one.hear(hit);
    away = false;
    expect(await one.read()).toMatchObject({
      complete: true,
      buckets: [{ types: { custom: { memory: { times: 2 } } } }],
    });
    await one.close();
  });

  it('reset begins anew for all processes', async () => {
    const [one, other] = [statistics(), statistics()];
    one.hear(hit);
    await one.read();
    other.hear(miss);
    await other.reset();
    expect((await one.read()).buckets).toEqual([]);
    expect((await other.read()).buckets).toEqual([]);
    await Promise.all([one.close(), other.close()]);
  });
});
