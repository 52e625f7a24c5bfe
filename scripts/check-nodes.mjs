// Runs the tests, with the newest peers, on every supported line of Node: `npm run check:nodes`, or some: `-- 22 24`.
import { build } from './build.mjs';
import { NEWEST_PEERS, runJest } from './lib/jest.mjs';
import { NODE_LINES, nodeOf } from './lib/node-version.mjs';
import { runStages } from './lib/stages.mjs';

const wanted = process.argv.slice(2);
const lines = wanted.length > 0 ? wanted : NODE_LINES;

const succeeded = await runStages([
  ['build', build],
  ...lines.map((line) => {
    const work = async () => {
      const { counts, failure } = await runJest(['--selectProjects', NEWEST_PEERS], await nodeOf(line));
      if (failure) throw failure;
      return `${counts.passed} passed, ${counts.skipped} skipped`;
    };
    return /** @type {const} */ ([`Node ${line}`, work]);
  }),
]);
process.exitCode = succeeded ? 0 : 1;
