// Runs levels and faults one after the other, keeps what came out, and says whether it is what must come out.
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomBytes } from 'node:crypto';
import 'reflect-metadata';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { installPeers } from './controls/peers.mjs';
import { dataSourceOptions, fill, installTriggers, makeTables } from './entities.mjs';
import { figuresOf } from './figures.mjs';
import { levelNamed } from './levels.mjs';
import { lineOf, markdownOf } from './report.mjs';
import { runOne } from './run.mjs';
import { failuresOf } from './verdict.mjs';

/** One line of JSON for each run that has ended, so that a long check can be continued. */
const KEPT = fileURLToPath(new URL('out/results.jsonl', import.meta.url));
const RESULTS = fileURLToPath(new URL('../RESULTS.md', import.meta.url));

/** @typedef {import('./verdict.mjs').Figures} Figures */

/**
 * @typedef {object} Run
 * @property {string} level
 * @property {import('./faults/table.mjs').Fault} fault
 * @property {number} reads
 * @property {number} seconds at most
 */

/**
 * @typedef {object} Order
 * @property {readonly Run[]} runs
 * @property {boolean} keep the figures
 * @property {boolean} resume leaves out what has ended well before
 * @property {boolean} write check/RESULTS.md
 */

/**
 * @param {Order} order
 * @param {NodeJS.ProcessEnv} env DATABASE_URL and REDIS_URL
 * @param {() => { next(): number }} makeRandom
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether all is well
 */
export async function checkLive({ runs, keep, resume, write }, env, makeRandom, signal) {
  const databaseUrl = env['DATABASE_URL'] ?? '';
  const schema = `check_live_${randomBytes(4).toString('hex')}`;
  const dataSource = new DataSource(dataSourceOptions(databaseUrl, schema, 'live-driver', 2));
  await dataSource.initialize();
  const before = resume ? await readKept() : [];
  let well = true;
  try {
    for (const run of runs) {
      if (signal.aborted) break;
      if (before.some((one) => isShown(one, run)) || (await isMissing(run))) continue;
      console.log(`${run.level}: ${run.fault.what}`);
      try {
        const figures = await carryOut(run, { databaseUrl, schema, dataSource, random: makeRandom(), signal });
        if (signal.aborted) break;
        if (keep) await append(figures);
        if (!tell(run, figures)) well = false;
      } catch (error) {
        // One that broke down must not take the others of a long night with it.
        well = false;
        console.log(`  FAILED: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
    if (write) await writeFile(RESULTS, markdownOf(await readKept(), await versionsOf(env, dataSource)));
  } finally {
    await dataSource.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
    await dataSource.destroy();
  }
  return well;
}

/**
 * @param {Run} run
 * @param {{ databaseUrl: string, schema: string, dataSource: DataSource, random: { next(): number }, signal: AbortSignal }} where
 */
async function carryOut({ level, fault, reads, seconds }, { databaseUrl, schema, dataSource, random, signal }) {
  const { durable } = levelNamed(level);
  const namespace = `live-${randomBytes(4).toString('hex')}`;
  await makeTables(dataSource, schema, durable);
  await fill(dataSource);
  if (durable) await installTriggers(dataSource, namespace);
  const say = (/** @type {string} */ line) => console.log(line);
  const where = { databaseUrl, schema, namespace, triggers: durable, random, signal, say };
  return figuresOf(await runOne({ level, fault, reads, seconds, ...where }));
}

/** @param {Run} run @param {Figures} figures @returns {boolean} whether all is well */
function tell({ level, fault }, figures) {
  console.log(lineOf(figures));
  const failures = failuresOf(levelNamed(level), fault, figures);
  for (const failure of failures) console.log(`  FAILED: ${failure}`);
  if (failures.length > 0)
    for (const { what, facts } of figures.details) console.log(`    ${what} ${JSON.stringify(facts)}`);
  return failures.length === 0;
}

/** @param {Figures} figures @param {Run} run */
function isShown(figures, { level, fault, reads }) {
  const same = figures.level === level && figures.fault === fault.name && figures.reads >= reads;
  return same && failuresOf(levelNamed(level), fault, figures).length === 0;
}

/** A cache that others made, and that could not be fetched. @param {Run} run */
async function isMissing({ level }) {
  const why = levelNamed(level).fetched ? await installPeers() : undefined;
  if (why !== undefined) console.log(`\n*** ${level} is SKIPPED: it could not be fetched (${why}) ***\n`);
  return why !== undefined;
}

/** @param {Figures} figures */
async function append(figures) {
  await mkdir(dirname(KEPT), { recursive: true });
  await appendFile(KEPT, `${JSON.stringify(figures)}\n`);
}

/** The newest of each level and fault. @returns {Promise<Figures[]>} */
async function readKept() {
  const text = await readFile(KEPT, 'utf8').catch(() => '');
  /** @type {Map<string, Figures>} */
  const newest = new Map();
  for (const line of text.split('\n').filter(Boolean)) {
    /** @type {Figures} */
    const figures = JSON.parse(line);
    newest.set(`${figures.level} ${figures.fault}`, figures);
  }
  return [...newest.values()];
}

/** @param {NodeJS.ProcessEnv} env @param {DataSource} dataSource */
async function versionsOf(env, dataSource) {
  const redis = new Redis(env['REDIS_URL'] ?? '', { maxRetriesPerRequest: 1 });
  try {
    const info = await redis.info('server');
    const [row] = await dataSource.query('SHOW server_version');
    return {
      redis: /redis_version:(\S+)/.exec(info)?.[1] ?? '?',
      postgres: String(row.server_version).split(' ')[0] ?? '?',
    };
  } finally {
    redis.disconnect();
  }
}
