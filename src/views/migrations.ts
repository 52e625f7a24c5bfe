// The table of the views as a TypeORM migration.
import { qualified } from '../sql/dialect.js';
import { migration, type SqlMigration } from '../sql/migration.js';
import { postgres } from '../sql/postgres.js';

export type ViewMigration = SqlMigration;

export const VIEWS_TABLE = 'report_cache_views';

/** Its name in SQL, in the schema of the DataSource if that names one. */
export function viewsTable(schema: string | undefined): string {
  return qualified(postgres, schema, VIEWS_TABLE);
}

/**
 * Append only, like `outboxMigrations`, and needed where views are declared on PostgreSQL; elsewhere they do nothing. The role
 * that runs the application needs SELECT, INSERT and UPDATE on the table, and must own the views (PostgreSQL 17: or MAINTAIN).
 */
export const viewMigrations: readonly (new () => ViewMigration)[] = [
  migration<typeof postgres>('ReportCacheViews1767312000000', {
    dialectOf: (type) => (type === 'postgres' ? postgres : undefined),
    tables: [VIEWS_TABLE],
    steps: {
      postgres: {
        up: (views) => [
          `CREATE TABLE ${views} (
  namespace text NOT NULL,
  name text NOT NULL,
  epoch text NOT NULL,
  seq bigint NOT NULL,
  as_of timestamptz NOT NULL,
  refreshes bigint NOT NULL,
  told boolean NOT NULL,
  PRIMARY KEY (namespace, name)
)`,
        ],
        down: (views) => [`DROP TABLE ${views}`],
      },
    },
  }),
];
