// Many rows into one table.
import type { EntityManager } from 'typeorm';

type SqlType = 'int' | 'smallint' | 'float8' | 'bool' | 'text' | 'date' | 'timestamptz';
type Columns<Row> = readonly (readonly [column: string, type: SqlType, value: (row: Row) => unknown])[];

const BATCH = 20_000;

/** One array per column: a statement has few parameters however many rows it carries, and PostgreSQL plans it once. */
export async function insert<Row>(
  manager: EntityManager,
  table: string,
  rows: readonly Row[],
  columns: Columns<Row>,
): Promise<void> {
  const names = columns.map(([name]) => name).join(', ');
  const arrays = columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ');
  for (let start = 0; start < rows.length; start += BATCH) {
    const batch = rows.slice(start, start + BATCH);
    const values = columns.map(([, , value]) => batch.map(value));
    await manager.query(`INSERT INTO ${table} (${names}) SELECT * FROM unnest(${arrays})`, values);
  }
}
