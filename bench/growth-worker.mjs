// One cache in a process of its own: is filled, and says what a hit, an invalidation and an entry cost. Started by growth.mjs.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { createReportCache, tag } from 'express-report-cache';
import { SHARES, VALUE_BYTES } from './growth-cases.mjs';

const HITS = 5000;
/** Each is timed alone. */
const MOST_INVALIDATIONS = 50;
/** Before them, of tags that nothing has. */
const COLD_INVALIDATIONS = 20;
const FILLERS = 32;

/** @type {[import('./growth-cases.mjs').Case & { redisUrl: string, namespace: string }]} */
const [job] = await once(process, 'message');
const open = job.cache.name === 'ours' ? openOurs : (await import(`./peers/${job.cache.name}.mjs`)).open;
const before = heap();
const cache = await open({ ...job, tagged: !job.cache.untagged, ttlSeconds: 3600, maxEntries: room() });
let computed = 0;
let invalidated = 0;
await fill();
const bytes = (heap() - before) / job.entries - VALUE_BYTES;
const hit = await timeHits();
if (computed !== job.entries) throw new Error(`${job.cache.name}: ${computed} computed.`);
process.send({ result: { bytes, hit, invalidation: await timeInvalidations() } });

// One more, while somebody counts what Redis is told.
process.on('message', (message) => {
  if (message === 'invalidate') void invalidateOnce();
  else process.exit();
});
process.on('disconnect', () => process.exit());

async function openOurs() {
  const redis = job.layer === 'redis' ? new Redis(job.redisUrl) : undefined;
  // Until it is connected nothing is cached.
  if (redis !== undefined) await once(redis, 'ready');
  const reports = createReportCache({
    identify: () => ({ user: 1 }),
    types: { progress: { ttl: '1h' } },
    namespace: job.namespace,
    memory: { ttl: '1h', maxBytes: '16gb', maxBytesPerUser: '16gb' },
    ...(redis && { redis, redisMaxBytes: '16gb', redisMaxBytesPerUser: '16gb' }),
  });
  const identity = { user: 1 };
  return {
    fetch: (key, compute, tags) => reports.getOrLoad({ type: 'progress', report: key, identity, tags }, compute),
    invalidateTag: (name) => reports.invalidate(name),
  };
}

/** Some keep what they know of tags beside the entries. */
function room() {
  return job.entries * (job.tags + 2);
}

function groupTag(group) {
  return tag('class', group);
}

/** `share` entries to each tag; what more tags they have nobody else has. */
function tagsOf(index) {
  const more = Array.from({ length: job.tags - 1 }, (_, number) => tag('student', `${index}-${number}`));
  return [groupTag(Math.floor(index / job.share)), ...more];
}

function fetch(index) {
  const compute = () => {
    computed += 1;
    return randomBytes(VALUE_BYTES / 2).toString('hex');
  };
  return cache.fetch(`report-${index}`, compute, tagsOf(index));
}

async function fill() {
  let next = 0;
  const filler = async () => {
    while (next < job.entries) await fetch(next++);
  };
  await Promise.all(Array.from({ length: FILLERS }, filler));
}

/** µs of this process's CPU per hit, one after the other, all over the entries. */
async function timeHits() {
  const step = 7919;
  const ask = async (from) => {
    for (let count = 0; count < HITS; count += 1) await fetch(((from + count) * step) % job.entries);
  };
  await ask(0);
  const started = process.cpuUsage();
  await ask(HITS);
  const { user, system } = process.cpuUsage(started);
  return (user + system) / HITS;
}

/** @returns ms of each */
async function timeInvalidations() {
  const times = [];
  if (cache.invalidateTag === undefined) return times;
  const groups = job.share === 1 ? Math.min(MOST_INVALIDATIONS, job.entries - 1) : SHARES - 1;
  for (let count = 0; count < COLD_INVALIDATIONS; count += 1) await cache.invalidateTag(groupTag(`nobody-${count}`));
  for (; invalidated < groups; invalidated += 1) {
    const started = performance.now();
    await cache.invalidateTag(groupTag(invalidated));
    times.push(performance.now() - started);
  }
  return times;
}

async function invalidateOnce() {
  await cache.invalidateTag(groupTag(invalidated));
  process.send({ result: null });
}

function heap() {
  for (let run = 0; run < 3; run += 1) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
