// Starts and ends the two server processes of an arm.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('server.mjs', import.meta.url));
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5_000;

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {() => Promise<{ counts: Record<string, number>, stallMs: number }>} counts
 * @property {() => Promise<void>} stop
 */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Server>}
 */
async function startServer(env) {
  const child = fork(SCRIPT, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let said = '';
  child.stderr?.on('data', (chunk) => (said = (said + chunk).slice(-4_000)));
  let gone = false;
  const exited = once(child, 'exit').then(() => (gone = true));
  const died = exited.then(() => Promise.reject(new Error(`A server process ended:\n${said}`)));
  // Only a question that is open at that time needs to hear of it.
  died.catch(() => undefined);

  /** @param {number} limit @returns {Promise<any>} */
  const message = async (limit) => {
    const giveUp = AbortSignal.timeout(limit);
    const [answer] = await Promise.race([once(child, 'message', { signal: giveUp }), died]);
    return answer;
  };
  const stop = async () => {
    if (gone) return;
    if (child.connected) child.disconnect();
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await exited;
    clearTimeout(late);
  };
  try {
    const { url } = await message(START_LIMIT_MS);
    return {
      url,
      async counts() {
        child.send('counts');
        return message(STOP_LIMIT_MS);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {NodeJS.ProcessEnv} env @returns {Promise<Server[]>} */
export async function startServers(env) {
  const started = await Promise.allSettled([startServer(env), startServer(env)]);
  const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed === undefined) return servers;
  await Promise.all(servers.map((server) => server.stop()));
  throw failed.reason;
}
