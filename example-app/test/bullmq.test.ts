// A real BullMQ over a real Redis runs the tasks of a cache, and has their results.
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { createReportCache, type Reports } from '../src/cache.js';
import { type MaintenanceQueue, startMaintenanceQueue } from '../src/demo/bullmq.js';
import { removeKeys } from '../src/demo/remove-keys.js';

const redisUrl = process.env['REDIS_URL'] ?? '';
const namespace = `report_cache_bullmq_${process.pid}`;
const prefix = `{${namespace}}:q`;
let redis: Redis;
/** A client that waits for events does nothing else; BullMQ leaves clients that it was given open. */
let listening: Redis;
let reports: Reports;
let maintenance: MaintenanceQueue;
let events: QueueEvents;

beforeAll(async () => {
  redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  await redis.ping();
  reports = createReportCache({ redis, namespace, redisDeadline: '10s', identify: () => ({ user: 1 }) });
  maintenance = await startMaintenanceQueue(redisUrl, prefix, reports.tasks);
  listening = redis.duplicate();
  events = new QueueEvents(maintenance.queue.name, { connection: listening, prefix });
  await events.waitUntilReady();
});

afterAll(async () => {
  await events.close();
  await maintenance.close();
  await reports.close();
  for (const client of [redis, listening]) {
    const ended = once(client, 'end');
    client.disconnect();
    await ended;
  }
  await removeKeys(redisUrl, namespace);
});

it('its jobs run what the schedule would have run', async () => {
  await reports.getOrLoad({ type: 'custom', report: 1, identity: { user: 1 } }, async () => ({ mean: 61 }));
  while ((await redis.zcard(`{${namespace}}:b`)) < 2) await new Promise((resolve) => setImmediate(resolve));
  const run = async (name: string): Promise<unknown> =>
    (await maintenance.queue.add(name, {})).waitUntilFinished(events, 10_000);
  expect(await run('stale')).toEqual({ memory: { dropped: 0 }, redis: { entries: 1, unlinked: 0, uncounted: 0 } });
  expect(await run('statistics')).toMatchObject({ requests: 1, complete: true });
  expect(await run('keys')).toMatchObject({ orphans: 0 });
  await expect(run('toString')).rejects.toThrow('There is no task');
});

it('and has their times', async () => {
  const schedulers = await maintenance.queue.getJobSchedulers();
  expect(Object.fromEntries(schedulers.map(({ key, pattern }) => [key, pattern]))).toEqual({
    warm: '0 7 * * *',
    refresh: '*/30 * * * *',
    stale: '15 * * * *',
    statistics: '0 */6 * * *',
    keys: '45 */12 * * *',
    expired: '0 3 * * *',
  });
});
