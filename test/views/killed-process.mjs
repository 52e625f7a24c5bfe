// One process of killed.test.ts: writes grades and keeps a view of them, until it is killed.
import { Redis } from 'ioredis';
import { DataSource, EntitySchema } from 'typeorm';

/** @type {typeof import('../../src/index.js')} */
const { createReportCache } = await import(new URL('../../dist/esm/index.js', import.meta.url).href);
const { VIEW_URL = '', VIEW_REDIS = '', VIEW_NAMESPACE = '', VIEW_DELAY = '1ms' } = process.env;

const column = /** @type {const} */ ({ type: 'int' });
const Grade = new EntitySchema({
  name: 'grade',
  columns: { id: { ...column, primary: true }, classId: column, score: column },
});
const db = await new DataSource({ type: 'postgres', url: VIEW_URL, entities: [Grade] }).initialize();
const redis = new Redis(VIEW_REDIS, { maxRetriesPerRequest: 1 });
redis.on('error', () => undefined);
await redis.ping();
const reports = createReportCache({
  redis,
  namespace: VIEW_NAMESPACE,
  redisDeadline: '5s',
  identify: () => ({ user: 1 }),
});
const delay = /** @type {`${number}ms`} */ (VIEW_DELAY);
const stats = reports.view('class_stats', { sources: [Grade], delay, maxDelay: '1h' });
await reports.connect(db, { durable: true });

const read = () =>
  reports.getOrLoad({ type: 'analytics', report: 'stats', share: 'everyone', views: ['class_stats'] }, async () => {
    const rows = await db.query(`SELECT average FROM ${stats.relation} AS s`);
    return rows[0]?.average;
  });

/** @param {{ write?: number, cut?: boolean }} task */
async function work({ write, cut }) {
  // As far as Redis can tell it is dead from here on.
  if (cut === true) redis.disconnect();
  if (write !== undefined) await db.manager.save('grade', { id: 1, classId: 1, score: write });
  process.send?.({ average: await read() });
}
process.on('message', (/** @type {{ write?: number, cut?: boolean }} */ task) => void work(task));
process.send?.({ ready: true });
// It does not outlive the test.
process.once('disconnect', () => process.exit());
