// Faults with two Redis servers: a lagging replica promoted, back and forth, and a split brain.
import { setTimeout as pause } from 'node:timers/promises';
import { LAMBDA_MS } from '../levels.mjs';
import { startProxy } from '../proxy.mjs';
import { openRedis } from '../redis-stage.mjs';

/** @typedef {import('./table.mjs').Fault} Fault */
/** @typedef {import('../run.mjs').Stage} Stage */
/** @typedef {import('../redis-stage.mjs').RedisStage} RedisStage */

/** How far the replica lags, in ms of writes. */
const LAG_MS = 700;

/**
 * @typedef {object} Pair
 * @property {RedisStage} master
 * @property {RedisStage} replica
 * @property {import('../proxy.mjs').Proxy} link through which the replica follows
 */

/** @param {Stage} stage */
async function openPair(stage) {
  const replica = await openRedis();
  const link = await startProxy(stage.redis.port);
  /** @type {Pair} */
  const pair = { master: stage.redis, replica, link };
  stage.own['pair'] = pair;
  stage.own['close'] = async () => {
    await link.close();
    await replica.close();
  };
  await follow(pair);
}

/** @param {Pair} pair */
async function follow({ master, replica, link }) {
  link.clear();
  link.lead(master.port);
  link.cut();
  await replica.admin.call('REPLICAOF', '127.0.0.1', String(link.port));
  for (let tries = 0; tries < 500; tries += 1) {
    if (/master_link_status:up/.test(await replica.admin.info('replication'))) return;
    await pause(10);
  }
  throw new Error('The replica does not follow its master.');
}

/** What happens on the master from here on does not reach the replica. @param {Pair} pair */
async function lag({ link }) {
  link.turn({ toClient: 'drop' });
  await pause(LAG_MS);
}

/** @param {RedisStage} server */
const promote = (server) => server.admin.call('REPLICAOF', 'NO', 'ONE');

/** @param {Stage} stage @param {readonly number[]} which @param {RedisStage} server */
function moveClients({ redisProxies }, which, server) {
  for (const index of which) {
    redisProxies[index]?.lead(server.port);
    redisProxies[index]?.cut();
  }
}

/** @param {Pair} pair */
async function swap(pair) {
  [pair.master, pair.replica] = [pair.replica, pair.master];
  await follow(pair);
}

const ALL = [0, 1, 2, 3];

/** @type {readonly Fault[]} */
export const FAILOVER_FAULTS = [
  {
    name: 'promote-lagging',
    rows: '17',
    what: `a replica that lags ${LAG_MS} ms behind is promoted; all processes move to it`,
    bound: () => ({ inversions: true }),
    proxies: ['redis'],
    everyMs: 500,
    begin: openPair,
    async inject(stage) {
      /** @type {Pair} */
      const pair = stage.own['pair'];
      await lag(pair);
      await promote(pair.replica);
      // The old master is gone before anybody uses the new one: no split here.
      moveClients(stage, ALL, pair.replica);
      await swap(pair);
    },
  },
  {
    name: 'promote-a-b-a',
    rows: '18',
    what: 'a lagging replica is promoted, the old master follows it and is promoted back, and no process ever moved',
    bound: () => ({ inversions: true }),
    everyMs: 700,
    begin: openPair,
    async inject(stage) {
      /** @type {Pair} */
      const pair = stage.own['pair'];
      await lag(pair);
      await promote(pair.replica);
      await swap(pair);
      await promote(pair.replica);
      await swap(pair);
    },
  },
  {
    name: 'split',
    rows: '20',
    what: 'split brain: a replica is promoted for half of the processes, the others keep the old master, for 3 s',
    bound: ({ durable, fencedAnswers }) => ({
      answered: fencedAnswers ? 0 : durable ? LAMBDA_MS : Infinity,
      inversions: true,
    }),
    proxies: ['redis'],
    everyMs: 1_500,
    begin: openPair,
    async inject(stage) {
      /** @type {Pair} */
      const pair = stage.own['pair'];
      await promote(pair.replica);
      moveClients(stage, [2, 3], pair.replica);
      await pause(3_000);
      moveClients(stage, [0, 1], pair.replica);
      await swap(pair);
    },
  },
];
