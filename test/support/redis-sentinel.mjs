// A Redis master with replicas, watched by three sentinels, for tests of failover.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reservedPort, startServer, untilReady } from './processes.mjs';
import { ask, HOST, until } from './redis-ask.mjs';
import { findRedisBinary, ping, startRedis } from './redis-service.mjs';

const SENTINELS = 3;
const QUORUM = 2;

/**
 * @typedef {object} RedisSentinel
 * @property {{ host: string, port: number }[]} sentinels for ioredis: `new Redis({ sentinels, name })`
 * @property {string} name what the sentinels call the master
 * @property {() => Promise<number>} masterPort the port of the server that the sentinels name now
 * @property {(port: number) => Promise<void>} kill SIGKILL to one of the servers; it does not come back
 * @property {(port: number, signal: NodeJS.Signals) => void} signal e.g. SIGSTOP and SIGCONT: a server that is paused
 * @property {() => Promise<number>} failover SENTINEL FAILOVER: the master stays alive and becomes a replica; resolves with the new master's port
 * @property {(from: number) => Promise<number>} promoted resolves with the port of the master that has followed the one on `from`
 * @property {() => Promise<void>} stop
 */

/**
 * Starts the group on free ports (about 2 s). It ends with this process at the latest.
 * @param {{ replicas?: number, downAfterMs?: number, failoverTimeoutMs?: number, args?: readonly string[] }} [options]
 *   `args`: more options of the servers, e.g. `['--maxmemory', '2mb']`
 * @returns {Promise<RedisSentinel>}
 */
export async function startRedisSentinel({
  replicas = 1,
  downAfterMs = 500,
  failoverTimeoutMs = 2_000,
  args = [],
} = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'redis-sentinel-'));
  const name = 'reports';
  /** @type {Map<number, Awaited<ReturnType<typeof startRedis>>>} */
  const servers = new Map();
  /** @type {Awaited<ReturnType<typeof startServer>>[]} */
  const watchers = [];
  const stop = async () => {
    await Promise.all(watchers.map((watcher) => watcher.kill()));
    await Promise.all([...servers.values()].map((server) => server.kill()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    // Without a delay a replica that attaches is in step at once.
    const common = ['--dir', folder, '--repl-diskless-sync-delay', '0', ...args];
    const master = await startRedis({ port: await reservedPort(), args: [...common, '--dbfilename', 'master.rdb'] });
    servers.set(master.port, master);
    for (let index = 0; index < replicas; index += 1) {
      const own = ['--dbfilename', `replica-${index}.rdb`, '--replicaof', HOST, String(master.port)];
      const replica = await startRedis({ port: await reservedPort(), args: [...common, ...own] });
      servers.set(replica.port, replica);
      await until(async () => (await info(replica.port, 'replication')).includes('master_link_status:up'));
    }
    const sentinels = [];
    for (let index = 0; index < SENTINELS; index += 1) {
      const port = await reservedPort();
      const file = join(folder, `sentinel-${index}.conf`);
      const text = [
        `port ${port}`,
        `bind ${HOST}`,
        `dir ${folder}`,
        `sentinel monitor ${name} ${HOST} ${master.port} ${QUORUM}`,
        `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
        `sentinel failover-timeout ${name} ${failoverTimeoutMs}`,
      ];
      writeFileSync(file, `${text.join('\n')}\n`);
      const { path, env } = await findRedisBinary();
      const sentinel = await startServer(path, [file, '--sentinel'], { env });
      watchers.push(sentinel);
      await untilReady(sentinel, () => ping(`redis://${HOST}:${port}`), 'redis-server --sentinel');
      sentinels.push({ host: HOST, port });
    }
    const [first] = sentinels;
    if (first === undefined) throw new Error('There is no sentinel.');
    const masterPort = async () => {
      const [, port] = /** @type {string[]} */ (await ask(first.port, 'SENTINEL', 'get-master-addr-by-name', name));
      return Number(port);
    };
    /** @param {number} from */
    const promoted = async (from) => {
      await until(async () => (await masterPort()) !== from);
      const port = await masterPort();
      await until(async () => (await info(port, 'replication')).includes('role:master'));
      return port;
    };
    // A failover needs sentinels that have found one another and the replicas.
    for (const { port } of sentinels) {
      await until(async () => {
        const known = fields(await ask(port, 'SENTINEL', 'master', name));
        return (
          known.get('num-other-sentinels') === String(SENTINELS - 1) && known.get('num-slaves') === String(replicas)
        );
      });
    }
    return {
      sentinels,
      name,
      masterPort,
      promoted,
      async kill(port) {
        await servers.get(port)?.kill();
      },
      signal(port, signal) {
        const pid = servers.get(port)?.pid;
        if (pid !== undefined) process.kill(pid, signal);
      },
      async failover() {
        const from = await masterPort();
        // NOGOODSLAVE while the last failover is not over.
        await until(async () =>
          ask(first.port, 'SENTINEL', 'failover', name).then(
            () => true,
            () => false,
          ),
        );
        return promoted(from);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {number} port @param {string} section @returns {Promise<string>} */
async function info(port, section) {
  return String(await ask(port, 'INFO', section));
}

/** @param {unknown} reply a flat array, or under RESP3 a map @returns {Map<string, string>} */
function fields(reply) {
  const flat = Array.isArray(reply) ? reply : Object.entries(reply ?? {}).flat();
  const map = new Map();
  for (let at = 0; at < flat.length; at += 2) map.set(String(flat[at]), String(flat[at + 1]));
  return map;
}
