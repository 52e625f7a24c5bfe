// The route of every arm: the same report, sent by a floor, through this library, or through another cache.
import { AsyncLocalStorage } from 'node:async_hooks';
import express from 'express';
import { Redis } from 'ioredis';
import { createReportCache, tag } from 'express-report-cache';

const PATH = '/reports/students/:id';
const TTL_SECONDS = 3600;

/** More than are ever asked for, and few enough that misses do not fill the machine. */
const MOST_ENTRIES = 2000;

/** The same bytes with the same headers as `answer`, which run.mjs has taken from an arm of this library. */
export function floorApp(job, arm, handled) {
  const { headers, body } = answerOf(job);
  const redis = arm.name === 'bare-get' ? new Redis(job.redisUrl) : undefined;
  // From the first use on, Node tells it of everything asynchronous in the process; most applications have a library that does.
  if (arm.name === 'bare-context') new AsyncLocalStorage().run(undefined, () => undefined);
  const app = express();
  app.get(PATH, async (req, res) => {
    const name = `{${job.namespace}}:body:${req.params.id}`;
    const bytes = redis === undefined ? body : await redis.getBuffer(name);
    if (bytes === null) {
      handled.runs += 1;
      await redis.set(name, body, 'EX', TTL_SECONDS);
    }
    for (const [field, value] of headers) res.setHeader(field, value);
    if (arm.asks === 'conditional') res.statusCode = 304;
    res.end(arm.asks === 'conditional' ? undefined : (bytes ?? body));
  });
  return app;
}

/** What Express itself costs. */
export function floorListener(job) {
  const { headers, body } = answerOf(job);
  return (_req, res) => {
    for (const [field, value] of headers) res.setHeader(field, value);
    res.end(body);
  };
}

/** The handler that all caches have behind them. */
export function handlerApp(job, handled) {
  const app = express();
  app.get(PATH, handlerOf(job, handled));
  return app;
}

export function cachedApp(job, arm, handled) {
  const { consistency } = arm;
  const reports = createReportCache({
    identify: (req) => ({ user: req.headers['x-user'] }),
    types: { progress: { ttl: '1h', ...(consistency && { consistency }) } },
    namespace: job.namespace,
    // Longer than a run: otherwise memory asks Redis for an entry anew in the middle of a burst.
    memory: { ttl: '1h', ...(arm.shows === 'redis' ? { maxBytes: roomForOne(job) } : {}) },
    ...(consistency && { redis: new Redis(job.redisUrl) }),
  });
  const more = Array.from({ length: (arm.tags ?? 1) - 1 }, (_, index) => tag('class', index));
  const app = express();
  app.get(
    PATH,
    reports.cache('progress', {
      report: (req) => req.params.id,
      filters: { term: 'string', page: 'integer' },
      tags: (req) => [tag('student', req.params.id), ...more],
    }),
    handlerOf(job, handled),
  );
  // While nothing was ever invalidated no tag is compared.
  return reports.invalidate(tag('student', 'nobody')).then(() => app);
}

/** A value cache is asked by a route that sends what a floor sends; one that is a middleware gets our handler. */
export async function peerApp(job, arm, handled) {
  const { open } = await import(`./peers/${arm.peer.name}.mjs`);
  const peer = await open({
    layer: arm.layer,
    redisUrl: job.redisUrl,
    namespace: job.namespace,
    ttlSeconds: TTL_SECONDS,
    maxEntries: MOST_ENTRIES,
  });
  const app = express();
  if (arm.peer.middleware) {
    app.get(PATH, peer.middleware, handlerOf(job, handled));
    return app;
  }
  const { headers, body } = arm.copies === undefined ? { headers: [], body: bodyOf(job.size) } : answerOf(job);
  // Redis clients of most peers take and give text.
  const value = arm.layer === 'redis' ? body.toString() : body;
  const compute = () => {
    handled.runs += 1;
    return value;
  };
  app.get(PATH, async (req, res) => {
    const bytes = await peer.fetch(`${job.namespace}:${String(req.headers['x-user'])}:${req.originalUrl}`, compute);
    if (arm.copies === undefined) {
      res.type('json').send(bytes);
      return;
    }
    for (const [field, line] of headers) res.setHeader(field, line);
    res.end(bytes);
  });
  return app;
}

function handlerOf(job, handled) {
  const body = bodyOf(job.size);
  return (_req, res) => {
    handled.runs += 1;
    res.type('json').send(body);
  };
}

function answerOf({ answer }) {
  return { headers: answer.headers, body: Buffer.from(answer.body, 'base64') };
}

/** For more, memory would keep those whose handler happened to be slow, and they would be no hits of Redis. */
function roomForOne({ size }) {
  return size + 2000;
}

/** A report as JSON, filled up to exactly `bytes`. */
function bodyOf(bytes) {
  const rows = [];
  const text = () => JSON.stringify({ student: 1000, rows, pad: '' });
  let length = text().length;
  for (let week = 1; length < bytes - 100; week += 1) {
    const row = { week, score: (week * 37) % 101, clicks: week * 13 };
    rows.push(row);
    length += JSON.stringify(row).length + (rows.length > 1 ? 1 : 0);
  }
  const missing = bytes - text().length;
  return Buffer.from(JSON.stringify({ student: 1000, rows, pad: 'x'.repeat(missing) }));
}
