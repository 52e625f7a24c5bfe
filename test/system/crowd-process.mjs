// One process of crowd.test.ts: a report that takes a while, and is counted in Redis each time it is computed.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { Redis } from 'ioredis';

const COMPUTATION_MS = 300;

/** @type {typeof import('../../src/index.js')} */
const { createReportCache } = await import(new URL('../../dist/esm/index.js', import.meta.url).href);
const { CROWD_REDIS = '', CROWD_NAMESPACE = '' } = process.env;

const redis = new Redis(CROWD_REDIS);
await redis.ping();
const reports = createReportCache({
  redis,
  namespace: CROWD_NAMESPACE,
  // A busy machine must not make a miss of this test a bypass.
  redisDeadline: '20s',
  identify: () => ({ user: 1 }),
});
const app = express();
app.get('/reports/:id', reports.cache('analytics'), async (req, res) => {
  const run = await redis.incr(`{${CROWD_NAMESPACE}}:runs:${String(req.params.id)}`);
  if (req.params.id === 'endless' && run === 1) {
    process.send?.({ computing: true });
    return;
  }
  await delay(COMPUTATION_MS);
  res.json({ run });
});
// Its ttl is over before it is stored; whoever computes it anew waits for a word.
app.get('/stale/:id', reports.cache('analytics', { ttl: '1ms', grace: '5m', jitter: 0 }), async (req, res) => {
  const run = await redis.incr(`{${CROWD_NAMESPACE}}:runs:${String(req.params.id)}`);
  if (run > 1) await once(process, 'message');
  else await delay(COMPUTATION_MS);
  res.json({ run });
});
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ port: /** @type {import('node:net').AddressInfo} */ (server.address()).port });
});
// On a busy machine a connection may lie idle for longer than the usual 5 s between two crowds.
server.keepAliveTimeout = 0;
// It does not outlive the test.
process.once('disconnect', () => process.exit());
