// Runs Jest, shows its output as it comes, and counts.
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bin, CommandFailed, root } from './run.mjs';

const RESULT = join(root, '.cache/jest-result.json');

/**
 * Jest's words before it waits for ever, when tests that ran in its own process left something open. In a worker
 * test/support/leak-check-environment.mjs says so; Jest's other warning, "failed to exit gracefully", also appears when
 * a worker of a busy machine takes half a second to end.
 */
const LINGERS = /did not exit one second after/;

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** The project with the newest of all peers, where every test runs. */
export const NEWEST_PEERS = 'e5-t1-r5';

/**
 * @param {readonly string[]} args
 * @param {string} [node] executable of the version that runs them
 * @returns {Promise<{ counts: Counts, failure: Error | undefined }>}
 */
export async function runJest(args, node = process.execPath) {
  await mkdir(join(root, '.cache'), { recursive: true });
  await rm(RESULT, { force: true });
  const options = [process.env.NODE_OPTIONS, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const colors = process.stdout.isTTY ? ['--colors'] : [];
  const config = ['--config', 'jest.config.mjs'];
  const child = spawn(node, [bin('jest'), '--json', `--outputFile=${RESULT}`, ...colors, ...config, ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: options.filter(Boolean).join(' ') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let lingers = false;
  child.stdout.on('data', (chunk) => process.stdout.write(chunk));
  child.stderr.on('data', (chunk) => {
    process.stderr.write(chunk);
    if (lingers || !LINGERS.test(String(chunk))) return;
    lingers = true;
    child.kill('SIGTERM');
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const counts = await readCounts();
  if (lingers)
    return { counts, failure: new CommandFailed('A test left something open: run it with --detectOpenHandles.') };
  return { counts, failure: code === 0 ? undefined : new CommandFailed(`jest ended with ${code}`) };
}

/** @returns {Promise<Counts>} */
async function readCounts() {
  const text = await readFile(RESULT, 'utf8').catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 0, skipped: 0 };
  const result = JSON.parse(text);
  return {
    passed: result.numPassedTests,
    // A file that could not even be loaded has no tests to count.
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}
