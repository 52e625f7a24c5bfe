// The log of invalidations: of all processes in a real Redis, in batches, bounded, and never in a writer's way.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { InvalidationLog, newestFirst } from '../../src/admin/invalidation-log.js';
import type { CacheEvent } from '../../src/contract/events.js';
import type { LoggedInvalidation, SharedInvalidationLog } from '../../src/contract/invalidation-log.js';
import { RedisInvalidationLog } from '../../src/stores/redis/redis-invalidation-log.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

let clock: FakeClock;
let redis: Redis;
let name: string;

beforeEach(async () => {
  clock = new FakeClock();
  redis = new Redis(redisUrl());
  await redis.ping();
  name = `{${ownNamespace()}}:i`;
});
afterEach(() => redis.disconnect());

const happened = (seq: number, tags: readonly string[] = ['student:1'], epoch = 'e'): CacheEvent => ({
  kind: 'invalidate',
  tags,
  cause: 'commit',
  epoch,
  seq,
  durationMs: 2,
});
const inRedis = () => new RedisInvalidationLog({ client: redis, name, inTime: (answer) => answer });
const logOf = (process: string, shared: SharedInvalidationLog | undefined = inRedis()) =>
  new InvalidationLog({ shared, process, clock });
const seqs = (records: readonly LoggedInvalidation[]) => records.map(({ seq }) => seq);
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Counts what it is told; `away` makes it fail. */
class Counting implements SharedInvalidationLog {
  away = false;
  readonly told: number[] = [];
  async add(records: readonly LoggedInvalidation[]): Promise<void> {
    this.told.push(records.length);
    if (this.away) throw new Error('away');
  }
  // oxlint-disable-next-line require-yield
  async *pages(): AsyncGenerator<readonly LoggedInvalidation[]> {
    if (this.away) throw new Error('away');
  }
  async since() {
    return { records: [], last: '0-0' };
  }
}

describe('over Redis', () => {
  it('what is new of others is read from a place on: in pages, a thousand at most, the latest of them', async () => {
    const [one, other] = [logOf('one'), logOf('other')];
    expect(await one.ofOthers(undefined)).toEqual({ invalidations: [], last: '0-0' });
    other.hear(happened(1));
    await other.read(1);
    const { last, ...before } = await one.ofOthers(undefined);
    expect([before.invalidations, last]).toEqual([[], expect.stringMatching(/^\d+-\d+$/)]);
    for (let seq = 2; seq <= 452; seq += 1) other.hear(happened(seq));
    one.hear(happened(453));
    await Promise.all([one.read(1), other.read(1)]);
    const news = await one.ofOthers(last);
    expect(seqs(news.invalidations)).toEqual(Array.from({ length: 451 }, (_, at) => 452 - at));
    expect(await one.ofOthers(news.last)).toEqual({ invalidations: [], last: news.last });
    for (let seq = 454; seq <= 1753; seq += 1) {
      other.hear(happened(seq));
      if (seq % 500 === 0) await other.read(1);
    }
    await other.read(1);
    const many = await one.ofOthers(news.last);
    expect([many.invalidations.length, many.invalidations[0]?.seq]).toEqual([1000, 1753]);
    expect(await one.ofOthers(many.last)).toMatchObject({ invalidations: [] });
    await Promise.all([one.close(), other.close()]);
  });

  it('has those of all processes, newest first by their numbers, with who, why and in whose request', async () => {
    const [one, other] = [logOf('one'), logOf('other')];
    one.hear({ ...happened(1), correlationId: 'r-1' } as CacheEvent);
    other.hear(happened(2, ['student:2']));
    one.hear(happened(3));
    // The later process is told first.
    await one.read(1);
    const { invalidations, complete } = await other.read(10);
    expect(complete).toBe(true);
    expect(invalidations).toEqual([
      expect.objectContaining({ seq: 3, process: 'one' }),
      expect.objectContaining({ seq: 2, process: 'other', tags: ['student:2'] }),
      {
        at: new Date(clock.now()),
        cause: 'commit',
        tags: ['student:1'],
        count: 1,
        ms: 2,
        epoch: 'e',
        seq: 1,
        process: 'one',
        correlationId: 'r-1',
      },
    ]);
    expect(seqs((await other.read(2)).invalidations)).toEqual([3, 2]);
    expect(await other.find('e', 1)).toMatchObject({ process: 'one' });
    expect(await other.find('e', 4)).toBeUndefined();
    expect(await other.find('another', 1)).toBeUndefined();
    await Promise.all([one.close(), other.close()]);
  });

  it('keeps some two thousand, and ends a month after the last', async () => {
    const one = logOf('one');
    for (let seq = 1; seq <= 2600; seq += 1) {
      one.hear(happened(seq));
      if (seq % 500 === 0) await one.read(1);
    }
    const { invalidations } = await one.read(500);
    expect(seqs(invalidations)).toEqual(Array.from({ length: 500 }, (_, at) => 2600 - at));
    expect(await redis.xlen(name)).toBeLessThan(2200);
    expect(await redis.pttl(name)).toBeGreaterThan(29 * 86_400_000);
    await one.close();
  });

  it('reads past what another release has written in another way', async () => {
    await redis.xadd(name, '*', 'r', '{"at":"then"}');
    await redis.xadd(name, '*', 'other', 'no json');
    const one = logOf('one');
    one.hear(happened(1));
    expect(seqs((await one.read(10)).invalidations)).toEqual([1]);
    await one.close();
  });
});

