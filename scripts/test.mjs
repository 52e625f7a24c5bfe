// Everything a change must pass: `npm test`. Arguments after `--` go to Jest, e.g. `npm test -- test/http`.
import { build } from './build.mjs';
import { runJest } from './lib/jest.mjs';
import { bin, node, run, seconds } from './lib/run.mjs';
import { runStages } from './lib/stages.mjs';

const start = performance.now();
const jestArgs = process.argv.slice(2);
/** The newest of all peers, where every test runs. */
const NEWEST = 'e5-t1-r5';
/** Coverage costs more than half as much again, and of a part of the tests it says nothing. */
const runs =
  jestArgs.length === 0
    ? [
        ['--selectProjects', NEWEST, '--coverage'],
        ['--ignoreProjects', NEWEST],
      ]
    : [jestArgs];

const counts = { passed: 0, failed: 0, skipped: 0 };

const typecheck = (/** @type {string} */ project) => node([bin('typescript', 'tsc'), '--noEmit', '-p', project]);

const npmRun = (/** @type {string} */ script, /** @type {string[]} */ ...args) =>
  run('npm', ['run', '--silent', script, '--', ...args]);

const succeeded = await runStages([
  ['build', build],
  ['lint', async () => void (await node([bin('oxlint'), '--type-aware', '--quiet']))],
  ['format', async () => void (await node([bin('prettier'), '--check', '--log-level', 'warn', '.']))],
  [
    'types',
    async () =>
      void (await Promise.all(
        ['test/tsconfig.json', 'test/tsconfig.old-peers.json', 'src/dashboard/tsconfig.json'].map(typecheck),
      )),
  ],
  ...runs.map((args, at) => {
    const work = async () => {
      const run = await runJest(['--config', 'jest.config.mjs', ...args]);
      for (const [name, count] of Object.entries(run.counts))
        counts[/** @type {keyof typeof counts} */ (name)] += count;
      if (run.failure) throw run.failure;
    };
    return /** @type {const} */ ([at === 0 ? 'tests' : 'old peers', work]);
  }),
  ['package', async () => void (await node(['scripts/check-package.mjs']))],
  // Short runs that keep the long ones alive; their figures say nothing.
  ['fresh', async () => void (await npmRun('check:fresh', '--quick', '--arms', 'strict', '--reads', '1500'))],
  ['attack', async () => void (await npmRun('check:attack', '--quick'))],
  ['simulate', async () => void (await npmRun('simulate', '--quick'))],
  ['timetable', async () => void (await npmRun('demo:timetable', '--rounds', '1'))],
  ['monday', async () => void (await npmRun('demo:monday', '--students', '100', '--seconds', '2'))],
  ['demo', async () => void (await npmRun('demo', '--ms', '300'))],
  ['bench', async () => void (await npmRun('bench', '--quick', '--rounds', '1', '--only', 'memory'))],
]);

// A run that failed outside its tests (lint, types, coverage, package) must not close with "0 failed".
if (!succeeded && counts.failed === 0) counts.failed = 1;
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
const summary = `${counts.passed} passed, ${counts.failed} failed${skipped}`;
console.log(`Total time: ${seconds(start)}\nTests: ${summary}\n${summary}`);
process.exitCode = succeeded ? 0 : 1;
