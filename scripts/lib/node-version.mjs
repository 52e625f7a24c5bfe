// Other versions of Node than the one that runs: brought from npm once, then found in its cache.
import { run } from './run.mjs';

/** What is supported, the oldest version first. */
export const NODE_LINES = /** @type {const} */ (['20.12', '22', '24', '26']);

/** The far end of what is supported, seen from the version that runs. */
export const farthestLine = () => (Number(process.versions.node.split('.')[0]) < 24 ? '26' : '20.12');

/**
 * The executable of a version, the newest that there is of a line.
 * @param {string} version e.g. `24` or `20.12`
 * @returns {Promise<string>}
 */
export async function nodeOf(version) {
  const said = await run(
    'npm',
    ['exec', '--yes', `--package=node@${version}`, '--', 'node', '-p', 'process.execPath'],
    {
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  return said.trim();
}
