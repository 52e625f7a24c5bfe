// Does anything grow? Four processes under mixed load for as long as you like: `npm run check:soak -- --seconds N`.
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { createRandom } from '../simulate/random.mjs';
import { startRedis } from '../test/support/redis-service.mjs';
import { Slot } from './live/processes.mjs';
import { growthOf } from './soak/fit.mjs';
import { createLoad } from './soak/load.mjs';

const PROCESSES = 4;
const READERS = 16;
const SAMPLES = 30;
/** After every so many samples Redis hangs for a moment: readers must not pile up in the clients. */
const HANG_EVERY = 5;
const HANG_MS = 700;
/** Fewer requests show nothing. */
const FEWEST = 1000;
const NAMESPACE = 'soak';
const SCRIPT = fileURLToPath(new URL('soak/process.mjs', import.meta.url));
const MB = 1 << 20;

/** What must not grow, added up over the processes, and by how much it may over the second half (noise of gc and timing). */
const FIGURES = /** @type {const} */ ([
  ['heap', PROCESSES * MB, 'MB'],
  ['external', PROCESSES * MB, 'MB'],
  ['handles', 2, ''],
  ['timers', PROCESSES, ''],
  ['listeners', 0.5, ''],
  ['redisKeys', 400, ''],
  ['redisTags', 20, ''],
  ['redisBytes', 4 * MB, 'MB'],
]);

/** @typedef {{ at: number } & Record<typeof FIGURES[number][0], number>} Row */

const USAGE = `npm run check:soak [-- options]
  --seconds N   of load, 10 or more (600)
  --quick       20 of them
Starts a Redis of its own; needs redis-server or valkey-server.`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const seconds = values.quick ? 20 : Number(values.seconds);
if (values.help) console.log(USAGE);
else if (seconds >= 10) process.exitCode = await soak();
else {
  console.error(`--seconds must be 10 or more.\n\n${USAGE}`);
  process.exitCode = 2;
}

/** @returns {Promise<number>} the exit code */
async function soak() {
  const server = await startRedis();
  const admin = new Redis(server.url, { maxRetriesPerRequest: null });
  admin.on('error', () => undefined);
  const env = { SOAK_REDIS: server.url, SOAK_NAMESPACE: NAMESPACE };
  const how = { script: SCRIPT, execArgv: ['--expose-gc'] };
  const slots = Array.from({ length: PROCESSES }, (_, index) => new Slot(index, () => env, how));
  try {
    await Promise.all(slots.map((slot) => slot.start()));
    const urls = await Promise.all(slots.map(async (slot) => (await slot.ask({ ask: 'url' })).url));
    const load = createLoad(urls, createRandom(1));
    const rows = await run(load, slots, admin, server.pid);
    const counts = await Promise.all(slots.map(async (slot) => (await slot.ask({ ask: 'counts' })).counts));
    load.close();
    return tell(rows, load.tally, addUp(counts));
  } finally {
    await Promise.all(slots.map((slot) => slot.stop()));
    admin.disconnect();
    await server.kill();
  }
}

/** @param {ReturnType<typeof createLoad>} load @param {Slot[]} slots @param {Redis} admin @param {number} pid of Redis */
async function run(load, slots, admin, pid) {
  await load.fill();
  const began = performance.now();
  /** @type {Row[]} */
  const rows = [];
  for (let turn = 1; turn <= SAMPLES; turn += 1) {
    const until = performance.now() + (seconds * 1000) / SAMPLES;
    const hanging = turn % HANG_EVERY === 0 ? hang(pid) : undefined;
    await Promise.all(Array.from({ length: READERS }, () => repeat(load, until)));
    await hanging;
    rows.push(await sample(slots, admin, (performance.now() - began) / 1000));
    if (process.stdout.isTTY) process.stdout.write(`\r${turn}/${SAMPLES}`);
  }
  return rows;
}

/** @param {ReturnType<typeof createLoad>} load @param {number} until */
async function repeat(load, until) {
  while (performance.now() < until) await load.one();
}

/** @param {number} pid */
async function hang(pid) {
  process.kill(pid, 'SIGSTOP');
  await pause(HANG_MS);
  process.kill(pid, 'SIGCONT');
}

/** While nobody asks anything. @param {Slot[]} slots @param {Redis} admin @param {number} at */
async function sample(slots, admin, at) {
  const all = await Promise.all(slots.map((slot) => slot.ask({ ask: 'sample' })));
  const sum = (/** @type {string} */ name) => all.reduce((total, one) => total + one[name], 0);
  const memory = await admin.info('memory');
  return {
    at,
    heap: sum('heap'),
    external: sum('external'),
    handles: sum('handles'),
    timers: sum('timers'),
    listeners: sum('listeners'),
    redisKeys: await admin.dbsize(),
    redisTags: await admin.hlen(`{${NAMESPACE}}:t`),
    redisBytes: Number(/used_memory_dataset:(\d+)/.exec(memory)?.[1]),
  };
}

/** @param {Row[]} rows @param {Record<string, number>} tally @param {Record<string, number>} events */
function tell(rows, tally, events) {
  const names = FIGURES.map(([name]) => name);
  const show = (/** @type {number} */ value, /** @type {string} */ unit) =>
    unit === 'MB' ? `${(value / MB).toFixed(2)} MB` : value.toFixed(unit === '' && Number.isInteger(value) ? 0 : 1);
  const lines = [['seconds', ...names]];
  for (const row of rows) lines.push([row.at.toFixed(1), ...FIGURES.map(([name, , unit]) => show(row[name], unit))]);
  const growths = FIGURES.map(([name]) => growthOf(rows.map((row) => ({ at: row.at, value: row[name] }))));
  const fine = FIGURES.map(([, bound], at) => (growths[at] ?? Infinity) < bound);
  lines.push(['growth', ...FIGURES.map(([, , unit], at) => show(growths[at] ?? NaN, unit))]);
  lines.push(['bound', ...FIGURES.map(([, bound, unit]) => show(bound, unit))]);
  lines.push(['', ...fine.map((one) => (one ? 'ok' : 'GROWS'))]);
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => (line[at] ?? '').length))) ?? [];
  console.log(lines.map((line) => line.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  ')).join('\n'));
  console.log('requests', JSON.stringify(tally));
  console.log('events', JSON.stringify(events));
  const { errors = 0 } = tally;
  const requests = Object.values(tally).reduce((sum, times) => sum + times, 0);
  const well = fine.every(Boolean) && errors === 0 && requests >= FEWEST;
  const growing = fine.filter((one) => !one).length;
  console.log(well ? 'Nothing grows.' : `Not well: ${requests} requests, ${errors} failed, ${growing} figures grow.`);
  return well ? 0 : 1;
}

/** @param {readonly Record<string, number>[]} parts */
function addUp(parts) {
  /** @type {Record<string, number>} */
  const all = {};
  for (const part of parts) for (const [name, times] of Object.entries(part)) all[name] = (all[name] ?? 0) + times;
  return all;
}
