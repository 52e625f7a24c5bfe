// The processes of a run: a server per arm and one load generator, each on a core of its own where the machine has two.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Cores of the server and of the load generator; none where the machine has one only, or no `taskset`. */
export const cores = pinning();

function pinning() {
  const found = (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/taskset`));
  return found && os.availableParallelism() >= 2 ? { server: 0, load: 1 } : {};
}

export function describeCores() {
  return cores.server === undefined
    ? 'not pinned'
    : `server on ${cores.server}, load on ${cores.load}, Redis on whichever is free`;
}

/** Node.js with a file of this folder, on a core if one is named. */
export function start(file, { core, execArgv = [], args = [] } = {}) {
  const env = { ...process.env, NODE_ENV: 'production' };
  if (core === undefined) return fork(here(file), args, { execArgv, env });
  const command = ['-c', String(core), process.execPath, ...execArgv, here(file), ...args];
  return spawn('taskset', command, { env, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
}

/**
 * @param {import('./server.mjs').Job} job
 * @returns its port, or which option the library lacks for it
 */
export async function startServer(job, profiled) {
  const folder = here('out');
  if (profiled) mkdirSync(folder, { recursive: true });
  const name = `${job.arm}-${job.size}.cpuprofile`;
  const profile = ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-name=${name}`, `--cpu-prof-dir=${folder}`];
  const child = start('server.mjs', { core: cores.server, execArgv: profiled ? profile : [] });
  const { port, lacks } = await ask(child, job);
  return { port, lacks, process: child };
}

/** One message there, one back. @throws if the process ends instead. */
export async function ask(child, message) {
  const ended = new AbortController();
  const gone = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`A process of the benchmark ended with ${code}.`);
  });
  gone.catch(() => undefined);
  const answer = once(child, 'message', { signal: ended.signal });
  child.send(message);
  try {
    return (await Promise.race([answer, gone]))[0];
  } finally {
    ended.abort();
  }
}

/** {@link ask} for a process that answers with `result` or `error`. */
export async function order(child, job) {
  const { result, error } = await ask(child, job);
  if (error !== undefined) throw new Error(error);
  return result;
}

export async function stop(child) {
  if (!child.connected) return;
  const gone = once(child, 'exit');
  child.send('stop');
  await gone;
}
