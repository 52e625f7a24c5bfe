// The process under load: a large cache in Redis, invalidations as they are told to happen, and the dashboard over it.
import express from 'express';
import { Redis } from 'ioredis';
import { createReportCache, tableTag, tag } from './library.mjs';

const env = (/** @type {string} */ name) => process.env[name] ?? '';
const NAMESPACE = 'dashboard';
const TYPES = ['student_progress', 'grade_distribution', 'analytics', 'custom'];
const STUDENTS = 20_000;
const AT_ONCE = 200;
const BODY = 'x'.repeat(400);
const BUCKET_MS = 300_000;

const redis = new Redis(env('CHECK_REDIS'));
await redis.ping();
const reports = createReportCache({
  redis,
  namespace: NAMESPACE,
  redisMaxBytes: '2gb',
  redisDeadline: '5s',
  identify: (req) => ({ user: req.get('x-user') ?? '1' }),
  costs: {
    prices: [{ model: 'small', from: '2026-01-01', inputPerMillion: 0.5, outputPerMillion: 1.5, currency: 'USD' }],
  },
});

/** @param {number} at */
const load = (at) => {
  const student = at % STUDENTS;
  const type = TYPES[at % TYPES.length] ?? '';
  return reports.getOrLoad(
    {
      type,
      report: String(at),
      identity: { user: `teacher-${at % 500}` },
      tags: [tag('student', student), tag('class', student % 700)],
      tables: ['grade'],
    },
    async (run) => {
      run.cost({ model: 'small', inputTokens: 900, outputTokens: 350 });
      return { at, BODY };
    },
  );
};

/** @param {number} entries */
async function fill(entries) {
  for (let from = 0; from < entries; from += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, entries - from) }, (_, at) => load(from + at)));
}

/** A day that never was, for the charts to show: quiet at night, busy at eight. */
async function inventDay() {
  const newest = Math.floor(Date.now() / BUCKET_MS);
  const pipeline = redis.pipeline();
  for (let back = 287; back > 0; back -= 1) {
    const bucket = newest - back;
    const hour = new Date(bucket * BUCKET_MS).getUTCHours();
    const busy = 40 + 400 * Math.exp(-((hour - 9) ** 2) / 18);
    for (const [at, type] of TYPES.entries()) {
      const all = Math.round((busy / (at + 1)) * (0.8 + 0.4 * Math.random()));
      const miss = Math.max(1, Math.round(all * (0.06 + 0.05 * at + 0.04 * Math.random())));
      const joined = Math.round(all * 0.02);
      const redisHits = Math.round(all * 0.25);
      const counts = { memory: all - miss - joined - redisHits, redis: redisHits, joined, miss, ran: miss };
      const times = { memory: 0.2, redis: 1.4, joined: 60, miss: 0.8, ran: 140 + 90 * at };
      for (const [outcome, count] of Object.entries(counts)) {
        const ms = times[/** @type {keyof typeof times} */ (outcome)] * (0.8 + 0.4 * Math.random());
        pipeline.hincrby(`{${NAMESPACE}}:n:${bucket}`, `${type} ${outcome}`, count);
        pipeline.hincrby(`{${NAMESPACE}}:n:${bucket}`, `${type} ${outcome} us`, Math.round(count * ms * 1000));
      }
    }
  }
  await pipeline.exec();
}

reports.report('custom', {
  name: 'class_summary',
  share: 'everyone',
  warm: { all: () => Array.from({ length: 40 }, (_, at) => ({ report: at + 1 })), report: (report) => [{ report }] },
  tags: ({ report }) => [tag('class', report)],
  load: ({ report }) => ({ report, average: 2.3 }),
});
reports.schedule({ report_cards: { cron: '0 5 * * 1-5', timezone: 'Europe/Berlin', run: () => ({ sent: 12 }) } });

const LESSONS = Array.from({ length: 12 }, (_, at) => ({
  id: at + 1,
  subject: ['Algebra', 'Geometry', 'Reading', 'Chemistry'][at % 4],
  class: `${7 + (at % 3)}b`,
  hits: 420 - 31 * at,
  updated_at: new Date(Date.UTC(2026, 0, 5, 8 + at)),
}));
const lists = {
  lessons: {
    title: 'Lessons',
    columns: ['subject', 'class', 'hits', 'updated_at'],
    page: () => ({ items: LESSONS }),
    item: (/** @type {string} */ id) => LESSONS.find((one) => String(one.id) === id),
  },
};

const app = express();
app.use('/api/reports/cache', reports.admin({ authorize: () => true, lists }));
const server = app.listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));

/** @type {NodeJS.Timeout | undefined} */
let timer;
let [invalidated, read] = [0, 0];

/** @param {number} perMinute */
function begin(perMinute) {
  const began = performance.now();
  [invalidated, read] = [0, 0];
  timer = setInterval(() => {
    const due = ((performance.now() - began) / 60_000) * perMinute;
    for (; invalidated < due; invalidated += 1) {
      const student = Math.floor(Math.random() * STUDENTS);
      void reports.invalidate([tableTag('grade_archive'), tag('student', student)], 'grade saved');
    }
    for (; read < due / 4; read += 1) void load(Math.floor(Math.random() * 20_000));
  }, 20);
}

/** @param {{ ask: string, number: number }} question */
async function answer({ ask, number }) {
  if (ask === 'fill') await Promise.all([fill(number), inventDay()]);
  if (ask === 'begin') begin(number);
  if (ask === 'end') clearInterval(timer);
  process.send?.({ invalidated, read, rss: process.memoryUsage().rss });
}

process.on('message', (question) => void answer(/** @type {any} */ (question)));
process.once('disconnect', () => process.exit(0));
const address = /** @type {import('node:net').AddressInfo} */ (server.address());
process.send?.({ url: `http://127.0.0.1:${address.port}/api/reports/cache/` });
