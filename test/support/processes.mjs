// Starts helper servers that cannot outlive the process that asked for them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export { run } from '../../scripts/lib/run.mjs';

// The shell holds the server on a leash: when our end of the pipe closes, by stop() or because this process died in
// whatever way, SIGKILL included, the reader wakes up and ends the server. A Node script would do the same, but a
// server that runs as another user may not be allowed to read a Node installed below root's home.
const LEASH = `
exec 3<&0
"$@" </dev/null 3<&- >&2 & child=$!
echo "$child"
{ read -r _ <&3; kill "-$STOP_SIGNAL" "$child" 2>/dev/null; } & reader=$!
wait "$child"; code=$?
kill "$reader" 2>/dev/null
exit "$code"`;

const KEPT_OUTPUT = 8_000;

/**
 * @typedef {object} RunningServer
 * @property {number} pid the server itself, not its leash
 * @property {Promise<number>} exited its exit code, once it is gone
 * @property {() => boolean} running
 * @property {() => string} output the last lines it wrote
 * @property {() => Promise<void>} stop lets it shut down
 * @property {() => Promise<void>} kill ends it without warning
 */

/**
 * Starts a server bound to the life of this process; never keeps this process alive.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ uid?: number | undefined, gid?: number | undefined, env?: NodeJS.ProcessEnv, stopSignal?: 'TERM' | 'INT' }} [options]
 * @returns {Promise<RunningServer>}
 */
export async function startServer(command, args, { env = process.env, stopSignal = 'TERM', ...user } = {}) {
  const leash = spawn('sh', ['-c', LEASH, 'leash', command, ...args], {
    stdio: 'pipe',
    cwd: '/',
    env: { ...env, STOP_SIGNAL: stopSignal },
    ...user,
  });
  let output = '';
  let gone = false;
  const exited = new Promise((resolve, reject) => {
    leash.once('error', reject);
    leash.once('exit', (code) => {
      gone = true;
      resolve(code ?? 1);
    });
  });
  leash.stderr.on('data', (chunk) => (output = (output + chunk).slice(-KEPT_OUTPUT)));
  leash.stdin.on('error', () => (gone = true));
  const pid = await new Promise((resolve, reject) => {
    leash.stdout.once('data', (chunk) => resolve(Number(String(chunk))));
    exited.then(() => reject(new Error(`${command} did not start: ${output}`)), reject);
  });
  leash.unref();
  for (const stream of [leash.stdin, leash.stdout, leash.stderr]) if (stream instanceof Socket) stream.unref();

  const ended = async () => {
    leash.ref();
    await exited;
  };
  return {
    pid,
    exited,
    running: () => !gone,
    output: () => output,
    async stop() {
      leash.stdin.end();
      await ended();
    },
    async kill() {
      if (!gone) process.kill(pid, 'SIGKILL');
      await ended();
    },
  };
}

/**
 * Resolves once `probe` succeeds; rejects with the server's own words when it dies or the time is over.
 * @param {RunningServer} server
 * @param {() => Promise<unknown>} probe
 * @param {string} what
 */
export async function untilReady(server, probe, what, timeoutMs = 60_000) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let reason;
    try {
      return await probe();
    } catch (error) {
      reason = messageOf(error);
    }
    if (!server.running()) throw new Error(`${what} ended during its start:\n${server.output()}`);
    if (performance.now() > deadline) {
      await server.kill();
      throw new Error(`${what} gave no answer within ${timeoutMs} ms (${reason}):\n${server.output()}`);
    }
    await delay(20);
  }
}

/**
 * A free port that {@link freePort} never gives. Sentinels go on looking for a server that was killed, and make a stranger
 * that comes up on its port a replica.
 */
export async function reservedPort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * The first executable of these names on PATH.
 * @param {readonly string[]} names
 * @returns {string | undefined}
 */
export function onPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  for (const name of names) {
    for (const folder of folders) if (isExecutable(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {unknown} error @returns {string} */
export function messageOf(error) {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}

/** Resolves when it is gone, if it was there. @param {import('node:child_process').ChildProcess} child */
export async function kill(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
