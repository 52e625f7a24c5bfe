// One process of the live check: the cache of one level over its own connections, told by the driver what to do.
import { createHash } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Redis } from 'ioredis';
import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { dataSourceOptions } from './entities.mjs';
import { levelNamed } from './levels.mjs';
import { createLoaders, currentRead, openReports } from './reports.mjs';
import { createSabotage } from './sabotage.mjs';
import { WAYS } from './world.mjs';
import { createWrites, tagsOf } from './writes.mjs';

const POOL = 6;

const env = /** @param {string} name */ (name) => process.env[name] ?? '';
const level = levelNamed(env('LIVE_LEVEL'));
const pace = { slow: true };

/** What the cache did, by event and reason. @type {Record<string, number>} */
const counts = {};

/** @param {{ kind: string, reason?: string, layer?: string, coalesced?: boolean, detail?: string, error?: string }} event */
function count(event) {
  const detail = event.reason ?? (event.coalesced ? 'collapsed' : event.layer);
  const name = detail === undefined ? event.kind : `${event.kind}.${detail}`;
  counts[name] = (counts[name] ?? 0) + 1;
  const read = currentRead.getStore();
  if (read === undefined) return;
  // The outermost of nested reads tells last.
  if (event.kind === 'hit') read.way = WAYS.indexOf(event.coalesced ? 'collapsed' : (event.layer ?? 'unknown'));
  else if (event.kind === 'miss' || event.kind === 'bypass') read.way = WAYS.indexOf(event.kind);
}

const redis = new Redis(env('LIVE_REDIS'), { maxRetriesPerRequest: null, retryStrategy: () => 50 });
redis.on('error', () => undefined);
const dataSource = new DataSource(dataSourceOptions(env('LIVE_DATABASE'), env('LIVE_SCHEMA'), env('LIVE_NAME'), POOL));
await dataSource.initialize();
const sabotage = createSabotage({ redis, dataSource, sha: (lua) => createHash('sha1').update(lua).digest('hex') });
const cache = await level.open({
  redis,
  dataSource,
  namespace: env('LIVE_NAMESPACE'),
  version: env('LIVE_VERSION') || '1',
  onEvent: count,
});
const load = createLoaders(dataSource, pace);
const reports = await openReports(cache, load);
const writes = createWrites(dataSource);
const stalls = monitorEventLoopDelay({ resolution: 10 });
stalls.enable();

const cpuMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1_000;
const text = (/** @type {unknown} */ error) => (error instanceof Error ? error.message || error.name : String(error));

/** @param {{ id: number, reads: number[] }} question kind, subject, user, via; and so on */
async function answerReads({ id, reads }) {
  const asked = [];
  for (let i = 0; i < reads.length; i += 4) {
    const [kind = 0, subject = 0, user = 0, via = 0] = reads.slice(i, i + 4);
    asked.push(
      reports
        .read(kind, subject, user, via)
        .catch((error) => ({ shown: undefined, way: 0, at: 0, crossed: false, error: text(error) })),
    );
  }
  const answers = await Promise.all(asked);
  const errors = answers.flatMap((answer) => ('error' in answer ? [answer.error] : []));
  send({
    id,
    shown: answers.map((one) => one.shown ?? null),
    ways: answers.map((one) => one.way),
    at: answers.map((one) => one.at),
    errors,
    crossed: answers.filter((one) => one.crossed).length,
  });
}

/** @param {{ id: number, write: import('./writes.mjs').Write }} question */
async function answerWrite({ id, write }) {
  const carryOut = writes[write.path];
  const started = performance.now();
  try {
    if (carryOut === undefined) throw new Error(`There is no way "${write.path}" to write.`);
    await carryOut(write);
    await cache.wrote?.(tagsOf(write));
    send({ id, ms: performance.now() - started });
  } catch (error) {
    send({ id, error: text(error), ms: performance.now() - started });
  }
}

/** @param {any} question */
async function answer(question) {
  switch (question.ask) {
    case 'read':
      return answerReads(question);
    case 'write':
      return answerWrite(question);
    case 'counts':
      return send({ id: question.id, counts, stallMs: stalls.max / 1e6, cpuMs: cpuMs() });
    default:
      return send({ id: question.id, done: await sabotage.carryOut(question, { load, reports, pace }) });
  }
}

/** @param {Record<string, unknown>} message */
function send(message) {
  if (process.connected) process.send?.(message);
}

process.on('message', (/** @type {any} */ question) => {
  answer(question).catch((error) =>
    send({ id: question.id, error: text(error), shown: [], ways: [], errors: [], crossed: 0 }),
  );
});
async function stop() {
  await reports.close();
  await dataSource.destroy();
  redis.disconnect();
  process.exit(0);
}
// The driver holds the other end: when it is gone, in whatever way, so is this process.
process.once('disconnect', () => {
  setTimeout(() => process.exit(0), 2_000);
  stop().catch(() => process.exit(0));
});
process.on('SIGINT', () => undefined);
send({ ready: true });
