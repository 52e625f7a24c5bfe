// An embedded PostgreSQL server: started by the first process, joined by the next ones, gone with the first.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import { type Binaries, findBinaries, openToAll } from './binaries.js';

export interface EmbeddedServer {
  readonly url: string;
  /** False where another process runs the server: stopping is then not ours. */
  readonly owner: boolean;
  stop(): Promise<void>;
}

/** Who runs the server of a folder; `port` appears once it answers. */
interface Lease {
  readonly pid: number;
  readonly port?: number;
}

const START_LIMIT_MS = 60_000;
const POLL_MS = 50;
const UNANSWERED_LIMIT = 100;
/** `nobody`: PostgreSQL refuses to run as root, so root hands it to the one user every system has. */
const UNPRIVILEGED = 65_534;

const asRoot = process.getuid?.() === 0;
const identity = asRoot ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readLease(file: string): Lease | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Lease;
  } catch {
    return undefined; // absent, or being written at this moment
  }
}

/** Atomic, so that of two processes starting at once one owns and the other joins. */
function claim(file: string): boolean {
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid } satisfies Lease), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

const urlOf = (port: number): string => `postgres://postgres@127.0.0.1:${port}/postgres`;

async function answers(port: number): Promise<boolean> {
  const client = new pg.Client({ connectionString: urlOf(port), connectionTimeoutMillis: 2000 });
  // A server that goes away between connect and end reports it here; the outcome is already decided.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('No free port for the embedded database.');
  return address.port;
}

function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Ends a server whose Node process was killed before it could: its own pid file names it. */
async function stopOrphan(data: string, logger: Logger): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const lines = readFileSync(file, 'utf8').split('\n');
  const pid = Number(lines[0]);
  // Line 2 is the data folder: a pid that was given to another program since is not ours to end.
  if (!Number.isInteger(pid) || pid <= 1 || lines[1] !== data || !alive(pid)) return;
  if (!(await answers(Number(lines[3])))) return;
  logger.warn({ pid }, 'stopping an embedded database that an earlier process left behind');
  process.kill(pid, 'SIGINT');
  for (let waited = 0; alive(pid) && waited < 10_000; waited += POLL_MS) await pause(POLL_MS);
}

async function initialise(binaries: Binaries, data: string): Promise<void> {
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (asRoot) chownSync(data, UNPRIVILEGED, UNPRIVILEGED);
  const flags = ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const child = spawn(binaries.initdb, flags, { ...identity, stdio: ['ignore', 'ignore', 'pipe'], cwd: data });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`initdb ended with ${code}: ${complaint.trim()}`);
}

async function launch(
  binaries: Binaries,
  data: string,
  logger: Logger,
): Promise<{ port: number; child: ChildProcess }> {
  await initialise(binaries, data);
  const port = await freePort();
  // The data is loaded anew at every start, so nothing is paid for surviving a power cut.
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'full_page_writes=off',
    'synchronous_commit=off',
    'max_connections=60',
  ];
  const flags = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  // Detached: Ctrl-C in the terminal reaches this process only, which then stops the server after its own work.
  const child = spawn(binaries.postgres, flags, {
    ...identity,
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: data,
    detached: true,
  });
  let tail = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-4000);
    logger.debug({ postgres: chunk.toString().trim() }, 'embedded database says');
  });
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  for (let waited = 0; waited < START_LIMIT_MS; waited += POLL_MS) {
    if (failure) throw failure;
    if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}: ${tail.trim()}`);
    if (await answers(port)) return { port, child };
    await pause(POLL_MS);
  }
  child.kill('SIGQUIT');
  throw new Error(`postgres did not answer within ${START_LIMIT_MS} ms: ${tail.trim()}`);
}

async function own(dir: string, lease: string, logger: Logger): Promise<EmbeddedServer> {
  const data = join(dir, 'data');
  await stopOrphan(data, logger);
  const failures: string[] = [];
  for (const binaries of findBinaries(dir, asRoot)) {
    try {
      const { port, child } = await launch(binaries, data, logger);
      // Renamed into place: a joining process reads either the old lease or the whole new one.
      writeFileSync(`${lease}.new`, JSON.stringify({ pid: process.pid, port } satisfies Lease));
      renameSync(`${lease}.new`, lease);
      const kill = (): void => void child.kill('SIGQUIT');
      process.once('exit', kill);
      logger.info({ port, programs: binaries.origin }, 'embedded database started');
      return {
        url: urlOf(port),
        owner: true,
        async stop() {
          process.off('exit', kill);
          child.kill('SIGINT');
          await exited(child);
          // The lease goes last: until then nobody else starts a server in this folder.
          for (const part of ['data', 'native']) rmSync(join(dir, part), { recursive: true, force: true });
          rmSync(lease, { force: true });
        },
      };
    } catch (error) {
      failures.push(`${binaries.origin}: ${(error as Error).message}`);
      logger.warn({ programs: binaries.origin, err: error }, 'these PostgreSQL programs do not work here');
    }
  }
  rmSync(lease, { force: true });
  const reason = failures.length > 0 ? failures.join('; ') : 'no PostgreSQL programs were found';
  throw new Error(`No embedded database: ${reason}. Set DATABASE_URL to use a server.`);
}

/**
 * Starts the server of `dir`, or joins the one that another process already runs there. Its data lives as long as the
 * process that started it.
 */
export async function startEmbedded(dir: string, logger: Logger): Promise<EmbeddedServer> {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  if (asRoot) {
    // The server runs as another user and has to get through; a strict umask or mkdtemp would have shut it out.
    chmodSync(dir, 0o755);
    if (!openToAll(dir))
      throw new Error(
        `The database server of root runs as user ${UNPRIVILEGED}, who cannot reach EMBEDDED_DIR ${dir}.`,
      );
  }
  const lease = join(dir, 'owner.json');
  let unanswered = 0;
  for (let waited = 0; waited < 2 * START_LIMIT_MS; waited += POLL_MS) {
    if (claim(lease)) return own(dir, lease, logger);
    const other = readLease(lease);
    if (other !== undefined && !alive(other.pid)) {
      rmSync(lease, { force: true });
      continue;
    }
    if (other?.port !== undefined) {
      if (await answers(other.port)) {
        logger.info({ port: other.port, owner: other.pid }, 'joined the embedded database of another process');
        return { url: urlOf(other.port), owner: false, stop: async () => undefined };
      }
      // For long enough: its owner is gone, and the pid belongs to some other program now.
      if (++unanswered >= UNANSWERED_LIMIT) rmSync(lease, { force: true });
    }
    await pause(POLL_MS);
  }
  throw new Error(`The embedded database in ${dir} is being started by another process and does not get ready.`);
}
