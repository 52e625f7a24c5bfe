// A Redis of one run's own: killed, restarted empty or from an old snapshot, replaced by its replica.
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../test/support/processes.mjs';
import { startRedis } from '../../test/support/redis-service.mjs';

/** One server with a folder of its own, which is empty unless asked to save. @param {readonly string[]} args */
export async function openRedis(args = []) {
  const folder = await mkdtemp(join(tmpdir(), 'live-redis-'));
  const port = await freePort();
  const all = ['--dir', folder, '--dbfilename', 'dump.rdb', '--repl-diskless-sync-delay', '0', ...args];
  const dump = join(folder, 'dump.rdb');
  const older = join(folder, 'older.rdb');
  let server = await startRedis({ port, args: all });
  const admin = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  admin.on('error', () => undefined);

  return {
    port,
    admin,
    get pid() {
      return server.pid;
    },
    /** SIGKILL. */
    kill: () => server.kill(),
    async startEmpty() {
      await rm(dump, { force: true });
      server = await startRedis({ port, args: all });
    },
    /** Keeps what there is now for {@link startOlder}. */
    async snapshot() {
      await admin.save();
      await copyFile(dump, older);
    },
    async startOlder() {
      await copyFile(older, dump);
      server = await startRedis({ port, args: all });
    },
    async close() {
      admin.disconnect();
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof openRedis>>} RedisStage */
