// What the built-in tasks do, in a real Redis and in memory; and what may be said of a schedule.
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import { compose } from '../../src/create-report-cache.js';
import { createReportCache, type CacheEvent, type ReportCacheOptions, type ScheduleOptions } from '../../src/index.js';
import { parseSchedule } from '../../src/options/schedule.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace } from '../support/isolation.js';
import { RedisNamespaces } from '../support/redis-namespace.js';
import { Heard, turn } from './support.js';

const redises = new RedisNamespaces();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redises.close();
});

const patience = (signal = new AbortController().signal) => ({ signal, inTime: <T>(answer: Promise<T>) => answer });
const limits = { maxBytes: 1e9, maxBytesPerOwner: 1e9 };

async function charged(count: number) {
  const scene = await redises.create({ limits });
  const index = `{${scene.namespace}}:b`;
  for (let at = 0; at < count; at += 1) await scene.fill(`k${at}`, [`student:${at}`]);
  while (count > 0 && (await scene.client.zcard(index)) < count + 1) await turn();
  const members = async () => (await scene.client.zrange(index, '0', '-1')).filter((one) => one !== '!');
  const books = async () => ({
    entries: (await members()).length,
    bytes: -Number(await scene.client.zscore(index, '!')),
  });
  return { ...scene, index, members, books };
}

describe('stale entries in Redis', () => {
  it('those that were invalidated are unlinked, and leave the books; others stay', async () => {
    const { store, client, namespace, books, look } = await charged(600);
    const before = await books();
    await store.invalidate(Array.from({ length: 30 }, (_, at) => `student:${at * 20}`));
    expect(await store.upkeep.sweep(patience())).toEqual({ entries: 600, unlinked: 30, uncounted: 0 });
    const after = await books();
    expect(after.entries).toBe(570);
    expect(after.bytes).toBeLessThan(before.bytes);
    expect(await client.exists(`{${namespace}}:e:1.1:k20`)).toBe(0);
    expect(await look('k21')).toBe('hit');
  });

  it('those that have gone by themselves, of whichever release, are uncounted', async () => {
    const { client, namespace, store, members, books } = await charged(3);
    const [first = ''] = await members();
    const name = first.split(' ').at(-1) ?? '';
    expect(await client.del(`{${namespace}}:e:${name}`)).toBe(1);
    expect(await store.upkeep.sweep(patience())).toEqual({ entries: 3, unlinked: 0, uncounted: 1 });
    expect((await books()).entries).toBe(2);
  });

  it('ends between two pages when it is told to', async () => {
    const { store } = await charged(1);
    const ended = AbortSignal.abort(new Error('enough'));
    await expect(store.upkeep.sweep(patience(ended))).rejects.toThrow('enough');
  });
});

describe('keys in Redis', () => {
  const KEEP_MS = 3_600_000;

  it('tags that no entry is as old as are forgotten, by what any process has noted', async () => {
    const { store, client, namespace, raw, look } = await charged(1);
    await store.invalidate(['student:7', 'student:8']);
    const { now, position } = await store.history.observe();
    expect(await store.upkeep.tidy(KEEP_MS, patience())).toMatchObject({ orphans: 0 });
    expect(await raw.table()).toHaveProperty(':student:7');
    // As if that had been noted two hours ago; an entry is never as old.
    await client.del(`{${namespace}}:j`);
    await client.rpush(`{${namespace}}:j`, `${position.epoch} ${now - 2 * KEEP_MS} ${position.seq}`);
    await store.invalidate(['student:9']);
    // A minute ago: there may be entries from before it.
    await client.lpush(`{${namespace}}:j`, `${position.epoch} ${now - 60_000} ${position.seq + 1}`);
    const { tagsBefore, tags } = await store.upkeep.tidy(KEEP_MS, patience());
    expect(tagsBefore - tags).toBe(2);
    const table = await raw.table();
    expect(table).not.toHaveProperty(':student:7');
    expect(table).toHaveProperty(':student:9');
    expect(await look('k0')).toBe('invalidated');
  });

  it('notes no more than it needs, however often it is called', async () => {
    const { store, client, namespace } = await charged(0);
    for (let time = 0; time < 5; time += 1) await store.upkeep.tidy(KEEP_MS, patience());
    expect(await client.llen(`{${namespace}}:j`)).toBe(1);
  });

  it('what accounts hold of entries that the index has lost is taken out of them', async () => {
    const { client, store, index, members } = await charged(3);
    const [first = ''] = await members();
    const [owner = ''] = first.split(' ');
    const before = Number(await client.hget(`${index}:${owner}`, '!'));
    await client.zrem(index, first);
    expect((await store.upkeep.tidy(KEEP_MS, patience())).orphans).toBe(1);
    expect(Number(await client.hget(`${index}:${owner}`, '!'))).toBe(before - Number(first.split(' ')[1]));
    expect((await store.upkeep.tidy(KEEP_MS, patience())).orphans).toBe(0);
  });
});

