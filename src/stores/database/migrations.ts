// The tables of persisted entries as TypeORM migrations, and how to see whether they are there.
import type { Ask } from '../../contract/outbox.js';
import { ENTRY_TABLE, POSITION_TABLE, TAG_TABLE, type SqlDialect } from '../../sql/dialect.js';
import { hasTables, migration, type SqlMigration } from '../../sql/migration.js';
import type { Flavour } from './flavour.js';
import { mysqlFlavour } from './mysql-flavour.js';
import { postgresFlavour } from './postgres-flavour.js';
import { ROW_COLUMNS } from './rows.js';
import { sqliteFlavour } from './sqlite-flavour.js';

/** Which SQL a DataSource of this `type` speaks; undefined: none that can keep entries, or none that was tried. */
export function flavourOf(type: string): Flavour | undefined {
  if (type === 'postgres') return postgresFlavour;
  if (type === 'mysql' || type === 'mariadb') return mysqlFlavour;
  if (type === 'sqljs') return sqliteFlavour;
  return undefined;
}

/** Columns by table, as of the last migration. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  [ENTRY_TABLE]: ['namespace', 'name', ...ROW_COLUMNS],
  [TAG_TABLE]: ['namespace', 'tag', 'seq', 'at'],
  [POSITION_TABLE]: ['namespace', 'epoch', 'seq', 'floor'],
};

/**
 * Append only: what has been released is never changed, because it has run somewhere. Give them to TypeORM with your
 * own, `migrations: [...outboxMigrations, ...persistMigrations, …]`; the tables go to the DataSource's `schema`, if it
 * names one. The role that runs the application needs SELECT, INSERT, UPDATE and DELETE on all three.
 */
export const persistMigrations: readonly (new () => SqlMigration)[] = [
  migration<SqlDialect>('ReportCachePersist1767225700000', {
    dialectOf: (type) => flavourOf(type)?.sql,
    tables: [ENTRY_TABLE, TAG_TABLE, POSITION_TABLE],
    purpose: 'persisted reports',
    steps: {
      postgres: {
        // Times are the application's wall clock, ms, as in the entries themselves.
        up: (entry, tag, position) => [
          `CREATE TABLE ${entry} (
  namespace text NOT NULL,
  name text NOT NULL,
  entry_key text NOT NULL,
  type text NOT NULL,
  owner text NOT NULL,
  header text NOT NULL,
  body bytea NOT NULL,
  coding text,
  tags text NOT NULL,
  as_of bigint NOT NULL,
  created_at bigint NOT NULL,
  stale_at bigint NOT NULL,
  delete_at bigint NOT NULL,
  compute_ms double precision NOT NULL,
  bytes bigint NOT NULL,
  worth double precision NOT NULL,
  PRIMARY KEY (namespace, name)
)`,
          `CREATE INDEX ${ENTRY_TABLE}_owner ON ${entry} (namespace, owner)`,
          `CREATE INDEX ${ENTRY_TABLE}_worth ON ${entry} (namespace, worth)`,
          `CREATE INDEX ${ENTRY_TABLE}_end ON ${entry} (namespace, delete_at)`,
          // Rows are rewritten with every write to the application's own tables: vacuum must not wait for a share of them.
          `CREATE TABLE ${tag} (
  namespace text NOT NULL,
  tag text NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (namespace, tag)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)`,
          `CREATE TABLE ${position} (
  namespace text PRIMARY KEY,
  epoch text NOT NULL,
  seq bigint NOT NULL,
  floor bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`,
        ],
        down: (entry, tag, position) => [`DROP TABLE ${position}`, `DROP TABLE ${tag}`, `DROP TABLE ${entry}`],
      },
      mysql: {
        up: (entry, tag, position) => [
          `CREATE TABLE ${entry} (
  namespace varchar(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  entry_key text NOT NULL,
  type varchar(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  owner varchar(500) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  header mediumtext CHARACTER SET utf8mb4 NOT NULL,
  body longblob NOT NULL,
  coding varchar(20) CHARACTER SET ascii COLLATE ascii_bin NULL,
  tags mediumtext CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  as_of bigint NOT NULL,
  created_at bigint NOT NULL,
  stale_at bigint NOT NULL,
  delete_at bigint NOT NULL,
  compute_ms double NOT NULL,
  bytes bigint NOT NULL,
  worth double NOT NULL,
  PRIMARY KEY (namespace, name),
  KEY ${ENTRY_TABLE}_owner (namespace, owner),
  KEY ${ENTRY_TABLE}_worth (namespace, worth),
  KEY ${ENTRY_TABLE}_end (namespace, delete_at)
) ENGINE = InnoDB`,
          `CREATE TABLE ${tag} (
  namespace varchar(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tag varchar(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (namespace, tag)
) ENGINE = InnoDB`,
          `CREATE TABLE ${position} (
  namespace varchar(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  epoch varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq bigint NOT NULL,
  floor bigint NOT NULL
) ENGINE = InnoDB`,
        ],
        down: (entry, tag, position) => [`DROP TABLE ${position}`, `DROP TABLE ${tag}`, `DROP TABLE ${entry}`],
      },
      sqlite: {
        up: (entry, tag, position) => [
          `CREATE TABLE ${entry} (
  namespace text NOT NULL,
  name text NOT NULL,
  entry_key text NOT NULL,
  type text NOT NULL,
  owner text NOT NULL,
  header text NOT NULL,
  body blob NOT NULL,
  coding text,
  tags text NOT NULL,
  as_of integer NOT NULL,
  created_at integer NOT NULL,
  stale_at integer NOT NULL,
  delete_at integer NOT NULL,
  compute_ms real NOT NULL,
  bytes integer NOT NULL,
  worth real NOT NULL,
  PRIMARY KEY (namespace, name)
)`,
          `CREATE INDEX ${ENTRY_TABLE}_owner ON ${entry} (namespace, owner)`,
          `CREATE INDEX ${ENTRY_TABLE}_worth ON ${entry} (namespace, worth)`,
          `CREATE INDEX ${ENTRY_TABLE}_end ON ${entry} (namespace, delete_at)`,
          `CREATE TABLE ${tag} (
  namespace text NOT NULL,
  tag text NOT NULL,
  seq integer NOT NULL,
  at integer NOT NULL,
  PRIMARY KEY (namespace, tag)
) WITHOUT ROWID`,
          `CREATE TABLE ${position} (
  namespace text NOT NULL PRIMARY KEY,
  epoch text NOT NULL,
  seq integer NOT NULL,
  floor integer NOT NULL
)`,
        ],
        down: (entry, tag, position) => [`DROP TABLE ${position}`, `DROP TABLE ${tag}`, `DROP TABLE ${entry}`],
      },
    },
  }),
];

/** Whether the three tables and all their columns are there. */
export function canPersist(ask: Ask, flavour: Flavour, schema?: string): Promise<boolean> {
  return hasTables(ask, flavour.sql, schema, COLUMNS);
}
