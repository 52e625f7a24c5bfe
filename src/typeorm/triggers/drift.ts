// Compares the triggers in the database with those that the rules ask for.
import type { Ask } from '../../contract/outbox.js';
import { isObject } from '../rows.js';

const PROBLEMS = ['missing', 'different', 'left over', 'disabled'] as const;

/** A difference between the rules and the database; until it is gone, writes past the ORM may invalidate too little. */
export interface Drift {
  /** As the database names it. */
  readonly table: string;
  /**
   * `missing`: a trigger of the table, a helper or the outbox is not there. `different`: made from other rules, or
   * edited. `left over`: made for a table that has none now. `disabled`: there, but without effect.
   */
  readonly problem: (typeof PROBLEMS)[number];
}

/** Rows of `(table, problem)`, problem null where all is well. */
export async function readDrift(ask: Ask, sql: string): Promise<Drift[]> {
  const rows: unknown = await ask(sql);
  const found = new Map<string, Drift>();
  for (const row of Array.isArray(rows) ? rows.filter(isObject) : []) {
    const table = String(Reflect.get(row, 'table'));
    const problem = PROBLEMS.find((one) => one === Reflect.get(row, 'problem'));
    if (problem !== undefined) found.set(`${table} ${problem}`, { table, problem });
  }
  return [...found.values()];
}
