// A streaming replica of a private PostgreSQL, whose replay a test can pause.
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEmbeddedBinaries, findInstalledBinaries, query } from '../../../support/postgres-service.mjs';
import { freePort, run, startServer, untilReady } from '../../../support/processes.mjs';
import { startPrivatePostgres, type PrivatePostgres } from '../../../support/private-postgres.js';

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const serverUser = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

export interface Replicated {
  readonly primary: PrivatePostgres;
  readonly replicaUrl: string;
  /** From now on the replica receives what the primary writes, and does not show it. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

export async function startReplicated(): Promise<Replicated> {
  const { bin } = await findInstalledBinaries().catch(findEmbeddedBinaries);
  const primary = await startPrivatePostgres();
  const home = mkdtempSync(join(tmpdir(), 'erc-replica-'));
  if (isRoot) chownSync(home, NOBODY, NOBODY);
  const data = join(home, 'data');
  const env = { ...process.env, LC_ALL: 'C' };
  const from = ['-h', '127.0.0.1', '-p', String(primary.port), '-U', 'postgres'];
  const copy = ['-D', data, '-R', '-X', 'stream', '-c', 'fast', ...from];
  await run(join(bin, 'pg_basebackup'), copy, { ...serverUser, env, cwd: '/' });
  const port = await freePort();
  const replicaUrl = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'max_connections=200'];
  const flags = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  const server = await startServer(join(bin, 'postgres'), flags, { ...serverUser, env, stopSignal: 'INT' });
  await untilReady(server, () => query(replicaUrl, 'SELECT 1'), 'postgres');
  return {
    primary,
    replicaUrl,
    pause: async () => void (await query(replicaUrl, 'SELECT pg_wal_replay_pause()')),
    resume: async () => void (await query(replicaUrl, 'SELECT pg_wal_replay_resume()')),
    async stop() {
      await server.stop();
      await primary.stop();
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
