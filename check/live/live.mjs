// Runs levels and faults one after the other, keeps what came out, and says whether it is what must come out.
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
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
 * @typedef {object} Order
 * @property {readonly { level: string, fault: import('./faults/table.mjs').Fault, reads: number, seconds: number }[]} runs
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
export async function checkLive({ runs, resume, write }, env, makeRandom, signal) {
  const databaseUrl = env['DATABASE_URL'] ?? '';
  const schema = `check_live_${randomBytes(4).toString('hex')}`;
  const dataSource = new DataSource(dataSourceOptions(databaseUrl, schema, 'live-driver', 2));
  await dataSource.initialize();
  await mkdir(dirname(KEPT), { recursive: true });
  if (!resume) await rm(KEPT, { force: true });
  const before = await readKept();
  let well = true;
  try {
    for (const { level, fault, reads, seconds } of runs) {
      if (signal.aborted) break;
      if (levelNamed(level).fetched) {
        const why = await installPeers();
        if (why !== undefined) {
          console.log(`\n*** ${level} is SKIPPED: it could not be fetched (${why}) ***\n`);
          continue;
        }
      }
      const known = before.find((one) => one.level === level && one.fault === fault.name && one.reads >= reads);
      if (known !== undefined && failuresOf(levelNamed(level), fault, known).length === 0) continue;
      await makeTables(dataSource, schema, levelNamed(level).durable);
      await fill(dataSource);
      const namespace = `live-${randomBytes(4).toString('hex')}`;
      const triggers = levelNamed(level).durable;
      if (triggers) await installTriggers(dataSource, namespace);
      const say = (/** @type {string} */ line) => console.log(line);
      console.log(`${level}: ${fault.what}`);
      const run = await runOne({
        level,
        fault,
        reads,
        seconds,
        databaseUrl,
        schema,
        namespace,
        triggers,
        random: makeRandom(),
        signal,
        say,
      });
      if (signal.aborted) break;
      const figures = figuresOf(run);
      await appendFile(KEPT, `${JSON.stringify(figures)}\n`);
      console.log(lineOf(figures));
      const failures = failuresOf(run.level, fault, figures);
      if (failures.length > 0) {
        well = false;
        for (const failure of failures) console.log(`  FAILED: ${failure}`);
        for (const { what, facts } of figures.details) console.log(`    ${what} ${JSON.stringify(facts)}`);
      }
    }
    if (write) await writeFile(RESULTS, markdownOf(await readKept(), await versionsOf(env, dataSource)));
  } finally {
    await dataSource.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
    await dataSource.destroy();
  }
  return well;
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
