// Faults of Redis: killed, emptied, brought back from the past, paused, full, forgetful.
import { setTimeout as pause } from 'node:timers/promises';

/** @typedef {import('./table.mjs').Fault} Fault */
/** @typedef {import('../run.mjs').Stage} Stage */

/** How long it stays away; less than writers are held, so that none is answered meanwhile. @param {Stage} stage */
const away = ({ random }) => pause(100 + 700 * random.next());

/** @param {Stage} stage */
const tableOf = ({ namespace }) => `{${namespace}}:t`;

/** Writes more than fits. @param {Stage} stage @param {readonly string[]} options of SET */
async function flood({ redis: { admin } }, options) {
  for (let batch = 0; batch < 8; batch += 1) {
    const pipeline = admin.pipeline();
    for (let i = 0; i < 50; i += 1) pipeline.call('SET', `junk:${batch}:${i}`, 'x'.repeat(4_000), ...options);
    await pipeline.exec();
  }
}

/** Leaves little room. @param {Stage} stage @param {number} spareBytes */
async function limitMemory({ redis: { admin } }, spareBytes) {
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
  await admin.config('SET', 'maxmemory', String(used + spareBytes));
}

/** @param {string} policy @param {readonly string[]} options of SET @returns {Pick<Fault, 'begin' | 'inject' | 'everyMs'>} */
const evicting = (policy, options) => ({
  everyMs: 1_500,
  async begin(stage) {
    await stage.redis.admin.config('SET', 'maxmemory-policy', policy);
    await limitMemory(stage, 1_200_000);
  },
  inject: (stage) => flood(stage, options),
});

/** @type {readonly Fault[]} */
export const REDIS_FAULTS = [
  {
    name: 'redis-empty',
    rows: '15',
    what: 'SIGKILL of Redis, restarted empty',
    bound: () => ({ inversions: true }),
    everyMs: 1_200,
    async inject(stage) {
      await stage.redis.kill();
      await away(stage);
      await stage.redis.startEmpty();
    },
  },
  {
    name: 'redis-older',
    rows: '16',
    what: 'SIGKILL of Redis, restarted from a snapshot older than the last writes',
    bound: () => ({ inversions: true }),
    everyMs: 300,
    async inject(stage) {
      await stage.redis.snapshot();
      await pause(1_000);
      await stage.redis.kill();
      await away(stage);
      await stage.redis.startOlder();
    },
  },
  {
    name: 'redis-paused',
    rows: '19',
    what: 'SIGSTOP of Redis for 1 s',
    bound: () => ({}),
    everyMs: 800,
    async inject(stage) {
      process.kill(stage.redis.pid, 'SIGSTOP');
      await pause(1_000);
      process.kill(stage.redis.pid, 'SIGCONT');
    },
  },
  {
    name: 'table-lost',
    rows: '12',
    what: 'DEL of the tag table',
    bound: () => ({ inversions: true }),
    everyMs: 2_000,
    inject: (stage) => stage.redis.admin.del(tableOf(stage)),
  },
  {
    name: 'evict-allkeys',
    rows: '12, 13',
    what: 'maxmemory with allkeys-lru: entries and the tag table are evicted',
    bound: () => ({ inversions: true }),
    ...evicting('allkeys-lru', []),
  },
  {
    name: 'evict-volatile',
    rows: '13',
    what: 'maxmemory with volatile-lru: entries are evicted',
    bound: () => ({}),
    ...evicting('volatile-lru', ['EX', '60']),
  },
  {
    name: 'redis-full',
    rows: '14',
    what: 'noeviction and memory full for 1 s',
    bound: () => ({}),
    everyMs: 700,
    async inject(stage) {
      await stage.redis.admin.config('SET', 'maxmemory-policy', 'noeviction');
      await limitMemory(stage, -200_000);
      await pause(1_000);
      await stage.redis.admin.config('SET', 'maxmemory', '0');
    },
  },
];
