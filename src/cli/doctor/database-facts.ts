// What a database tells of the outbox, the versions and the triggers in it: SELECTs only, through the host's TypeORM.
import type { Ask } from '../../contract/outbox.js';
import { errorText } from '../../contract/errors.js';
import { dialectOf, isInstalled } from '../../outbox/migrations.js';
import { OUTBOX_TABLE, qualified, STATE_TABLE, type Dialect, type Row } from '../../sql/dialect.js';
import { hasTables } from '../../sql/migration.js';
import { Names } from '../../typeorm/triggers/postgres-names.js';
import type { DriverLike } from '../../typeorm/typeorm-like.js';
import { VERSION_COLUMNS, VERSION_TABLE } from '../../versions/migrations.js';
import { failed, unreachable, usageError, withoutPassword } from '../failures.js';
import type { Host } from '../host.js';

export interface DatabaseFacts {
  readonly dialect: Dialect['name'];
  /** Undefined: the package does not say. */
  readonly typeorm: string | undefined;
  /** Undefined: there are no tables for it, or they are not complete. */
  readonly outbox:
    | {
        readonly waiting: number;
        readonly oldestMs: number;
        readonly setAside: number;
        /** Undefined: no sweeper has ever looked after the namespace. */
        readonly state: { readonly epoch: string; readonly generation: number; readonly silentMs: number } | undefined;
      }
    | undefined;
  /** Rows of versioned results; undefined: there are no tables for them. */
  readonly versions: number | undefined;
  /** PostgreSQL only. */
  readonly triggers:
    | {
        readonly functions: number;
        readonly triggers: number;
        readonly disabled: readonly string[];
        /** Functions whose owner may not write into the outbox. */
        readonly unable: readonly string[];
      }
    | undefined;
  /** Whether a COMMIT that was answered survives a crash. */
  readonly durable: { readonly setting: string; readonly value: string };
}

interface DataSourceClass {
  new (options: object): {
    initialize(): Promise<unknown>;
    destroy(): Promise<void>;
    query(sql: string, parameters?: unknown[]): Promise<unknown>;
  };
}

const TYPES: Readonly<Record<string, string>> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mariadb',
};
const CONNECT_MS = 5000;

export interface DatabaseAddress {
  readonly url: string;
  readonly schema: string | undefined;
  readonly namespace: string;
}

export async function databaseFacts({ url, schema, namespace }: DatabaseAddress, host: Host): Promise<DatabaseFacts> {
  const type = typeOf(url);
  const dialect = dialectOf(type);
  if (dialect === undefined) throw usageError('--database takes a postgres://, mysql:// or mariadb:// address.');
  const DataSource: unknown = Reflect.get(Object(host.load('typeorm')), 'DataSource');
  if (typeof DataSource !== 'function')
    throw failed('The installed typeorm has no DataSource: 0.3.20+ or 1.x is needed.');
  const extra = type === 'postgres' ? { connectionTimeoutMillis: CONNECT_MS } : { connectTimeout: CONNECT_MS };
  const source = new (DataSource as DataSourceClass)({ type, url, entities: [], ...(schema && { schema }), extra });
  try {
    await source.initialize();
  } catch (error) {
    throw unreachable(`The database does not answer: ${withoutPassword(errorText(error))}`);
  }
  try {
    const ask: Ask = (sql, parameters) => source.query(sql, parameters);
    return {
      dialect: dialect.name,
      typeorm: host.versionOf('typeorm'),
      outbox: (await isInstalled(ask, dialect, schema))
        ? await outboxFacts(ask, dialect, schema, namespace)
        : undefined,
      versions: (await hasTables(ask, dialect, schema, VERSION_COLUMNS))
        ? await count(ask, dialect, qualified(dialect, schema, VERSION_TABLE), namespace)
        : undefined,
      triggers: dialect.name === 'postgres' ? await triggerFacts(ask, dialect, schema, namespace) : undefined,
      durable: await durability(ask, dialect),
    };
  } finally {
    await source.destroy();
  }
}

