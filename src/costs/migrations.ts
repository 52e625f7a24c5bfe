// The table of the costs as a TypeORM migration, and how databases add to a row that is there already.
import type { Dialect, DialectName } from '../sql/dialect.js';
import { migration, type SqlMigration } from '../sql/migration.js';
import { mysql } from '../sql/mysql.js';
import { postgres } from '../sql/postgres.js';

export type CostMigration = SqlMigration;

export const COSTS_TABLE = 'report_cache_costs';

/** What an INSERT does with the row that has the same key: each of `columns` becomes what it was and what is inserted. */
export const ADDING: Readonly<Record<DialectName, (key: readonly string[], columns: readonly string[]) => string>> = {
  postgres: (key, columns) =>
    `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ` +
    columns.map((column) => `${column} = ${COSTS_TABLE}.${column} + excluded.${column}`).join(', '),
  mysql: (_key, columns) =>
    `ON DUPLICATE KEY UPDATE ${columns.map((column) => `${column} = ${column} + VALUES(${column})`).join(', ')}`,
};

/** Of a DataSource of this `type`; undefined: none that was tried. */
export function costDialectOf(type: string): Dialect | undefined {
  if (type === 'postgres') return postgres;
  return type === 'mysql' || type === 'mariadb' ? mysql : undefined;
}

const COUNTS = `times bigint NOT NULL,
  micros bigint NOT NULL,
  saved_micros bigint NOT NULL,
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  nanos bigint NOT NULL,
  PRIMARY KEY (namespace, day, type, currency, source)`;

const ASCII = 'CHARACTER SET ascii COLLATE ascii_bin NOT NULL';

/**
 * Append only, like `outboxMigrations`. On PostgreSQL, MySQL and MariaDB: the costs of all processes, kept for good. The role that
 * runs the application needs SELECT, INSERT and UPDATE on the table.
 */
export const costMigrations: readonly (new () => CostMigration)[] = [
  migration<Dialect>('ReportCacheCosts1767398400000', {
    dialectOf: costDialectOf,
    tables: [COSTS_TABLE],
    purpose: 'the costs',
    steps: {
      postgres: {
        // Few rows that change all day: room in the page for the next version of each.
        up: (costs) => [
          `CREATE TABLE ${costs} (
  namespace text NOT NULL,
  day text NOT NULL,
  type text NOT NULL,
  currency text NOT NULL,
  source text NOT NULL,
  ${COUNTS}
) WITH (fillfactor = 50)`,
        ],
        down: (costs) => [`DROP TABLE ${costs}`],
      },
      mysql: {
        up: (costs) => [
          `CREATE TABLE ${costs} (
  namespace varchar(64) ${ASCII},
  day char(10) ${ASCII},
  type varchar(64) ${ASCII},
  currency varchar(3) ${ASCII},
  source varchar(20) ${ASCII},
  ${COUNTS}
) ENGINE = InnoDB`,
        ],
        down: (costs) => [`DROP TABLE ${costs}`],
      },
    },
  }),
];
