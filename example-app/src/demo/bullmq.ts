// Maintenance by a queue that an application has already (BullMQ), in place of reports.schedule(): its jobs call reports.tasks.
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Reports } from '../cache.js';

type Tasks = Reports['tasks'];

/** When, as BullMQ understands it. */
const TIMES = {
  warm: '0 7 * * *',
  refresh: '*/30 * * * *',
  stale: '15 * * * *',
  statistics: '0 */6 * * *',
  keys: '45 */12 * * *',
  expired: '0 3 * * *',
} as const satisfies Record<keyof Tasks, string>;

const ATTEMPTS = { attempts: 3, backoff: { type: 'exponential', delay: 10_000, jitter: 1 } } as const;

export interface MaintenanceQueue {
  readonly queue: Queue;
  close(): Promise<void>;
}

/** @param prefix in front of BullMQ's keys, which are not those of the cache */
export async function startMaintenanceQueue(redisUrl: string, prefix: string, tasks: Tasks): Promise<MaintenanceQueue> {
  // A worker waits for its next job as long as it takes.
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue('report-cache', { connection: redis, prefix });
  for (const [name, pattern] of Object.entries(TIMES))
    await queue.upsertJobScheduler(
      name,
      { pattern, tz: 'UTC' },
      { name, opts: { ...ATTEMPTS, removeOnComplete: 20, removeOnFail: 20 } },
    );
  const worker = new Worker(
    queue.name,
    async (job, _token, signal) => {
      if (!Object.hasOwn(TIMES, job.name)) throw new Error(`There is no task "${job.name}".`);
      return tasks[job.name as keyof typeof TIMES](signal);
    },
    { connection: redis, prefix, concurrency: 1 },
  );
  return {
    queue,
    async close() {
      await worker.close();
      await queue.close();
      redis.disconnect();
    },
  };
}