function typeOf(url: string): string {
  try {
    return TYPES[new URL(url).protocol] ?? '';
  } catch {
    return '';
  }
}

async function outboxFacts(
  ask: Ask,
  dialect: Dialect,
  schema: string | undefined,
  namespace: string,
): Promise<NonNullable<DatabaseFacts['outbox']>> {
  const [outbox, state] = [OUTBOX_TABLE, STATE_TABLE].map((table) => qualified(dialect, schema, table));
  const rows = await dialect.run(
    ask,
    `SELECT COUNT(*) AS found, MAX(${dialect.msSince('at')}) AS oldest, set_aside IS NOT NULL AS aside FROM ${outbox} WHERE namespace = $1 GROUP BY set_aside IS NOT NULL`,
    [namespace],
  );
  const isAside = (row: Row) => row['aside'] === true || Number(row['aside']) === 1;
  const waiting = rows.rows.find((row) => !isAside(row));
  const known = await dialect.run(
    ask,
    `SELECT epoch, generation, ${dialect.msSince('swept_at')} AS silent FROM ${state} WHERE namespace = $1`,
    [namespace],
  );
  const [row] = known.rows;
  return {
    waiting: Number(waiting?.['found'] ?? 0),
    oldestMs: Number(waiting?.['oldest'] ?? 0),
    setAside: Number(rows.rows.find(isAside)?.['found'] ?? 0),
    state: row && {
      epoch: String(row['epoch']),
      generation: Number(row['generation']),
      silentMs: Number(row['silent']),
    },
  };
}

async function count(ask: Ask, dialect: Dialect, table: string, namespace: string): Promise<number> {
  const { rows } = await dialect.run(ask, `SELECT COUNT(*) AS found FROM ${table} WHERE namespace = $1`, [namespace]);
  return Number(rows[0]?.['found'] ?? 0);
}

/** What can be told without the entities: whether each trigger fires, and whether its function may do what it has to. */
async function triggerFacts(
  ask: Ask,
  dialect: Dialect,
  schema: string | undefined,
  namespace: string,
): Promise<NonNullable<DatabaseFacts['triggers']>> {
  const here = await dialect.run(ask, 'SELECT current_schema() AS home', []);
  const home = schema ?? String(here.rows[0]?.['home'] ?? 'public');
  const { prefix, outbox } = new Names({ schema: home } as DriverLike, namespace);
  const functions = await dialect.run(
    ask,
    `SELECT p.proname::text AS name, COALESCE(has_table_privilege(p.proowner, to_regclass($2)::oid, 'INSERT'), false) AS able FROM pg_catalog.pg_proc AS p WHERE starts_with(p.proname, $1)`,
    [prefix, outbox],
  );
  const triggers = await dialect.run(
    ask,
    `SELECT g.tgrelid::regclass::text AS place, g.tgenabled = 'A' AS fires FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid WHERE starts_with(p.proname, $1)`,
    [prefix],
  );
  const places = (rows: readonly Row[], name: string) => [...new Set(rows.map((row) => String(row[name])))].sort();
  return {
    functions: functions.rows.length,
    triggers: triggers.rows.length,
    disabled: places(
      triggers.rows.filter((row) => row['fires'] !== true),
      'place',
    ),
    unable: places(
      functions.rows.filter((row) => row['able'] !== true),
      'name',
    ),
  };
}

async function durability(ask: Ask, dialect: Dialect): Promise<DatabaseFacts['durable']> {
  const setting = dialect.name === 'postgres' ? 'synchronous_commit' : 'innodb_flush_log_at_trx_commit';
  const sql =
    dialect.name === 'postgres' ? `SELECT current_setting('${setting}') AS value` : `SELECT @@${setting} AS value`;
  const { rows } = await dialect.run(ask, sql, []);
  return { setting, value: String(rows[0]?.['value'] ?? '') };
}
