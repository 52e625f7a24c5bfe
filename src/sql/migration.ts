// Tables of the library as TypeORM migrations, and how to see whether they are there.
import type { Ask } from '../contract/outbox.js';
import { qualified, type SqlDialect } from './dialect.js';

/** What a migration needs of TypeORM's QueryRunner. */
export interface MigrationRunner {
  readonly connection: { readonly options: { readonly type: string; readonly schema?: string } };
  query(sql: string): Promise<unknown>;
}

export interface SqlMigration {
  /** Ends in the time by which TypeORM orders migrations. */
  readonly name: string;
  up(runner: MigrationRunner): Promise<void>;
  down(runner: MigrationRunner): Promise<void>;
}

/** Statements of one direction, given the names of the tables in SQL. */
type Steps = (...tables: string[]) => readonly string[];

interface Plan<D extends SqlDialect> {
  readonly dialectOf: (type: string) => D | undefined;
  readonly tables: readonly string[];
  /** What the tables are for, as in `cannot hold the outbox`. Absent: a database that needs none of them is left as it is. */
  readonly purpose?: string;
  readonly steps: Readonly<Record<D['name'], { readonly up: Steps; readonly down: Steps }>>;
}

export function migration<D extends SqlDialect>(name: string, plan: Plan<D>): new () => SqlMigration {
  const run = async (runner: MigrationRunner, direction: 'up' | 'down'): Promise<void> => {
    const { type, schema } = runner.connection.options;
    const dialect = plan.dialectOf(type);
    if (dialect === undefined) {
      if (plan.purpose === undefined) return;
      throw new Error(`A database of type "${type}" cannot hold ${plan.purpose}.`);
    }
    const steps = plan.steps[dialect.name as D['name']];
    const tables = plan.tables.map((table) => qualified(dialect, schema, table));
    for (const sql of steps[direction](...tables)) await runner.query(sql);
  };
  return class implements SqlMigration {
    readonly name = name;
    up = (runner: MigrationRunner): Promise<void> => run(runner, 'up');
    down = (runner: MigrationRunner): Promise<void> => run(runner, 'down');
  };
}

/** Whether these tables and all their columns are there. */
export async function hasTables(
  ask: Ask,
  dialect: SqlDialect,
  schema: string | undefined,
  columns: Readonly<Record<string, readonly string[]>>,
): Promise<boolean> {
  for (const [table, wanted] of Object.entries(columns)) {
    const { rows } = await dialect.run(ask, dialect.columns(schema), schema === undefined ? [table] : [table, schema]);
    const found = new Set(rows.map(({ name }) => name));
    if (!wanted.every((column) => found.has(column))) return false;
  }
  return true;
}
