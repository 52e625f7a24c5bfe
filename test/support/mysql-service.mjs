// Finds a real MySQL or MariaDB for the tests, with a database of this run's own. Unlike the other servers it may be missing.
import { randomBytes } from 'node:crypto';
import mysql from 'mysql2/promise';
import { messageOf } from './processes.mjs';

const LOCAL = 'mysql://root@127.0.0.1:3306/test';

export const MYSQL_ADVICE = `No MySQL and no MariaDB: the tests of the outbox on them do not run (under CI that fails the run). Mend it in one of two ways:
  1. start one and name it:   MYSQL_URL=mysql://user:password@127.0.0.1:3306/test npm test
                              (the user must be allowed to create databases)
  2. install it:              apt-get install mariadb-server   (root without a password over TCP)`;

/** @returns {Promise<import('./redis-service.mjs').Service | undefined>} */
export async function provideMysql() {
  const given = process.env.MYSQL_URL;
  try {
    const how = given ? 'MYSQL_URL' : 'the server on 127.0.0.1:3306';
    return await withOwnDatabase(given || LOCAL, how);
  } catch (error) {
    if (given)
      throw new Error(`MYSQL_URL is set, but no test database could be made there: ${messageOf(error)}`, {
        cause: error,
      });
    console.warn(`${MYSQL_ADVICE}\nTried:\n  - 127.0.0.1:3306 as root: ${messageOf(error)}`);
    return undefined;
  }
}

/**
 * @param {string} url
 * @param {string} how
 * @returns {Promise<import('./redis-service.mjs').Service>}
 */
async function withOwnDatabase(url, how) {
  const name = `erc_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await dropAbandoned(url);
  await queryMysql(url, `CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    url: own.href,
    how,
    own: false,
    async stop() {
      await queryMysql(url, `DROP DATABASE IF EXISTS ${name}`);
    },
  };
}

/**
 * Drops what interrupted runs left on this machine.
 * @param {string} url
 */
async function dropAbandoned(url) {
  if (new URL(url).hostname !== '127.0.0.1') return;
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
