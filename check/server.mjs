// One process of the example platform, with the cache of one arm and with reports that are slow at random.
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { armNamed } from './arms.mjs';
import { example } from './library.mjs';

/** @typedef {import('express').RequestHandler} RequestHandler */

/** One report in so many is held back between its query and its answer: the window in which a grade must be missed. */
const SLOW_ONE_IN = 3;
const SLOWEST_MS = 30;

const arm = armNamed(process.env['CHECK_ARM'] ?? '');
const namespace = process.env['CHECK_NAMESPACE'] ?? '';
const config = example.loadConfig();
const logger = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));

/** What the cache did, by event and reason. @type {Record<string, number>} */
const counts = {};

/** @param {import('../src/contract/events.js').CacheEvent} event */
function count(event) {
  const reason = 'reason' in event ? `.${event.reason}` : '';
  const name = event.kind + reason;
  counts[name] = (counts[name] ?? 0) + 1;
}

/**
 * Behind the cache: what the handler has read is old by the time it is answered, and by the time it is stored.
 * @param {import('express').Response} res
 */
function slowAtRandom(res) {
  const json = res.json;
  res.json = (body) => {
    if (Math.random() * SLOW_ONE_IN < 1) setTimeout(() => json.call(res, body), 1 + Math.random() * (SLOWEST_MS - 1));
    else json.call(res, body);
    return res;
  };
}

/** @param {import('./arms.mjs').ReportCacheOptions} options */
function create(options) {
  const { logger: _, ...quiet } = options;
  const reports = /** @type {any} */ (arm.create({ ...quiet, namespace, onEvent: count }));
  return {
    ...reports,
    /** @param {...unknown} args @returns {RequestHandler} */
    cache(...args) {
      const cached = reports.cache(...args);
      return (req, res, next) =>
        cached(req, res, (/** @type {unknown} */ error) => {
          if (error === undefined) slowAtRandom(res);
          next(error);
        });
    },
  };
}

const dataSource = example.createDataSource(config.databaseUrl, config.schema);
await dataSource.initialize();
const caching = example.createCaching(config, logger, create);
await caching.connect(dataSource, false);
const app = example.createApp({ dataSource, reports: caching.reports, logger, production: false });
const server = createServer(app);
// A connection closed for idleness while a request is on its way would count as an error.
server.keepAliveTimeout = 0;
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
const stalls = monitorEventLoopDelay({ resolution: 5 });
stalls.enable();

async function stop() {
  server.close();
  server.closeAllConnections();
  await caching.close();
  await dataSource.destroy();
  // Whatever still holds the process is of no use to anyone.
  await pause(50);
  process.exit(0);
}

process.on('message', (question) => {
  if (question === 'counts') process.send?.({ counts, stallMs: stalls.max / 1e6 });
});
// The checker holds the other end: when it is gone, in whatever way, so is this process. A terminal's Ctrl-C reaches
// both, and only the checker decides.
process.once('disconnect', () => void stop());
process.on('SIGINT', () => undefined);
const address = /** @type {import('node:net').AddressInfo} */ (server.address());
process.send?.({ url: `http://127.0.0.1:${address.port}` });
