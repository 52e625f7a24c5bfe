// Is there any order of events in which the protocol breaks its promises? `npm run simulate`.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseOptions, USAGE } from './options.mjs';
import { coverageOf, faultsOf, resultsPage, tablesOf } from './result.mjs';
import { World } from './simulation.mjs';
import { Tally } from './tally.mjs';
import { SUBJECTS, subjectNamed } from './variant.mjs';
import { runBatches } from './workers.mjs';

/** @typedef {import('./options.mjs').Options} Options */

/** After so many a broken variant counts as not caught. */
const MOST_UNTIL_CAUGHT = 200_000;
const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url));
const ON_A_TERMINAL_MS = 200;
const ELSEWHERE_MS = 10_000;

const options = readOptions();
if (options !== undefined) process.exitCode = options.trace ? await replay(options) : await simulate(options);

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

/** @param {Options} options @returns {Promise<number>} the exit code */
async function replay({ seed, variant = '' }) {
  const subject = subjectNamed(variant);
  const world = await new World(seed, subject.settings, subject.variant, console.log).run();
  const { violation } = world.oracle;
  console.log(violation === undefined ? 'Nothing was violated.' : `${violation.invariant}: ${violation.detail}`);
  return violation === undefined ? 0 : 1;
}

/** @param {Options} options @returns {Promise<number>} the exit code */
async function simulate({ variant, seed, runs, seconds, quick, json, results }) {
  const subjects = variant === undefined ? SUBJECTS : [subjectNamed(variant)];
  const levels = subjects.filter(({ broken }) => !broken).length;
  const tallies = subjects.map(
    (subject) => new Tally(subject, seed, subject.broken ? MOST_UNTIL_CAUGHT : Math.ceil(runs / levels)),
  );
  const started = performance.now();
  await runAll(tallies, started, seconds);
  const tables = tablesOf(tallies);
  console.log(`\n${tables}\n`);
  const faults = faultsOf(tallies, variant === undefined);
  const ending = [
    ...faults.map((fault) => `FAILED: ${fault}`),
    `Total time: ${((performance.now() - started) / 1000).toFixed(1)} s. First seed: ${seed}.`,
  ].join('\n');
  console.log(ending);
  if (results) await writeFile(RESULTS, resultsPage(tables, ending));
  if (json !== undefined)
    await writeFile(json, `${JSON.stringify(asJson(tallies, { seed, quick, faults }), null, 2)}\n`);
  return faults.length === 0 ? 0 : 1;
}

/** By turns what is broken and what is not, and each of them in turn. @param {readonly Tally[]} tallies @param {number} started @param {number} seconds */
async function runAll(tallies, started, seconds) {
  const byName = new Map(tallies.map((tally) => [tally.subject.name, tally]));
  const late = () => performance.now() - started > seconds * 1000;
  const show = progress(tallies, started);
  const next = (/** @type {boolean} */ broken) =>
    tallies
      .filter((tally) => !tally.done && tally.subject.broken === broken)
      .toSorted((a, b) => a.given - b.given)
      .at(0);
  let broken = false;
  await runBatches(
    () => {
      broken = !broken;
      return late() ? undefined : (next(broken) ?? next(!broken))?.next();
    },
    (result) => {
      byName.get(result.subject)?.add(result);
      for (const { seed, invariant } of subjectNamed(result.subject).broken ? [] : result.violations)
        console.log(`\n${invariant} broken: npm run simulate -- --variant '${result.subject}' --seed ${seed} --trace`);
      show();
    },
  );
}

/** One line that tells how far it is. @param {readonly Tally[]} tallies @param {number} started */
function progress(tallies, started) {
  const terminal = process.stdout.isTTY === true;
  let next = started;
  return () => {
    if (performance.now() < next) return;
    next = performance.now() + (terminal ? ON_A_TERMINAL_MS : ELSEWHERE_MS);
    const broken = tallies.filter(({ subject }) => subject.broken);
    const levels = tallies.filter(({ subject }) => !subject.broken);
    const caught = broken.filter(({ violations }) => violations.length > 0).length;
    const runs = levels.reduce((sum, one) => sum + one.runs, 0);
    const violations = levels.reduce((sum, one) => sum + one.violations.length, 0);
    const line = `${caught}/${broken.length} broken variants caught, ${runs} interleavings of the protocol, ${violations} violations, ${((performance.now() - started) / 1000).toFixed(0)} s`;
    process.stdout.write(terminal ? `\r\x1b[K${line}` : `${line}\n`);
  };
}

/** @param {readonly Tally[]} tallies @param {object} head */
function asJson(tallies, head) {
  const levels = tallies.filter(({ subject }) => !subject.broken);
  return {
    ...head,
    happened: Object.fromEntries(coverageOf(levels).counts),
    results: tallies.map(({ subject, runs, steps, ms, violations, caughtAfter }) => ({
      name: subject.name,
      broken: subject.broken,
      runs,
      steps,
      ms: Math.round(ms),
      ...(subject.broken ? { caughtAfter } : {}),
      violations,
    })),
  };
}
