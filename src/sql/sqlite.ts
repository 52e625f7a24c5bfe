// SQL as SQLite speaks it, over the one connection that TypeORM has there.
import type { Row, SqlDialect } from './dialect.js';

export const sqlite: SqlDialect = {
  name: 'sqlite',
  quote: (identifier) => `"${identifier.replaceAll('"', '""')}"`,
  // `$1` would be a name there, numbered in the order of its appearance.
  run: async (ask, sql, parameters) => {
    const raw = await ask(sql.replaceAll(/\$(\d+)/g, '?$1'), [...parameters]);
    return { rows: Array.isArray(raw) ? (raw as readonly Row[]) : [], affected: 0, id: undefined };
  },
  columns: () => 'SELECT name FROM pragma_table_info($1)',
};
