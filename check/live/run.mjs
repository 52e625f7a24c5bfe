// One run: one level under one fault, on servers of its own, until enough answers were judged.
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { createForeign } from './foreign.mjs';
import { levelNamed } from './levels.mjs';
import { Oracle } from './oracle.mjs';
import { Gone, Slot } from './processes.mjs';
import { startProxy } from './proxy.mjs';
import { createReaders } from './readers.mjs';
import { openRedis } from './redis-stage.mjs';
import { Tally } from './tally.mjs';
import { createWriters } from './writers.mjs';
import { firstPlaceOf } from './world.mjs';

const PROCESSES = 4;
/** Before the first fault and after the last: everything is warm. */
const WARM_MS = 700;
const PROGRESS_MS = 5_000;
/** A run that has shown nothing yet gets so many times its time: the machine is busy. */
const PATIENCE = 4;
const FEWEST_READS = 3_000;

/**
 * What a fault has to work with.
 * @typedef {object} Stage
 * @property {readonly Slot[]} slots
 * @property {import('./levels.mjs').Level} level
 * @property {import('./redis-stage.mjs').RedisStage} redis
 * @property {readonly import('./proxy.mjs').Proxy[]} redisProxies of each process, where the fault needs them
 * @property {readonly import('./proxy.mjs').Proxy[]} databaseProxies
 * @property {ReturnType<typeof createReaders>} readers
 * @property {pg.Pool} database
 * @property {string} namespace
 * @property {Tally} tally
 * @property {{ next(): number }} random
 * @property {() => boolean} over
 * @property {NodeJS.ProcessEnv} env of processes that are started from here on
 * @property {Record<string, any>} own whatever the fault keeps
 */

/**
 * @param {object} options
 * @param {string} options.level
 * @param {import('./faults/table.mjs').Fault} options.fault
 * @param {number} options.reads
 * @param {number} options.seconds at most
 * @param {string} options.databaseUrl
 * @param {string} options.schema
 * @param {string} options.namespace
 * @param {boolean} options.triggers whether writes past the application are told
 * @param {{ next(): number }} options.random
 * @param {AbortSignal} options.signal
 * @param {(line: string) => void} options.say
 */
export async function runOne({
  level: levelName,
  fault,
  reads,
  seconds,
  databaseUrl,
  schema,
  namespace,
  triggers,
  random,
  signal,
  say,
}) {
  const level = levelNamed(levelName);
  const tally = new Tally();
  const oracle = new Oracle(firstPlaceOf);
  const redis = await openRedis(fault.redisArgs);
  const databasePort = Number(new URL(databaseUrl).port || 5432);
  const each = Array.from({ length: PROCESSES }, (_, index) => index);
  const redisProxies = fault.proxies?.includes('redis')
    ? await Promise.all(each.map(() => startProxy(redis.port)))
    : [];
  const databaseProxies = fault.proxies?.includes('database')
    ? await Promise.all(each.map(() => startProxy(databasePort)))
    : [];
  const database = new pg.Pool({ connectionString: databaseUrl, max: 6, options: `-c search_path=${schema}` });
  database.on('error', () => undefined);

  /** @type {NodeJS.ProcessEnv} */
  const extra = {};
  const envOf = (/** @type {number} */ index) => {
    const url = new URL(databaseUrl);
    url.port = String(databaseProxies[index]?.port ?? databasePort);
    return {
      LIVE_LEVEL: level.name,
      LIVE_REDIS: `redis://127.0.0.1:${redisProxies[index]?.port ?? redis.port}`,
      LIVE_DATABASE: url.href,
      LIVE_SCHEMA: schema,
      LIVE_NAMESPACE: namespace,
      ...extra,
    };
  };
  const slots = each.map((index) => new Slot(index, () => envOf(index)));

  const started = performance.now();
  let begun = started;
  let done = false;
  const over = () => {
    const patience = tally.reads < FEWEST_READS || tally.ways[0] === 0 ? PATIENCE : 1;
    const late = performance.now() - begun > seconds * patience * 1000;
    return done || signal.aborted || tally.reads >= reads || late;
  };
  const parts = { slots, oracle, tally, random, over };
  const readers = createReaders(parts);
  const foreign = triggers ? createForeign(database) : undefined;
  const writers = createWriters({ ...parts, database, foreign, readers });
  /** @type {Stage} */
  const stage = {
    slots,
    level,
    redis,
    redisProxies,
    databaseProxies,
    readers,
    database,
    namespace,
    tally,
    random,
    over,
    env: extra,
    own: {},
  };

  async function makeTrouble() {
    await pause(WARM_MS);
    while (!over()) {
      try {
        await fault.inject?.(stage);
        tally.injected += 1;
      } catch (error) {
        // Whom it was meant for has gone by himself.
        if (!(error instanceof Gone)) throw error;
      }
      await pause(fault.everyMs ?? 1_500);
    }
    await fault.end?.(stage);
  }

  const progress = setInterval(() => say(progressLine(tally, begun)), PROGRESS_MS);
  try {
    await Promise.all(slots.map((slot) => slot.start()));
    await fault.begin?.(stage);
    begun = performance.now();
    await Promise.all([readers.run(), writers.run(), fault.inject === undefined ? undefined : makeTrouble()]);
    const secondsTaken = (performance.now() - begun) / 1000;
    const counts = await Promise.all(slots.map((slot) => slot.ask({ ask: 'counts' }).catch(() => undefined)));
    return { level, fault, tally, inversions: oracle.sort(tally.inversions), seconds: secondsTaken, counts };
  } catch (error) {
    for (const slot of slots) if (slot.said !== '') say(`${slot.name}: ${slot.said}`);
    throw error;
  } finally {
    done = true;
    clearInterval(progress);
    for (const proxy of [...redisProxies, ...databaseProxies]) proxy.clear();
    await Promise.all(slots.map((slot) => slot.stop()));
    await stage.own['close']?.();
    await Promise.all([...redisProxies, ...databaseProxies].map((proxy) => proxy.close()));
    await redis.close();
    await database.end();
  }
}

/** @param {Tally} tally @param {number} begun */
function progressLine(tally, begun) {
  const seconds = (performance.now() - begun) / 1000;
  return `  ${tally.reads} reads (${Math.round(tally.reads / seconds)}/s), ${tally.acked} writes, ${tally.stale} stale, ${tally.injected} faults`;
}
