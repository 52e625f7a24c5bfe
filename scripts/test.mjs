// Everything a change must pass: `npm test`. Arguments after `--` go to Jest, e.g. `npm test -- test/http`.
import { build } from './build.mjs';
import { NEWEST_PEERS, runJest } from './lib/jest.mjs';
import { farthestLine, nodeOf } from './lib/node-version.mjs';
import { bin, node, run, seconds } from './lib/run.mjs';
import { runStages } from './lib/stages.mjs';

const start = performance.now();
const jestArgs = process.argv.slice(2);

/**
 * Coverage costs more than half as much again, and of a part of the tests it says nothing. The older peers run on another
 * Node, so that most tests have run on two; `npm run check:nodes` runs all on each.
 * @type {readonly { name: string, args: readonly string[], line?: string }[]}
 */
const runs =
  jestArgs.length === 0
    ? [
        { name: 'tests', args: ['--selectProjects', NEWEST_PEERS, '--coverage'] },
        { name: 'old peers', args: ['--ignoreProjects', NEWEST_PEERS], line: farthestLine() },
      ]
    : [{ name: 'tests', args: jestArgs }];

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
  ...runs.map(({ name, args, line }) => {
    const work = async () => {
      const run = await runJest(args, line === undefined ? undefined : await nodeOf(line));
      for (const [name, count] of Object.entries(run.counts))
        counts[/** @type {keyof typeof counts} */ (name)] += count;
      if (run.failure) throw run.failure;
      return line && `Node ${line}`;
    };
    return /** @type {const} */ ([name, work]);
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
