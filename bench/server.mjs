// One arm in a process of its own: listens on a free port, tells its CPU time when asked. Started by run.mjs.
import express from 'express';
import { Redis } from 'ioredis';
import { createReportCache, tag } from 'express-report-cache';
import { L2_MEMORY_SHARE, REPORTS_PER_CONNECTION } from './arms.mjs';

/** @type {{ arm: string, size: number, connections: number, namespace: string, redisUrl: string, headers: [string, string][] }} */
const job = JSON.parse(process.argv[2]);
const body = bodyOf(job.size);
const app = express();
let handlerRuns = 0;
let redis;

const bare = job.arm.startsWith('bare');
if (bare) bareRoute();
else cachedRoute();

const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));

process.on('message', (message) => {
  if (message === 'usage') process.send({ cpu: process.cpuUsage(), handlerRuns });
  // Closing all would end the process by itself; this way a profile is written at once.
  else process.exit();
});

// Whoever started it is gone.
process.on('disconnect', () => process.exit());

/** The same bytes with the same headers, which run.mjs has taken from an answer of the arm that this is the floor of. */
function bareRoute() {
  const { headers } = job;
  if (job.arm === 'bare-get') redis = new Redis(job.redisUrl);
  app.get('/reports/students/:id', async (req, res) => {
    const bytes = redis === undefined ? body : await redis.getBuffer(`{${job.namespace}}:body:${req.params.id}`);
    if (bytes === null) {
      handlerRuns += 1;
      await redis.set(`{${job.namespace}}:body:${req.params.id}`, body, 'EX', 600);
    }
    for (const [name, value] of headers) res.setHeader(name, value);
    if (job.arm === 'bare-304') {
      res.statusCode = 304;
      res.end();
    } else {
      res.end(bytes ?? body);
    }
  });
}

function cachedRoute() {
  const alone = job.arm.startsWith('memory');
  redis = alone ? undefined : new Redis(job.redisUrl);
  const reports = createReportCache({
    identify: (req) => ({ user: req.headers['x-user'] }),
    types: { progress: { ttl: '1h', consistency: job.arm === 'lease' ? 'lease' : 'strict' } },
    namespace: job.namespace,
    // Longer than a run: otherwise memory asks Redis for an entry anew in the middle of a burst.
    memory: { ttl: '1h', ...(job.arm === 'l2' ? { maxBytes: smallMemory() } : {}) },
    ...(redis === undefined ? {} : { redis }),
  });
  app.get(
    '/reports/students/:id',
    reports.cache('progress', {
      report: (req) => req.params.id,
      filters: { term: 'string', page: 'integer' },
      tags: (req) => [tag('student', req.params.id)],
    }),
    (req, res) => {
      handlerRuns += 1;
      res.type('json').send(body);
    },
  );
}

function smallMemory() {
  const entry = job.size + 2000;
  return Math.floor(entry * REPORTS_PER_CONNECTION * job.connections * L2_MEMORY_SHARE);
}

/** A report as JSON, filled up to exactly `bytes`. */
function bodyOf(bytes) {
  const rows = [];
  const text = () => JSON.stringify({ student: 1000, rows, pad: '' });
  for (let week = 1; text().length < bytes - 100; week += 1)
    rows.push({ week, score: (week * 37) % 101, clicks: week * 13 });
  const missing = bytes - text().length;
  return Buffer.from(JSON.stringify({ student: 1000, rows, pad: 'x'.repeat(missing) }));
}
