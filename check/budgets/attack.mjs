// Do budgets hold, and honest readers keep their hits, while somebody asks for a million different things? `npm run check:attack`
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import express from 'express';
import { Redis } from 'ioredis';
import { createRandom } from '../../simulate/random.mjs';
import { startRedis } from '../../test/support/redis-service.mjs';
import { createReportCache } from './library.mjs';
import { ask } from './ask.mjs';

const MB = 1024 ** 2;
/** Requests at once, and between two looks. */
const BURST = 50;
const ROUND = 1000;
/** Express, sockets, code that is compiled meanwhile, and what lies between two collections. */
const HEAP_OF_REST = 60 * MB;
const HONEST = 100;

const USAGE = `npm run check:attack [-- options]
  --requests N   of the attacker (200000)
  --quick        8000 of them, and budgets to match: some ten seconds
Starts a Redis of its own; needs redis-server or valkey-server.`;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '200000' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(USAGE);
else process.exitCode = await attack(values.quick ? 8000 : Number(values.requests), values.quick ? 4 : 1);

/** @param {number} requests @param {number} smaller the budgets by so much @returns {Promise<number>} the exit code */
async function attack(requests, smaller) {
  const limits = {
    memory: { maxBytes: (20 / smaller) * MB, maxBytesPerUser: (5 / smaller) * MB },
    redisMaxBytes: (64 / smaller) * MB,
    redisMaxBytesPerUser: (12 / smaller) * MB,
  };
  const server = await startRedis({ args: [] });
  const redis = new Redis(server.url);
  await once(redis, 'ready');
  const stage = await openStage(redis, limits);
  const usedByRedis = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  const empty = { redis: await usedByRedis(), heap: heap() };
  try {
    await honest(stage.port, 4);
    const before = await honest(stage.port, 4);
    const most = { redis: 0, heap: 0, index: 0 };
    const during = { hits: 0, asked: 0 };
    const random = createRandom(1).next;
    const started = performance.now();
    for (let sent = 0; sent < requests; sent += BURST) {
      await Promise.all(Array.from({ length: BURST }, (_, nth) => ask(stage.port, hostile(sent + nth, random))));
      if (sent % ROUND === 0) {
        const seen = await honest(stage.port, 1);
        during.hits += seen.hits;
        during.asked += seen.asked;
        most.redis = Math.max(most.redis, (await usedByRedis()) - empty.redis);
        most.heap = Math.max(most.heap, heap() - empty.heap);
        most.index = Math.max(most.index, -Number(await redis.zscore('{attacked}:b', '!')));
      }
    }
    const seconds = (performance.now() - started) / 1000;
    const rates = { before: before.hits / before.asked, during: during.hits / during.asked };
    const faults = [
      ...(most.index > limits.redisMaxBytes ? ['the sum in Redis passed its budget'] : []),
      // Tables of a growing server double at once, and each client has buffers.
      ...(most.redis > limits.redisMaxBytes * 1.1 ? ['used_memory passed the budget by more than a tenth'] : []),
      ...(most.heap > limits.memory.maxBytes + HEAP_OF_REST ? ['the heap passed the budget of memory'] : []),
      ...(rates.during < 0.9 * rates.before ? ['honest readers lost more than a tenth of their hits'] : []),
      ...(stage.failures() > 0 ? [`${stage.failures()} failures of the cache`] : []),
    ];
    const mb = (/** @type {number} */ bytes) => `${(bytes / MB).toFixed(1)} MB`;
    const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
    console.log(`${requests} requests in ${seconds.toFixed(0)} s, ${Math.round(requests / seconds)}/s`);
    console.log(`Redis: budget ${mb(limits.redisMaxBytes)}, counted ${mb(most.index)}, used_memory ${mb(most.redis)}`);
    console.log(`Memory: budget ${mb(limits.memory.maxBytes)}, heap and buffers grew by ${mb(most.heap)} at most`);
    console.log(`Honest readers: ${percent(rates.before)} hits before, ${percent(rates.during)} meanwhile`);
    for (const fault of faults) console.log(`FAILED: ${fault}`);
    return faults.length === 0 ? 0 : 1;
  } finally {
    await stage.close();
    redis.disconnect();
    await server.stop();
  }
}

function heap() {
  global.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/**
 * One of ever new users and parameters, with headers and sizes that vary; a tenth are of one heavy user.
 * @param {number} nth @param {() => number} random
 */
function hostile(nth, random) {
  return {
    path: `/reports/${nth}?term=t${Math.floor(random() * 1e9)}&size=${Math.floor(random() ** 4 * 40_000)}`,
    headers: {
      user: nth % 10 === 0 ? 'heavy' : `attacker${nth}`,
      'accept-language': `x-${Math.floor(random() * 1e6)}`,
      'x-noise': String(random()),
    },
  };
}

/** Each of the honest users looks at two reports, as often as told. @param {number} port @param {number} times */
async function honest(port, times) {
  let hits = 0;
  let asked = 0;
  for (let time = 0; time < times; time += 1)
    for (let user = 0; user < HONEST; user += 10) {
      const paths = Array.from({ length: 20 }, (_, nth) => [user + (nth >> 1), `/reports/${nth % 2}?size=3000&dear=1`]);
      const labels = await Promise.all(
        paths.map(([name, path]) => ask(port, { path: String(path), headers: { user: `honest${name}` } })),
      );
      hits += labels.filter((label) => label === 'HIT').length;
      asked += labels.length;
    }
  return { hits, asked };
}

/**
 * The middleware as a host would use it; an honest report takes 20 ms, a hostile one nothing.
 * @param {Redis} redis @param {object} limits
 */
async function openStage(redis, limits) {
  let failures = 0;
  const reports = createReportCache({
    redis,
    namespace: 'attacked',
    redisDeadline: '5s',
    identify: (req) => ({ user: String(req.headers['user']) }),
    ...limits,
    onEvent: ({ kind }) => {
      if (kind === 'layerFailed') failures += 1;
    },
  });
  const app = express();
  const filters = /** @type {const} */ ({ term: 'string', size: 'integer', dear: 'boolean' });
  app.get('/reports/:id', reports.cache('custom', { filters }), (req, res) => {
    const answer = () => res.vary('Accept-Language').json({ text: 'x'.repeat(Number(req.query['size'])) });
    if (req.query['dear'] === undefined) answer();
    else setTimeout(answer, 20);
  });
  const server = createServer(app);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const close = async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
    await reports.close();
  };
  return { port, close, failures: () => failures };
}
