// Rows of the two tables as the contract knows them.
import type { OutboxRow, OutboxState, Scan } from '../contract/outbox.js';
import { EVERYTHING, isTag } from '../entry/tags.js';
import type { Row } from '../sql/dialect.js';

/** What triggers write where a change gives new ends to paths. */
const LATE = 'trigger-late';

export function stateOf(row: Row): OutboxState {
  return {
    generation: Number(row['generation']),
    epoch: String(row['epoch']),
    seq: Number(row['seq']),
    incarnation: String(row['incarnation']),
    silentMs: Number(row['silent_ms']),
  };
}

export function rowOf(row: Row): OutboxRow {
  return {
    id: String(row['id']),
    tags: parseTags(row['tags']),
    intent: Boolean(row['intent']),
    ...(row['source'] === LATE && { late: true }),
    ageMs: Number(row['age_ms']),
  };
}

/** Undefined for what no writer of ours can have written: better everything than something unknown. */
export function parseTags(text: unknown): string[] | undefined {
  const tags = typeof text === 'string' ? text.split(' ') : [];
  return tags.length > 0 && tags.every((tag) => tag === EVERYTHING || isTag(tag)) ? tags : undefined;
}

/** Nothing where the database does not number its transactions. */
export function transactionsOf({ oldest, next }: Row): Pick<Scan, 'transactions'> {
  if (typeof oldest !== 'string' || typeof next !== 'string') return {};
  return { transactions: { oldest: BigInt(oldest), next: BigInt(next) } };
}
