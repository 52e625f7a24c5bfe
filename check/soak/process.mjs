// One process of the soak: the built library on Express, over a Redis of the run's own.
import express from 'express';
import { Redis } from 'ioredis';
import { createReportCache, tag } from '../live/library.mjs';

/** Short, and little, so that everything has been full and has expired long before the second half. */
const TTL = '3s';
const MEMORY = { maxBytes: '256kb', maxBytesPerUser: '128kb' };
const BODY_CHARACTERS = 8_000;
const COMPUTE_MS = 4;
const PASSING = new Set(['Timeout', 'Immediate']);

const env = /** @param {string} name */ (name) => process.env[name] ?? '';
const redis = new Redis(env('SOAK_REDIS'), { retryStrategy: () => 50 });
redis.on('error', () => undefined);

/** @type {Record<string, number>} */
const counts = {};
const reports = createReportCache({
  redis,
  namespace: env('SOAK_NAMESPACE'),
  memory: /** @type {any} */ (MEMORY),
  types: { custom: { ttl: TTL } },
  identify: (req) => ({ user: req.get('x-user') ?? '' }),
  onEvent: ({ kind }) => (counts[kind] = (counts[kind] ?? 0) + 1),
});
const filters = { term: 'string', page: { type: 'integer', default: 1, min: 1, max: 50 } };
const padding = 'x'.repeat(BODY_CHARACTERS);

const app = express();
app.get(
  '/reports/:id',
  reports.cache('custom', {
    report: (req) => String(req.params['id']),
    filters: /** @type {any} */ (filters),
    tags: (req) => [tag('student', String(req.params['id']))],
  }),
  (req, res) => {
    setTimeout(() => {
      res.json({ id: req.params['id'], padding });
    }, COMPUTE_MS);
  },
);
app.post('/changed/:id', (req, res, next) => {
  reports.invalidate(tag('student', String(req.params['id']))).then(() => res.sendStatus(204), next);
});
const server = app.listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
// The driver's connections stay for the whole run.
server.keepAliveTimeout = 0;

/** @param {import('node:events').EventEmitter} emitter */
const listenersOf = (emitter) => emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);

async function sample() {
  // Twice: what finalizers let go of is collected by the second.
  globalThis.gc?.();
  globalThis.gc?.();
  const connections = await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  return {
    heap: process.memoryUsage().heapUsed,
    external: process.memoryUsage().arrayBuffers,
    // Without the driver's connections, which come and go.
    handles: process.getActiveResourcesInfo().filter((name) => !PASSING.has(name)).length - connections,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    listeners: [redis, process, server].reduce((sum, emitter) => sum + listenersOf(emitter), 0),
  };
}

/** @param {Record<string, unknown>} message */
const send = (message) => void (process.connected && process.send?.(message));

process.on('message', (/** @type {{ id: number, ask: string }} */ { id, ask }) => {
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  if (ask === 'url') send({ id, url: `http://127.0.0.1:${address.port}` });
  else if (ask === 'sample') void sample().then((figures) => send({ id, ...figures }));
  else send({ id, counts });
});
process.once('disconnect', () => {
  server.closeAllConnections();
  server.close();
  redis.disconnect();
  void reports.close().finally(() => process.exit(0));
});
process.on('SIGINT', () => undefined);
send({ ready: true });
