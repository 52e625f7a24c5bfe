// A database with the outbox in it, over the real driver.
import { DataSource } from 'typeorm';
import type { Ask } from '../../../src/contract/outbox.js';
import type { CacheEvent } from '../../../src/contract/events.js';
import type { Dialect } from '../../../src/sql/dialect.js';
import { dialectOf, outboxMigrations } from '../../../src/outbox/migrations.js';
import { SqlOutbox, type SqlOutboxParts } from '../../../src/outbox/sql-outbox.js';
import { databaseUrl, ownNamespace, ownSchema } from '../../support/isolation.js';
import { queryMysql } from '../../support/mysql-service.mjs';
import { query } from '../../support/postgres-service.mjs';

export interface Database {
  readonly source: DataSource;
  readonly dialect: Dialect;
  readonly schema: string | undefined;
  readonly ask: Ask;
  /** An outbox under a namespace of its own. */
  outbox(parts?: Partial<SqlOutboxParts>): { outbox: SqlOutbox; namespace: string; events: CacheEvent[] };
  /** The table's name in SQL. */
  table(name: 'outbox' | 'state'): string;
  close(): Promise<void>;
}

/** The run's own MySQL or MariaDB; undefined: there is none. */
export const mysqlUrl = process.env['MYSQL_URL'];

export async function openPostgres(url = databaseUrl()): Promise<Database> {
  const schema = ownSchema();
  await query(url, `CREATE SCHEMA ${schema}`);
  const source = await new DataSource({
    type: 'postgres',
    url,
    schema,
    migrations: [...outboxMigrations],
    migrationsTableName: 'applied',
  }).initialize();
  return open(source, schema, async () => {
    await source.destroy();
    await query(url, `DROP SCHEMA ${schema} CASCADE`);
  });
}

/** A database of its own: the same file runs for several combinations of peers at once. */
export async function openMysql(server = String(mysqlUrl)): Promise<Database> {
  const name = ownSchema();
  await queryMysql(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const source = await new DataSource({
    type: 'mysql',
    url: url.href,
    migrations: [...outboxMigrations],
    migrationsTableName: 'applied',
  }).initialize();
  return open(source, undefined, async () => {
    await source.undoLastMigration();
    await source.destroy();
    await queryMysql(server, `DROP DATABASE ${name}`);
  });
}

async function open(source: DataSource, schema: string | undefined, close: () => Promise<void>): Promise<Database> {
  await source.runMigrations();
  const dialect = dialectOf(source.options.type);
  if (dialect === undefined) throw new Error('no dialect');
  const ask: Ask = (sql, parameters) => source.query(sql, parameters);
  return {
    source,
    dialect,
    schema,
    ask,
    outbox(parts = {}) {
      const namespace = parts.namespace ?? ownNamespace();
      const events: CacheEvent[] = [];
      const emit = (event: CacheEvent): void => void events.push(event);
      const outbox = new SqlOutbox({
        dialect,
        ask,
        namespace,
        emit,
        ...(schema !== undefined && { schema }),
        ...parts,
      });
      return { outbox, namespace, events };
    },
    table: (name) => `${schema === undefined ? '' : `${dialect.quote(schema)}.`}report_cache_${name}`,
    close,
  };
}
