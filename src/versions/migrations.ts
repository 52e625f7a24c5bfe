// The tables of versioned results as TypeORM migrations, and what differs between the databases in statements on them.
import type { SqlDialect } from '../sql/dialect.js';
import { migration, type SqlMigration } from '../sql/migration.js';
import { mysql } from '../sql/mysql.js';
import { postgres } from '../sql/postgres.js';
import { sqlite } from '../sql/sqlite.js';

export type VersionMigration = SqlMigration;

export const SUBJECT_TABLE = 'report_cache_subject';
export const VERSION_TABLE = 'report_cache_version';
export const TALLY_TABLE = 'report_cache_tally';
export const VOTE_TABLE = 'report_cache_vote';

export interface VersionDialect {
  readonly sql: SqlDialect;
  /** Makes an INSERT of a row that exists already do nothing. */
  readonly unlessExists: string;
  /** Makes an INSERT into the votes replace the one that there is. */
  readonly replacing: string;
  /** Makes a SELECT lock its rows until the transaction ends. */
  readonly forUpdate: string;
}

const UPSERT = 'ON CONFLICT (namespace, subject, version, voter) DO UPDATE SET up = excluded.up';
const DIALECTS = {
  postgres: { sql: postgres, unlessExists: postgres.unlessExists, replacing: UPSERT, forUpdate: ' FOR UPDATE' },
  mysql: {
    sql: mysql,
    unlessExists: mysql.unlessExists,
    replacing: 'ON DUPLICATE KEY UPDATE up = VALUES(up)',
    forUpdate: ' FOR UPDATE',
  },
  // One connection, so nobody else is there to be locked out.
  sqlite: { sql: sqlite, unlessExists: 'ON CONFLICT DO NOTHING', replacing: UPSERT, forUpdate: '' },
} as const satisfies Readonly<Record<SqlDialect['name'], VersionDialect>>;

/** Of a DataSource of this `type`; undefined: none that was tried. */
export function versionDialectOf(type: string): VersionDialect | undefined {
  if (type === 'postgres') return DIALECTS.postgres;
  if (type === 'mysql' || type === 'mariadb') return DIALECTS.mysql;
  return type === 'sqljs' ? DIALECTS.sqlite : undefined;
}

/** Columns by table, as of the last migration. */
export const VERSION_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  [SUBJECT_TABLE]: ['namespace', 'subject', 'type', 'report', 'tenant', 'filters', 'latest', 'pinned'],
  [VERSION_TABLE]: ['namespace', 'subject', 'version', 'body', 'created_at', 'compute_ms', 'reason', 'made_by', 'cost'],
  [TALLY_TABLE]: ['namespace', 'subject', 'version', 'up', 'down', 'views', 'viewed_at'],
  [VOTE_TABLE]: ['namespace', 'subject', 'version', 'voter', 'up'],
};

/** Statements that make the tables of these names. */
type Creation = (...tables: string[]) => string[];

/** Bodies are written once; what changes with every reader and voter lies beside them. Times are wall clocks, ms. */
interface Types {
  readonly name: string;
  readonly hash: string;
  readonly person: string;
  readonly text: string;
  readonly bytes: string;
  readonly ms: string;
  readonly end: string;
}

const tablesOf =
  ({ name, hash, person, text, bytes, ms, end }: Types): Creation =>
  (subject, version, tally, vote) => [
    `CREATE TABLE ${subject} (
  namespace ${name} NOT NULL,
  subject ${hash} NOT NULL,
  type ${name} NOT NULL,
  report ${text} NOT NULL,
  tenant ${text},
  filters ${text} NOT NULL,
  latest integer NOT NULL,
  pinned integer,
  PRIMARY KEY (namespace, subject)
)${end}`,
    `CREATE TABLE ${version} (
  namespace ${name} NOT NULL,
  subject ${hash} NOT NULL,
  version integer NOT NULL,
  body ${bytes} NOT NULL,
  created_at bigint NOT NULL,
  compute_ms ${ms} NOT NULL,
  reason ${text},
  made_by ${text},
  cost ${text},
  PRIMARY KEY (namespace, subject, version)
)${end}`,
    `CREATE TABLE ${tally} (
  namespace ${name} NOT NULL,
  subject ${hash} NOT NULL,
  version integer NOT NULL,
  up integer NOT NULL,
  down integer NOT NULL,
  views bigint NOT NULL,
  viewed_at bigint,
  PRIMARY KEY (namespace, subject, version)
)${end}`,
    `CREATE TABLE ${vote} (
  namespace ${name} NOT NULL,
  subject ${hash} NOT NULL,
  version integer NOT NULL,
  voter ${person} NOT NULL,
  up smallint NOT NULL,
  PRIMARY KEY (namespace, subject, version, voter)
)${end}`,
  ];

const ASCII = 'CHARACTER SET ascii COLLATE ascii_bin';
const CREATION: Readonly<Record<SqlDialect['name'], Creation>> = {
  postgres: tablesOf({
    name: 'text',
    hash: 'text',
    person: 'text',
    text: 'text',
    bytes: 'bytea',
    ms: 'double precision',
    end: '',
  }),
  mysql: tablesOf({
    name: `varchar(64) ${ASCII}`,
    hash: `char(64) ${ASCII}`,
    person: 'varchar(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    text: 'text CHARACTER SET utf8mb4',
    bytes: 'longblob',
    ms: 'double',
    end: ' ENGINE = InnoDB',
  }),
  sqlite: tablesOf({ name: 'text', hash: 'text', person: 'text', text: 'text', bytes: 'blob', ms: 'real', end: '' }),
};

const stepsOf = (dialect: SqlDialect['name']) => ({
  up: CREATION[dialect],
  down: (...names: string[]) => names.toReversed().map((table) => `DROP TABLE ${table}`),
});

/**
 * Append only, like `outboxMigrations`. On PostgreSQL, MySQL, MariaDB and SQLite through sql.js. The role that runs the
 * application needs SELECT, INSERT, UPDATE and DELETE on all four tables.
 */
export const versionMigrations: readonly (new () => VersionMigration)[] = [
  migration<SqlDialect>('ReportCacheVersions1767484800000', {
    dialectOf: (type) => versionDialectOf(type)?.sql,
    tables: [SUBJECT_TABLE, VERSION_TABLE, TALLY_TABLE, VOTE_TABLE],
    purpose: 'versioned results',
    steps: { postgres: stepsOf('postgres'), mysql: stepsOf('mysql'), sqlite: stepsOf('sqlite') },
  }),
];