describe('a writer', () => {
  it('waits for nothing: what has happened is told after a second, or as soon as there are a hundred', async () => {
    const shared = new Counting();
    const one = logOf('one', shared);
    one.hear(happened(1));
    clock.advance(999);
    expect(shared.told).toEqual([]);
    clock.advance(1);
    expect(shared.told).toEqual([1]);
    await settled();
    for (let seq = 2; seq <= 100; seq += 1) one.hear(happened(seq));
    expect(shared.told).toEqual([1]);
    one.hear(happened(101));
    expect(shared.told).toEqual([1, 100]);
    await one.close();
    expect(clock.waiting).toBe(0);
  });

  it('of ten thousand a minute costs Redis two calls a second at most', async () => {
    const shared = new Counting();
    const one = logOf('one', shared);
    for (let tick = 0; tick < 600; tick += 1) {
      for (let at = 0; at < 17; at += 1) one.hear(happened(tick * 17 + at));
      clock.advance(100);
      await settled();
    }
    expect(shared.told.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10_000);
    expect(shared.told.length).toBeLessThanOrEqual(120);
    await one.close();
  });

  it('is not disturbed while Redis is away: a thousand wait, it is asked ever more rarely, and then they are told', async () => {
    const shared = new Counting();
    shared.away = true;
    const one = logOf('one', shared);
    for (let seq = 1; seq <= 1500; seq += 1) one.hear(happened(seq));
    for (let at = 0; at < 120; at += 1) {
      clock.advance(1000);
      await settled();
    }
    expect(shared.told.length).toBeLessThan(12);
    expect(await one.read(3)).toMatchObject({
      complete: false,
      invalidations: [{ seq: 1500 }, { seq: 1499 }, { seq: 1498 }],
    });
    shared.away = false;
    expect(await one.read(1)).toMatchObject({ complete: true });
    expect(shared.told.at(-1)).toBe(1000);
    await one.close();
    expect(clock.waiting).toBe(0);
  });

  it('what has come in meanwhile is told with the next', async () => {
    const shared = new Counting();
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const add = shared.add.bind(shared);
    shared.add = async (records) => (await add(records), gate);
    const one = logOf('one', shared);
    for (let seq = 1; seq <= 250; seq += 1) one.hear(happened(seq));
    expect(shared.told).toEqual([100]);
    release();
    await settled();
    clock.advance(1000);
    expect(shared.told).toEqual([100, 150]);
    await one.close();
  });
});

describe('a record', () => {
  it('has fifty tags, those of tables first, and how many there were', async () => {
    const one = new InvalidationLog({ shared: undefined, process: 'one', clock });
    one.hear(happened(1, [...Array.from({ length: 60 }, (_, at) => `student:${at}`), 'table:grade']));
    const [record] = (await one.read(1)).invalidations;
    expect(record).toMatchObject({
      count: 61,
      tags: expect.arrayContaining(['table:grade', 'student:0', 'student:48']),
    });
    expect(record?.tags[0]).toBe('table:grade');
    expect(record?.tags).toHaveLength(50);
  });

  it('without Redis is this process’s own, five hundred of them', async () => {
    const one = new InvalidationLog({ shared: undefined, process: 'one', clock });
    for (let seq = 1; seq <= 600; seq += 1) one.hear(happened(seq));
    const { invalidations, complete } = await one.read(1000);
    expect([complete, invalidations.length, invalidations[0]?.seq]).toEqual([true, 500, 600]);
    expect(clock.waiting).toBe(0);
    expect(await one.find('e', 100)).toBeUndefined();
    expect(await one.find('e', 101)).toMatchObject({ seq: 101 });
  });

  it('told twice is one, and histories stay apart', async () => {
    const record = (epoch: string, seq: number) =>
      ({ at: new Date(0), cause: '', tags: [], count: 0, ms: 0, process: '', epoch, seq }) as const;
    const records = [record('new', 1), record('old', 8), record('old', 9), record('new', 2), record('old', 8)];
    expect(newestFirst(records).map(({ epoch, seq }) => `${epoch} ${seq}`)).toEqual([
      'new 2',
      'new 1',
      'old 9',
      'old 8',
    ]);
  });
});
