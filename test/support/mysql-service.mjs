// Finds a real MySQL or MariaDB for the tests, with a database of this run's own. Unlike the other servers it may be missing.
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { freePort, messageOf, onPath, run, startServer, untilReady } from './processes.mjs';

const LOCAL = 'mysql://root@127.0.0.1:3306/test';

export const MYSQL_ADVICE = `No MySQL and no MariaDB: the tests of the outbox on them do not run (under CI that fails the run). Mend it in one of two ways:
  1. start one and name it:   MYSQL_URL=mysql://user:password@127.0.0.1:3306/test npm test
                              (the user must be allowed to create databases)
  2. install it:              apt-get install mariadb-server   (the tests start one of their own)`;

/** It refuses to run as root, so root lends it this id: nobody, on every system we know. */
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const serverUser = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

/** @returns {Promise<import('./redis-service.mjs').Service | undefined>} */
export async function provideMysql() {
  const given = process.env.MYSQL_URL;
  if (given) {
    try {
      return await withOwnDatabase({ url: given, how: 'MYSQL_URL', own: false, stop: async () => undefined });
    } catch (error) {
      throw new Error(`MYSQL_URL is set, but no test database could be made there: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
  const tried = [];
  try {
    const how = 'the server on 127.0.0.1:3306';
    await dropAbandoned(LOCAL);
    return await withOwnDatabase({ url: LOCAL, how, own: false, stop: async () => undefined });
  } catch (error) {
    tried.push(`127.0.0.1:3306 as root: ${messageOf(error)}`);
  }
  try {
    const server = await startMariadb();
    const how = 'a private server from an installed MariaDB';
    return await withOwnDatabase({ url: server.url, how, own: true, stop: () => server.stop() });
  } catch (error) {
    tried.push(messageOf(error));
  }
  console.warn(`${MYSQL_ADVICE}\nTried:\n${tried.map((line) => `  - ${line}`).join('\n')}`);
  return undefined;
}

/**
 * Starts an installed MariaDB with a data folder of its own (4 s). Its files are not synced: it must survive restarts, not
 * power cuts.
 */
export async function startMariadb() {
  const program = onPath('mariadbd') ?? '/usr/sbin/mariadbd';
  const install = onPath('mariadb-install-db');
  if (!install) throw new Error('no mariadb-install-db on PATH');
  const home = mkdtempSync(join(tmpdir(), 'erc-mariadb-'));
  if (isRoot) chownSync(home, NOBODY, NOBODY);
  const removeHome = () => rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', removeHome);
  const forget = () => {
    process.off('exit', removeHome);
    removeHome();
  };
  const data = `--datadir=${join(home, 'data')}`;
  try {
    const login = ['--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve'];
    await run(install, ['--no-defaults', data, ...login], { ...serverUser, cwd: '/' });
    const port = await freePort();
    const url = `mysql://root@127.0.0.1:${port}/mysql`;
    const boot = async () => {
      const flags = [
        '--no-defaults',
        data,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        `--socket=${join(home, 's')}`,
      ];
      const unsynced = ['--innodb-flush-log-at-trx-commit=2', '--innodb-buffer-pool-size=32M'];
      const server = await startServer(program, [...flags, ...unsynced], serverUser);
      await untilReady(server, () => queryMysql(url, 'SELECT 1'), 'mariadbd');
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

/**
 * Adds a database that lives as long as the run, so that no test touches one that was there before.
 * @param {import('./redis-service.mjs').Service} server
 * @returns {Promise<import('./redis-service.mjs').Service>}
 */
async function withOwnDatabase(server) {
  const name = `erc_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await queryMysql(server.url, `CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return {
    ...server,
    url: url.href,
    async stop() {
      if (!server.own) await queryMysql(server.url, `DROP DATABASE IF EXISTS ${name}`);
      await server.stop();
    },
  };
}

/**
 * Drops what interrupted runs left on this machine.
 * @param {string} url
 */
async function dropAbandoned(url) {
  const rows = await queryMysql(
    url,
    "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name REGEXP '^erc_test_[0-9]+_[0-9a-f]+$'",
  );
  for (const name of rows.map((row) => String(row.name)))
    if (!isRunning(Number(name.split('_')[2]))) await queryMysql(url, `DROP DATABASE IF EXISTS ${name}`);
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
 * @returns {Promise<Record<string, unknown>[]>}
 */
export async function queryMysql(url, sql) {
  const client = await mysql.createConnection({ uri: url, connectTimeout: 2_000 });
  try {
    const [rows] = await client.query(sql);
    return /** @type {Record<string, unknown>[]} */ (rows);
  } finally {
    await client.end();
  }
}
