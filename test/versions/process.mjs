// One process of processes.test.ts: generates and votes as it is told, and stops in the middle of it.
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';

/** @type {typeof import('../../src/index.js')} */
const { createReportCache } = await import(new URL('../../dist/esm/index.js', import.meta.url).href);
const { VERSIONS_URL = '', VERSIONS_SCHEMA = '', VERSIONS_REDIS = '', VERSIONS_NAMESPACE = '' } = process.env;

/** @param {Record<string, unknown>} message */
const tell = (message) => void process.send?.(message);
const never = () => new Promise(() => undefined);

const db = await new DataSource({ type: 'postgres', url: VERSIONS_URL, schema: VERSIONS_SCHEMA }).initialize();
const redis = new Redis(VERSIONS_REDIS);
const reports = createReportCache({
  redis,
  namespace: VERSIONS_NAMESPACE,
  identify: () => null,
  redisDeadline: '10s',
  lambda: '1s',
  types: { lesson: {} },
});
await reports.connect(db);

let hangs = false;
const lessons = reports.versions('lesson', {
  generate: async (_subject, { version }) => {
    tell({ generating: version });
    if (hangs) await never();
    return { title: `version ${version}` };
  },
});
const subject = { report: 'fractions' };

/** What its transactions send is held back behind the statement that matches. @param {RegExp} last @param {string} name */
function stopAfter(last, name) {
  const { createQueryRunner } = db;
  db.createQueryRunner = (mode) => {
    const runner = createQueryRunner.call(db, mode);
    const { query } = runner;
    runner.query = async (/** @type {[string, ...any[]]} */ ...args) => {
      const answer = await query.apply(runner, /** @type {any} */ (args));
      if (last.test(args[0])) {
        tell({ [name]: true });
        await never();
      }
      return answer;
    };
    return runner;
  };
}

/** @param {{ voters: number, votes: number, first: number, seed: number, stuck?: boolean, committed?: boolean }} task */
async function vote({ voters, votes, first, seed, stuck, committed }) {
  if (stuck) stopAfter(/INSERT INTO .*report_cache_vote/, 'stuck');
  if (committed) stopAfter(/^COMMIT/, 'committed');
  /** @type {Map<string, [number, number, 'up' | 'down' | null]>} */
  const last = new Map();
  for (let at = 0; at < votes;) {
    // As many at once as the pool has connections; nobody votes twice at the same time, so that his last vote is known.
    const together = Math.min(10, votes - at, voters);
    await Promise.all(
      Array.from({ length: together }, async (_, next) => {
        const number = at + next;
        const voter = first + (number % voters);
        const random = (number * 2_654_435_761 + seed * 97) >>> 7;
        const version = stuck || committed ? 1 : 1 + (random % 2);
        const what = /** @type {const} */ (['up', 'down', undefined])[stuck || committed ? 0 : (random >>> 3) % 3];
        await lessons.vote(subject, version, voter, what);
        last.set(`${voter} ${version}`, [voter, version, what ?? null]);
      }),
    );
    at += together;
  }
  tell({ voted: [...last.values()] });
}

/** @param {{ vote?: any, get?: { hang?: boolean } }} task */
async function work(task) {
  if (task.vote) await vote(task.vote);
  if (task.get) {
    hangs = task.get.hang === true;
    const { version, cached } = await lessons.get(subject);
    tell({ got: { version, cached } });
  }
}
process.on('message', (/** @type {any} */ task) => void work(task).catch((error) => tell({ failed: String(error) })));
tell({ ready: true });
// It does not outlive the test.
process.once('disconnect', () => process.exit());
