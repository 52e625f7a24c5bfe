// One process of processes.test.ts: a task that is due every second, and one that runs until its process is killed.
import { Redis } from 'ioredis';

/** @type {typeof import('../../src/index.js')} */
const { createReportCache } = await import(new URL('../../dist/esm/index.js', import.meta.url).href);
const { SCHEDULE_REDIS = '', SCHEDULE_NAMESPACE = '' } = process.env;

const redis = new Redis(SCHEDULE_REDIS);
await redis.ping();
const reports = createReportCache({
  redis,
  namespace: SCHEDULE_NAMESPACE,
  identify: () => ({ user: 1 }),
  onEvent: (event) => {
    if (event.kind === 'task' && event.state === 'begun')
      process.send?.({ task: event.task, due: event.due?.getTime(), attempt: event.attempt, at: Date.now() });
  },
});
const off = /** @type {const} */ ({ refresh: false, stale: false, statistics: false, keys: false, expired: false });
/** @param {AbortSignal} signal */
const endless = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
const schedule = reports.schedule({
  ...off,
  each: { cron: '* * * * * *', run: () => undefined },
  // Once in a year, at a moment that the test has chosen.
  long: { cron: process.env['SCHEDULE_LONG'] ?? '', run: endless },
});
process.on('message', () => {
  void (async () => {
    const runs = await schedule.runs('each');
    const { tasks } = await schedule.status();
    await reports.close();
    redis.disconnect();
    process.send?.({ runs: runs.length, missed: tasks.find(({ name }) => name === 'each')?.missed });
    process.disconnect();
  })();
});
// It does not outlive the test.
process.once('disconnect', () => process.exit());
process.send?.({ ready: true });
