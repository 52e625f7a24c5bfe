// Runs this project's tools to their end, and keeps what they print until it is needed.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * The script behind a package's command, to be run with this Node: works where `.bin` holds no links.
 * @param {string} name package
 * @param {string} [command]
 */
export function bin(name, command = name) {
  const folder = join(root, 'node_modules', name);
  const declared = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).bin;
  return join(folder, typeof declared === 'string' ? declared : declared[command]);
}

/**
 * Runs a Node script to its end and returns what it printed.
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export function node(args, options) {
  return run(process.execPath, args, options);
}

/** A command that ended badly; the message holds all it printed. */
export class CommandFailed extends Error {}

/**
 * Runs a command to its end and returns its standard output.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<string>}
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    let all = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
      all += chunk;
    });
    child.stderr.on('data', (chunk) => (all += chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(printed);
      else reject(new CommandFailed(`${[command, ...args].join(' ')} ended with ${code}\n${all.trim()}`));
    });
  });
}

/** @param {number} since from performance.now() */
export function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