describe('memory', () => {
  it('what cannot be served any more is dropped, a thousand at a time', () => {
    const clock = new FakeClock();
    const memory = new MemoryStore(
      new TagTable('e', 1000),
      { maxBytes: 1e9, maxBytesPerOwner: 1e9, maxTtlMs: Infinity },
      clock,
    );
    const put = (key: string, tag: string) =>
      memory.put(key, makeEntry(memory.position(), clock.now(), { tags: [tag] }));
    for (let at = 0; at < 2500; at += 1) put(`k${at}`, at < 1500 ? 'student:1' : 'student:2');
    expect([...memory.dropInvalid()]).toEqual([0, 0, 0]);
    memory.invalidate(['student:1']);
    expect([...memory.dropInvalid()]).toEqual([1000, 500, 0]);
    expect(memory.size).toBe(1000);
    expect(memory.lookup('k1500').outcome).toBe('hit');
  });
});

describe('a schedule', () => {
  const identify = (_req: Request) => ({ user: 1 });

  async function cache(more: Partial<ReportCacheOptions> = {}, clock = new FakeClock()) {
    const events = new Heard<CacheEvent>();
    const reports = compose(
      { identify, namespace: ownNamespace(), onEvent: (event) => events.add(event), ...more },
      clock,
    );
    closing.push(async () => {
      const closed = reports.close();
      await turn();
      clock.advance(5000);
      await closed;
    });
    const task = (name: string, state: string) =>
      events.next((event) => event.kind === 'task' && event.task === name && event.state === state);
    return { reports, clock, events, task };
  }

  it('has the built-in tasks at their times, but for those that are switched off', async () => {
    const { reports } = await cache();
    const schedule = reports.schedule({ statistics: false, mine: { cron: '0 4 * * *', run: () => 1 } });
    const { tasks } = await schedule.status();
    expect(tasks.map(({ name, cron, nextAt }) => [name, cron, nextAt?.toISOString().slice(8, 16)])).toEqual([
      ['warm', '0 7 * * *', '06T07:00'],
      ['refresh', '*/30 * * * *', '05T08:30'],
      ['stale', '15 * * * *', '05T08:15'],
      ['keys', '45 */12 * * *', '05T12:45'],
      ['expired', '0 3 * * *', '06T03:00'],
      ['mine', '0 4 * * *', '06T04:00'],
    ]);
    expect(() => reports.schedule({})).toThrow('ERC_OPTION');
  });

  it('runs them when they are due, over Redis, and tells what they have done', async () => {
    const redis = await redises.connect();
    const { reports, clock, task } = await cache({ redis, redisDeadline: '60s' });
    const warmed: string[] = [];
    const schedule = reports.schedule({
      warm: { cron: '10 8 * * *', timezone: 'UTC', run: async () => void warmed.push('x') },
    });
    await reports.getOrLoad({ type: 'custom', report: 1, identity: { user: 1 } }, async () => 1);
    while ((await schedule.status()).complete === false) await turn();
    await turn();
    clock.advance(600_000);
    await task('warm', 'done');
    expect(warmed).toEqual(['x']);
    const run = await schedule.run('statistics');
    expect(run).toMatchObject({ outcome: 'done', result: { complete: true, requests: 1, misses: 1, hit_rate: 0 } });
    expect((await schedule.run('stale'))?.result).toMatchObject({ memory: { dropped: 1 }, redis: { entries: 1 } });
    expect((await schedule.run('keys'))?.result).toMatchObject({ orphans: 0 });
    expect((await schedule.run('expired'))?.result).toEqual({ deleted: {} });
    expect((await schedule.run('refresh'))?.result).toMatchObject({ refreshed: [], current: 0 });
  });

  it('is not needed to run the tasks', async () => {
    const { reports } = await cache();
    expect(await reports.tasks.stale()).toEqual({ memory: { dropped: 0 } });
    expect(await reports.tasks.statistics()).toMatchObject({ requests: 0 });
    await expect(reports.tasks.keys(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });

  it('ends with its cache, which waits for what runs', async () => {
    const { reports, task } = await cache();
    const schedule = reports.schedule({
      mine: {
        cron: '0 0 1 1 *',
        run: (signal) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      },
    });
    const run = schedule.run('mine');
    await task('mine', 'begun');
    await reports.close();
    expect(await run).toMatchObject({ outcome: 'failed', error: 'AbortError' });
    expect(() => reports.schedule({})).toThrow('ERC_OPTION');
  });

  it('in one of several processes needs a Redis', () => {
    const reports = createReportCache({ identify, alone: false });
    expect(() => reports.schedule({})).toThrow('ERC_OPTION');
    return reports.close();
  });

  it.each<[string, ScheduleOptions]>([
    ['run', { mine: { cron: '* * * * *' } }],
    ['cron', { mine: { run: () => 1 } }],
    ['stale.crom', { stale: { crom: '* * * * *' } as never }],
    ['retries', { stale: { retries: 11 } }],
    ['timeLimit', { stale: { timeLimit: '0ms' } }],
    ['names', { 'a b': { cron: '* * * * *', run: () => 1 } }],
    ['catchUp', { stale: { catchUp: '6h' } as never }],
    ['options of a task', { stale: true as never }],
  ])('%s that does not fit is refused', (what, options) => {
    expect(() => parseSchedule(options)).toThrow(what);
  });

  it.each([{ cron: '61 * * * *' }, { timezone: 'Mars/Olympus' }])('%p is refused when it begins', async (given) => {
    const { reports } = await cache();
    expect(() => reports.schedule({ stale: given })).toThrow('ERC_OPTION: schedule().stale');
  });
});
