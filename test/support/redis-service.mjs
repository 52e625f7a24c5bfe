// Finds or starts a real Redis for the tests.
import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { unpackedProgram } from './debian.mjs';
import { freePort, messageOf, onPath, run, startServer, untilReady } from './processes.mjs';

const LOCAL = 'redis://127.0.0.1:6379';
const DOCKER_IMAGE = 'redis:7-alpine';

export const REDIS_ADVICE = `The tests need a real Redis. Mend it in one of three ways:
  1. start one and name it:   REDIS_URL=redis://127.0.0.1:6379 npm test
  2. install it:              apt-get install redis-server   (macOS: brew install redis)
  3. start Docker:            \`docker info\` must succeed
Without any server: npm run test:unit`;

/**
 * @typedef {object} Service
 * @property {string} url
 * @property {string} how where it came from, for people
 * @property {boolean} own started by us, for this run only
 * @property {() => Promise<void>} stop
 */

/** @returns {Promise<Service>} */
export async function provideRedis() {
  const given = process.env.REDIS_URL;
  if (given) {
    await ping(given).catch((error) => {
      throw new Error(`REDIS_URL is set, but does not answer: ${messageOf(error)}`);
    });
    return { url: given, how: 'REDIS_URL', own: false, stop: async () => undefined };
  }
  const tried = [];
  try {
    await ping(LOCAL);
    return { url: LOCAL, how: 'the server on 127.0.0.1:6379', own: false, stop: async () => undefined };
  } catch (error) {
    tried.push(`127.0.0.1:6379: ${messageOf(error)}`);
  }
  try {
    const binary = await findRedisBinary();
    const server = await startRedis({ binary });
    return { url: server.url, how: `a private server from ${binary.from}`, own: true, stop: server.stop };
  } catch (error) {
    tried.push(messageOf(error));
  }
  try {
    return await dockerRedis();
  } catch (error) {
    tried.push(`Docker: ${messageOf(error)}`);
  }
  throw new Error(`${REDIS_ADVICE}\nTried:\n${tried.map((line) => `  - ${line}`).join('\n')}`);
}

/**
 * One connection, one PING, no retries.
 * @param {string} url
 */
export async function ping(url) {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // ioredis rejects connect() with "Connection is closed." and tells the cause only here.
  let cause;
  client.on('error', (error) => (cause = error));
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    throw cause ?? error;
  } finally {
    client.disconnect();
  }
}

/** @typedef {import('./debian.mjs').Unpacked} RedisBinary */

/**
 * An installed server, or one unpacked into `.cache` without root and without starting a service.
 * @returns {Promise<RedisBinary>}
 */
export async function findRedisBinary() {
  const installed = onPath('redis-server', 'valkey-server');
  if (installed) return { path: installed, env: process.env, from: installed };
  try {
    return await unpackedProgram('redis', 'redis-server', 'usr/bin/redis-server');
  } catch (error) {
    throw new Error(`no redis-server or valkey-server on PATH, and ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Starts a server that keeps nothing on disk.
 * @param {{ binary?: RedisBinary, port?: number, args?: readonly string[] }} [options]
 */
export async function startRedis({ binary, port, args = [] } = {}) {
  const { path, env } = binary ?? (await findRedisBinary());
  const chosen = port ?? (await freePort());
  const base = ['--port', String(chosen), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  // A replica would leave what it was sent in the folder where the next server looks for its data.
  base.push('--repl-diskless-load', 'swapdb');
  const server = await startServer(path, [...base, ...args], { env });
  const url = `redis://127.0.0.1:${chosen}`;
  await untilReady(server, () => ping(url), 'redis-server');
  return { url, port: chosen, pid: server.pid, stop: server.stop, kill: server.kill };
}

/** @returns {Promise<Service>} */
async function dockerRedis() {
  const docker = onPath('docker');
  if (!docker) throw new Error('not on PATH');
  await run(docker, ['info']);
  const port = await freePort();
  const id = (await run(docker, ['run', '--rm', '--detach', '-p', `127.0.0.1:${port}:6379`, DOCKER_IMAGE])).trim();
  const remove = () => {
    process.off('exit', remove);
    spawnSync(docker, ['rm', '--force', id], { stdio: 'ignore' });
  };
  process.once('exit', remove);
  const container = {
    pid: 0,
    exited: new Promise(() => undefined),
    running: () => true,
    output: () => String(spawnSync(docker, ['logs', id]).stdout),
    stop: async () => remove(),
    kill: async () => remove(),
  };
  const url = `redis://127.0.0.1:${port}`;
  await untilReady(container, () => ping(url), `docker run ${DOCKER_IMAGE}`, 60_000);
  return { url, how: `Docker (${DOCKER_IMAGE})`, own: true, stop: container.stop };
}
