// A Redis Cluster on free ports, for tests that kill nodes and move slots.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './processes.mjs';
import { ask, HOST, until } from './redis-ask.mjs';
import { startRedis } from './redis-service.mjs';

const SLOTS = 16_384;
/** Keys of one step of a move. */
const BATCH = 100;

/**
 * A slot on its way, step by step, so that a test can look in between.
 * @typedef {object} SlotMove
 * @property {number} from port
 * @property {number} to port
 * @property {(count?: number) => Promise<number>} migrate moves up to so many keys; resolves with how many it moved
 * @property {(key: string) => Promise<void>} migrateKey moves this key
 * @property {() => Promise<void>} finish moves the rest and gives the slot to `to`
 */

/**
 * @typedef {object} RedisCluster
 * @property {{ host: string, port: number }[]} nodes for ioredis: `new Cluster(nodes)`; masters first
 * @property {readonly number[]} masters the ports that were masters at the start
 * @property {(key: string) => Promise<number>} slotOf
 * @property {(slot: number) => Promise<number>} ownerOf the port of the master that has it now
 * @property {(slot: number, to: number) => Promise<SlotMove>} beginMove SETSLOT IMPORTING and MIGRATING
 * @property {(slot: number, to: number) => Promise<void>} moveSlot all of it at once
 * @property {(port: number) => Promise<void>} kill SIGKILL to one node
 * @property {(port: number) => Promise<void>} restart the same node again, with the slots it had and no data
 * @property {() => Promise<void>} whole resolves once every living node says that the cluster is whole
 * @property {() => Promise<void>} stop
 */

/**
 * Starts the cluster (about 2 s without replicas). It ends with this process at the latest.
 * @param {{ masters?: number, replicasEach?: number, nodeTimeoutMs?: number, args?: readonly string[] }} [options]
 *   `args`: more options of every node
 * @returns {Promise<RedisCluster>}
 */
export async function startRedisCluster({ masters = 3, replicasEach = 0, nodeTimeoutMs = 1_000, args = [] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'redis-cluster-'));
  /** @type {Map<number, Awaited<ReturnType<typeof startRedis>>>} */
  const servers = new Map();
  /** @type {Map<number, readonly string[]>} */
  const argsOf = new Map();
  const stop = async () => {
    await Promise.all([...servers.values()].map((server) => server.kill()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (let index = 0; index < masters * (1 + replicasEach); index += 1) {
      const [port, busPort] = [await freePort(), await freePort()];
      const own = [
        ...['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`, '--dir', folder],
        // The bus is usually port + 10,000, which an ephemeral port may not leave room for.
        ...['--cluster-port', String(busPort), '--cluster-node-timeout', String(nodeTimeoutMs)],
        ...['--dbfilename', `${port}.rdb`, '--repl-diskless-sync-delay', '0', ...args],
      ];
      argsOf.set(port, own);
      servers.set(port, await startRedis({ port, args: own }));
    }
    const ports = [...servers.keys()];
    const first = ports.slice(0, masters);
    for (const [index, port] of first.entries()) {
      const [start, end] = [index, index + 1].map((n) => Math.round((n * SLOTS) / masters));
      await cluster(port, 'ADDSLOTSRANGE', start ?? 0, (end ?? 0) - 1);
      await cluster(port, 'SET-CONFIG-EPOCH', index + 1);
    }
    for (const port of ports.slice(1)) await cluster(ports[0] ?? 0, 'MEET', HOST, port, busPortOf(argsOf.get(port)));
    await until(async () => (await Promise.all(ports.map(knows))).every((count) => count === ports.length));
    for (const [index, port] of ports.slice(masters).entries()) {
      const master = first[index % masters] ?? 0;
      await cluster(port, 'REPLICATE', await cluster(master, 'MYID'));
      await until(async () => String(await ask(port, 'INFO', 'replication')).includes('master_link_status:up'));
    }
    const whole = () => until(async () => (await Promise.all([...servers.keys()].map(isWhole))).every(Boolean));
    await whole();

    /** @param {string} key */
    const slotOf = async (key) => Number(await cluster(anyLiving(), 'KEYSLOT', key));
    const anyLiving = () => [...servers.keys()][0] ?? 0;
    /** @param {number} slot */
    const ownerOf = async (slot) => {
      const ranges = /** @type {[number, number, [string, number]][]} */ (await cluster(anyLiving(), 'SLOTS'));
      const range = ranges.find(([from, to]) => from <= slot && slot <= to);
      if (range === undefined) throw new Error(`Nobody has slot ${slot}.`);
      return range[2][1];
    };
    /** @param {number} slot @param {number} to @returns {Promise<SlotMove>} */
    const beginMove = async (slot, to) => {
      const from = await ownerOf(slot);
      const [fromId, toId] = [await cluster(from, 'MYID'), await cluster(to, 'MYID')];
      await cluster(to, 'SETSLOT', slot, 'IMPORTING', fromId);
      await cluster(from, 'SETSLOT', slot, 'MIGRATING', toId);
      /** @param {string[]} keys */
      const send = (keys) => ask(from, 'MIGRATE', HOST, to, '', 0, 5_000, 'KEYS', ...keys);
      const migrate = async (count = BATCH) => {
        const keys = /** @type {string[]} */ (await cluster(from, 'GETKEYSINSLOT', slot, count));
        if (keys.length > 0) await send(keys);
        return keys.length;
      };
      return {
        from,
        to,
        migrate,
        migrateKey: async (key) => void (await send([key])),
        async finish() {
          while ((await migrate()) > 0);
          const others = [...servers.keys()].filter((port) => port !== from && port !== to);
          for (const port of [to, from, ...others]) {
            // Replicas learn it from their master and refuse to be told.
            await cluster(port, 'SETSLOT', slot, 'NODE', toId).catch(() => undefined);
          }
          await until(async () => (await ownerOf(slot)) === to);
        },
      };
    };
    return {
      nodes: ports.map((port) => ({ host: HOST, port })),
      masters: first,
      slotOf,
      ownerOf,
      beginMove,
      async moveSlot(slot, to) {
        const move = await beginMove(slot, to);
        await move.finish();
      },
      async kill(port) {
        const server = servers.get(port);
        servers.delete(port);
        await server?.kill();
      },
      async restart(port) {
        await servers.get(port)?.kill();
        servers.set(port, await startRedis({ port, args: argsOf.get(port) ?? [] }));
      },
      whole,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {number} port */
async function knows(port) {
  const nodes = String(await cluster(port, 'NODES'))
    .trim()
    .split('\n');
  return nodes.filter((line) => !/handshake|noaddr|fail/.test(line)).length;
}

/** @param {number} port */
async function isWhole(port) {
  return String(await cluster(port, 'INFO')).includes('cluster_state:ok');
}

/** @param {readonly string[]} [args] */
function busPortOf(args = []) {
  return args[args.indexOf('--cluster-port') + 1] ?? '';
}

/** @param {number} port @param {string} command @param {...unknown} args */
function cluster(port, command, ...args) {
  return ask(port, 'CLUSTER', command, ...args);
}
