// Faults between the processes and their database: lost replies to COMMIT, cut off, sweepers that cannot sweep.
import { setTimeout as pause } from 'node:timers/promises';

/** @typedef {import('./table.mjs').Fault} Fault */
/** @typedef {import('../run.mjs').Stage} Stage */
/** @typedef {import('../proxy.mjs').Proxy} Proxy */

/** @param {Stage} stage @returns {Proxy} */
function someProxy({ databaseProxies, random }) {
  return /** @type {Proxy} */ (databaseProxies[Math.floor(random.next() * databaseProxies.length)]);
}

/** Nobody reads or renews the state of the sweepers while this lock is held. @param {Stage} stage @param {number} ms */
async function lockState({ database }, ms) {
  const client = await database.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE report_cache_state IN ACCESS EXCLUSIVE MODE');
    await pause(ms);
    await client.query('ROLLBACK');
  } finally {
    client.release();
  }
}

/** @type {(level: import('../levels.mjs').Level) => boolean} */
const durable = (level) => level.durable;

/** @type {readonly Fault[]} */
export const DATABASE_FAULTS = [
  {
    name: 'lost-commit-reply',
    rows: '6',
    what: 'COMMIT reaches the database, its reply is lost and the connection reset',
    proxies: ['database'],
    bound: () => ({ errors: true }),
    everyMs: 250,
    async inject(stage) {
      const proxy = someProxy(stage);
      const until = performance.now() + 2_000;
      let lost = false;
      proxy.turn({
        onQuestion(chunk, link) {
          // A simple query: 'Q', its length, the text.
          if (lost || !chunk.includes('COMMIT\0')) return;
          lost = true;
          link.doomed = true;
          setTimeout(() => proxy.cut((one) => one === link), 40);
        },
      });
      while (!lost && performance.now() < until) await pause(5);
      proxy.clear();
    },
  },
  {
    name: 'cut-from-database',
    rows: '25',
    what: 'one process cut from the database and not from Redis, for 1.5 s',
    proxies: ['database'],
    bound: () => ({ errors: true }),
    everyMs: 1_500,
    async inject(stage) {
      const proxy = someProxy(stage);
      proxy.turn({ toServer: 'drop', toClient: 'drop', refuse: true });
      await pause(1_500);
      proxy.clear();
      proxy.cut();
    },
  },
  {
    name: 'sweepers-stopped',
    rows: '26',
    what: 'no sweep can end for 5 s: the state of the sweepers is locked',
    levels: durable,
    bound: () => ({}),
    everyMs: 2_500,
    inject: (stage) => lockState(stage, 5_000),
  },
  {
    name: 'sweeper-stalled',
    rows: '27',
    what: 'sweeps are held up between their look at Redis and their LIVE, for up to 1.5 s',
    levels: durable,
    bound: () => ({}),
    everyMs: 150,
    inject: (stage) => lockState(stage, 1_500 * stage.random.next()),
  },
];
