// One process of persisted-killed.test.ts: shows a persisted report of grades, and writes them, until it is killed.
import { Redis } from 'ioredis';
import { DataSource, EntitySchema } from 'typeorm';

/** @type {typeof import('../../src/index.js')} */
const { createReportCache, tag } = await import(new URL('../../dist/esm/index.js', import.meta.url).href);
const { SCHOOL_URL = '', SCHOOL_SCHEMA = '', SCHOOL_REDIS = '', SCHOOL_NAMESPACE = '' } = process.env;

const column = /** @type {const} */ ({ type: 'int' });
const Grade = new EntitySchema({
  name: 'grade',
  columns: { id: { ...column, primary: true }, studentId: column, score: column },
});
const db = await new DataSource({
  type: 'postgres',
  url: SCHOOL_URL,
  schema: SCHOOL_SCHEMA,
  entities: [Grade],
}).initialize();
const redis = SCHOOL_REDIS === '' ? undefined : new Redis(SCHOOL_REDIS, { maxRetriesPerRequest: 1 });
redis?.on('error', () => undefined);
await redis?.ping();
const reports = createReportCache({
  ...(redis && { redis }),
  namespace: SCHOOL_NAMESPACE,
  redisDeadline: '5s',
  databaseDeadline: '5s',
  identify: () => ({ user: 1 }),
  types: { insight: { persist: true, ttl: 'forever' } },
});
reports.cascade(Grade, { student: 'studentId' });
await reports.connect(db, { persist: true, durable: true });

/** @param {{ write?: number }} task */
async function work({ write }) {
  if (write !== undefined) {
    // Dies behind its COMMIT, before anybody is told: the first statement after it is the cache's own.
    const { query } = Object.getPrototypeOf(db.createQueryRunner());
    Object.getPrototypeOf(db.createQueryRunner()).query = async function (/** @type {any[]} */ ...args) {
      const answer = await Reflect.apply(query, this, args);
      if (args[0] === 'COMMIT') process.kill(process.pid, 'SIGKILL');
      return answer;
    };
    await db.transaction((manager) => manager.save('grade', { id: 1, studentId: 1, score: write }));
  }
  let computed = false;
  const request = {
    type: 'insight',
    report: 's1',
    share: /** @type {const} */ ('everyone'),
    tags: [tag('student', 1)],
  };
  const score = await reports.getOrLoad(request, async () => {
    computed = true;
    const [grade] = await db.manager.find('grade', { where: { id: 1 } });
    return /** @type {{ score: number }} */ (/** @type {unknown} */ (grade)).score;
  });
  process.send?.({ score, computed });
}
process.on('message', (/** @type {{ write?: number }} */ task) => void work(task));
process.send?.({ ready: true });
// It does not outlive the test.
process.once('disconnect', () => process.exit());
