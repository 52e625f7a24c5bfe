// Is a grade that was acknowledged ever missing from a report? Checked on running processes: `npm run check:fresh`.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { startServices, stopServices } from '../test/support/services.mjs';
import { example } from './library.mjs';
import { parseOptions, USAGE } from './options.mjs';
import { createProgress } from './progress.mjs';
import { checkLive } from './live/live.mjs';
import { faultsOf, figuresOf, tableOf } from './result.mjs';
import { startServers } from './servers.mjs';
import { openSubjects } from './subjects.mjs';
import { drive } from './traffic.mjs';

const INTERRUPTED = 130;

const options = readOptions();
if (options !== undefined) process.exitCode = await check(options);

function readOptions() {
  try {
    const parsed = parseOptions(process.argv.slice(2));
    if (!parsed.help) return parsed;
    console.log(USAGE);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}

/** @param {import('./options.mjs').Options} options @returns {Promise<number>} the exit code */
async function check({ arms, live, seed, quick, json }) {
  const signal = untilInterrupted();
  const started = performance.now();
  const { columns, well } = await withServices(async (env) => ({
    columns: arms.length === 0 ? [] : await runArms(arms, env, seed, signal),
    well: live.runs.length === 0 || (await checkLive(live, env, () => example.createRandom(seed), signal)),
  }));
  if (signal.aborted) {
    console.log('Interrupted.');
    return INTERRUPTED;
  }
  if (columns.length > 0) console.log(`\n${tableOf(columns)}\n`);
  let failed = !well;
  for (const { arm, figures } of columns) {
    const faults = faultsOf(arm, figures);
    if (faults.length === 0) continue;
    failed = true;
    for (const fault of faults) console.log(`${arm.name}: ${fault}`);
    for (const { what, facts } of figures.details) console.log(`${arm.name}: ${what} ${JSON.stringify(facts)}`);
  }
  console.log(`Total time: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  if (json !== undefined) {
    const results = columns.map(({ arm, figures }) => ({ arm: arm.name, ...figures, faults: faultsOf(arm, figures) }));
    await writeFile(json, `${JSON.stringify({ seed, quick, results }, null, 2)}\n`);
  }
  return failed ? 1 : 0;
}

/** Aborted by Ctrl-C: everything ends in order. */
function untilInterrupted() {
  const interrupted = new AbortController();
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.on(name, () => {
      // Asked twice: what is left in the database is dropped by the next run.
      if (interrupted.signal.aborted) process.exit(INTERRUPTED);
      interrupted.abort();
    });
  return interrupted.signal;
}

/**
 * @template T
 * @param {(env: NodeJS.ProcessEnv) => Promise<T>} work
 */
async function withServices(work) {
  await startServices();
  try {
    const { DATABASE_URL, REDIS_URL, TEST_NAMESPACE, OULAD_DIR, COHORT_STUDENTS } = process.env;
    return await work({
      DATABASE_URL,
      REDIS_URL,
      OULAD_DIR,
      COHORT_STUDENTS,
      DATABASE_SCHEMA: `check_fresh_${randomBytes(4).toString('hex')}`,
      LOG_LEVEL: 'warn',
      CHECK_NAMESPACE: TEST_NAMESPACE,
    });
  } finally {
    await stopServices();
  }
}

/**
 * @param {import('./options.mjs').Options['arms']} arms
 * @param {NodeJS.ProcessEnv} env
 * @param {number} seed
 * @param {AbortSignal} signal
 */
async function runArms(arms, env, seed, signal) {
  const data = await openSubjects(env);
  try {
    console.log(`Data: ${data.source}. Seed: ${seed}.`);
    /** @type {import('./result.mjs').Column[]} */
    const columns = [];
    for (const arm of arms) {
      if (signal.aborted) break;
      const figures = await runArm(arm, data, env, seed, signal);
      columns.push({ arm, figures });
    }
    return columns;
  } finally {
    await data.close();
  }
}

/**
 * @param {import('./arms.mjs').Arm} arm
 * @param {Awaited<ReturnType<typeof openSubjects>>} data
 * @param {NodeJS.ProcessEnv} env
 * @param {number} seed
 * @param {AbortSignal} signal
 */
async function runArm(arm, data, env, seed, signal) {
  await data.reset();
  const namespace = `${env['CHECK_NAMESPACE']}-${arm.name}`;
  const servers = await startServers({ ...env, CHECK_ARM: arm.name, CHECK_NAMESPACE: namespace });
  const progress = createProgress(arm);
  try {
    const { tally, seconds } = await drive({
      urls: servers.map((server) => server.url),
      subjects: data.subjects,
      reads: arm.reads,
      seconds: arm.seconds,
      control: arm.stale === 'must',
      random: example.createRandom(seed),
      signal,
      onProgress: progress.show,
    });
    progress.end(tally);
    return figuresOf(tally, seconds, await Promise.all(servers.map((server) => server.counts())));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
