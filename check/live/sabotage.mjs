// What a process does to itself when the driver says so: dies at a chosen point, blocks, lives in another hour.
import { setTimeout as pause } from 'node:timers/promises';
import { BUMP, MARK } from './library.mjs';

/**
 * @param {{ redis: import('ioredis').Redis, dataSource: import('typeorm').DataSource, sha: (lua: string) => string }} parts
 */
export function createSabotage({ redis, dataSource, sha }) {
  const call = redis.call.bind(redis);
  const realNow = Date.now.bind(Date);
  /** @type {'bump' | 'mark' | undefined} */
  let dieAt;
  const names = { bump: [BUMP, sha(BUMP)], mark: [MARK, sha(MARK)] };

  const die = () => process.kill(process.pid, 'SIGKILL');
  redis.call = /** @type {typeof redis.call} */ (
    (/** @type {any[]} */ ...args) => {
      const reached = dieAt !== undefined && names[dieAt].includes(String(args[1]));
      if (reached && dieAt === 'bump') die();
      const answer = Reflect.apply(call, redis, args);
      // The mark is there, and the COMMIT is not yet on its way.
      if (reached && dieAt === 'mark') answer.then(die, () => undefined);
      return answer;
    }
  );

  return {
    /**
     * @param {any} question
     * @param {{ load: any, reports: Awaited<ReturnType<typeof import('./reports.mjs').openReports>>, pace: { slow: boolean } }} parts
     */
    async carryOut(question, { load, reports }) {
      switch (question.ask) {
        case 'dieAt':
          dieAt = question.point;
          return true;
        case 'block': {
          const until = performance.now() + question.ms;
          while (performance.now() < until);
          return true;
        }
        case 'shiftClock':
          Date.now = () => realNow() + question.ms;
          return true;
        case 'readInSnapshot':
          return readInSnapshot(question, { load, reports });
        default:
          throw new Error(`A process cannot "${question.ask}".`);
      }
    },
  };

  /** Reads reports inside a transaction whose snapshot is older than they are. @param {any} question @param {any} parts */
  async function readInSnapshot({ subjects, ms }, { load, reports }) {
    await dataSource.transaction('REPEATABLE READ', async (manager) => {
      await manager.query('SELECT count(*) FROM grade');
      await pause(ms);
      for (const subject of subjects) await reports.value(0, subject, 1);
      for (const subject of subjects) await load(0, subject, reports.value, manager);
    });
    return true;
  }
}
