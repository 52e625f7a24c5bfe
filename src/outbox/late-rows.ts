// Rows that give new ends to paths: kept until nobody is left who may have followed those paths as they were.
import type { OutboxRow, Scan } from '../contract/outbox.js';

/**
 * Whoever followed a path before such a row was committed has a transaction number below the next one at the sweep that
 * first sees the row. When the oldest open transaction is not below it any more, all of them have ended, and their
 * reports, if any were cached meanwhile, are invalidated for the last time by this sweep.
 */
export class LateRows {
  /** By id: the next transaction when the row was first seen. */
  #seen = new Map<string, bigint>();

  /**
   * Call once for each scan.
   * @returns whether each late row is still needed; nothing of a row where the database does not number its transactions.
   */
  look({ rows, transactions }: Pick<Scan, 'rows' | 'transactions'>): ReadonlyMap<string, boolean> {
    const needed = new Map<string, boolean>();
    const seen = new Map<string, bigint>();
    for (const { id } of transactions === undefined ? [] : rows.filter(isLate)) {
      const next = this.#seen.get(id);
      const over = next !== undefined && transactions !== undefined && transactions.oldest >= next;
      needed.set(id, !over);
      if (!over) seen.set(id, next ?? transactions?.next ?? 0n);
    }
    this.#seen = seen;
    return needed;
  }
}

function isLate(row: OutboxRow): boolean {
  return row.intent && row.late === true;
}
