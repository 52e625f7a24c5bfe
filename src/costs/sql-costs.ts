// The table of costs: a row for each day, report type, currency and source, to which every process adds.
import type { Ask } from '../contract/outbox.js';
import { COUNTS, type CountKey, type CountRow } from './counts.js';
import type { CostTable } from './ledger.js';
import { qualified, type Dialect } from '../sql/dialect.js';
import { hasTables } from '../sql/migration.js';
import { ADDING, COSTS_TABLE } from './migrations.js';

export interface SqlCostsParts {
  readonly dialect: Dialect;
  readonly ask: Ask;
  readonly namespace: string;
  readonly schema: string | undefined;
}

const KEY = ['day', 'type', 'currency', 'source'] as const satisfies readonly (keyof CountKey)[];
const COLUMNS = ['namespace', ...KEY, ...COUNTS.map(columnOf)];

export class SqlCosts implements CostTable {
  readonly #table: string;

  constructor(private readonly parts: SqlCostsParts) {
    this.#table = qualified(parts.dialect, parts.schema, COSTS_TABLE);
  }

  /** Whether the migration has run. */
  isInstalled(): Promise<boolean> {
    const { ask, dialect, schema } = this.parts;
    return hasTables(ask, dialect, schema, { [COSTS_TABLE]: COLUMNS });
  }

  /** One statement: all of it or nothing, and atomic beside those of other processes. */
  async add(rows: readonly CountRow[]): Promise<void> {
    const { ask, dialect, namespace } = this.parts;
    const parameters = rows.flatMap((row) => [
      namespace,
      ...KEY.map((name) => row[name]),
      ...COUNTS.map((name) => row[name]),
    ]);
    const values = rows.map(
      (_, row) => `(${COLUMNS.map((_name, column) => `$${row * COLUMNS.length + column + 1}`).join(', ')})`,
    );
    const adding = ADDING[dialect.name](['namespace', ...KEY], COUNTS.map(columnOf));
    await dialect.run(
      ask,
      `INSERT INTO ${this.#table} (${COLUMNS.join(', ')}) VALUES ${values.join(', ')} ${adding}`,
      parameters,
    );
  }

  async read(from: string, to: string): Promise<CountRow[]> {
    const { ask, dialect, namespace } = this.parts;
    const { rows } = await dialect.run(
      ask,
      `SELECT ${COLUMNS.join(', ')} FROM ${this.#table} WHERE namespace = $1 AND day >= $2 AND day <= $3`,
      [namespace, from, to],
    );
    return rows.map(
      (row) =>
        Object.fromEntries([
          ...KEY.map((name) => [name, row[name]]),
          // Drivers give bigints as text.
          ...COUNTS.map((name) => [name, Number(row[columnOf(name)])]),
        ]) as CountRow,
    );
  }
}

function columnOf(count: string): string {
  return count.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
