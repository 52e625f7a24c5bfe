// What only PostgreSQL has: WAL positions, roles, and a server that is restarted.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { query } from '../support/postgres-service.mjs';
import { startPrivatePostgres, type PrivatePostgres } from '../support/private-postgres.js';
import { openPostgres, type Database } from './support/databases.js';

const START_MS = 30_000;

let server: PrivatePostgres;
let database: Database;
beforeAll(async () => {
  server = await startPrivatePostgres(['synchronous_commit=off', 'wal_writer_delay=10s']);
  database = await openPostgres(server.url);
}, START_MS);
afterAll(async () => {
  await database.close();
  await server.stop();
}, START_MS);

describe('the WAL position of a scan', () => {
  it('covers its rows, even of commits that did not wait for their WAL', async () => {
    const { outbox } = database.outbox();
    for (let count = 0; count < 20; count += 1) {
      await outbox.write(database.ask, ['a:1']);
      const [row] = (await database.source.query(
        `SELECT lpad(to_hex((pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint), 16, '0') AS inserted,
                lpad(to_hex((pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint), 16, '0') AS written`,
      )) as { inserted: string; written: string }[];
      const { lsn } = await outbox.scan(1);
      expect(lsn).toMatch(/^[0-9a-f]{16}$/);
      expect(String(lsn) >= String(row?.inserted)).toBe(true);
    }
  });
});

describe('a role without privileges', () => {
  it('sweeps with rights on the two tables only, and calls the server by the same name as its owner', async () => {
    const { outbox, namespace } = database.outbox();
    const { schema } = database;
    await query(
      server.url,
      `CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA ${schema} TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO app`,
    );
    const url = new URL(server.url);
    url.username = 'app';
    const source = await new DataSource({ type: 'postgres', url: url.href }).initialize();
    const app = database.outbox({ namespace, ask: (sql, parameters) => source.query(sql, parameters) }).outbox;
    const id = await app.write((sql, parameters) => source.query(sql, parameters), ['a:1']);
    const scan = await app.scan(10);
    expect(scan.rows.map((row) => row.id)).toEqual([id]);
    expect(scan.incarnation).toBe((await outbox.scan(1)).incarnation);
    await source.destroy();
  });
});

describe('the name of the server', () => {
  it(
    'is another one after a restart',
    async () => {
      const { outbox, namespace } = database.outbox();
      const before = (await outbox.scan(1)).incarnation;
      await database.source.destroy();
      await server.restart();
      await database.source.initialize();
      const after = (await database.outbox({ namespace }).outbox.scan(1)).incarnation;
      expect(after).not.toBe(before);
    },
    START_MS,
  );
});
