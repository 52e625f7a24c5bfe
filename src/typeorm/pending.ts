// What is known about one query runner between its statements and their end.
import { Accounting } from './accounting.js';
import { NOTHING, type Prepared } from './delivery.js';
import { isObject } from './rows.js';
import { TagBag } from './tag-bag.js';
import type { QueryRunnerLike } from './typeorm-like.js';

export interface Pending {
  readonly accounting: Accounting;
  /** One bag per open level: the transaction, then its savepoints. */
  levels: TagBag[];
  /** Written outside transactions and not flushed yet. */
  loose: TagBag;
  looseFlush: Promise<void> | undefined;
  /** Levels that are being rolled back; they come back if that fails. */
  doomed: TagBag | undefined;
  /** A transaction was begun with raw SQL. */
  rawOpen: boolean;
  /** COMMIT may have been sent. */
  commitTried: boolean;
  /** The server answered COMMIT with ROLLBACK. */
  refused: boolean;
  /** The connection came with somebody else's open transaction. */
  dirty: boolean;
  /** Statements of different levels overlapped: an inner rollback proves nothing about one bag. */
  tangled: boolean;
  tracked: boolean;
  settling: boolean;
  /** What was put in place before the COMMIT. */
  prepared: Prepared;
  /** The same before each statement outside transactions that is still running. */
  statements: { readonly sql: string; readonly prepared: Prepared }[];
  /** The same of statements that are done and not flushed yet. */
  finished: Prepared;
}

export function newPending(): Pending {
  return {
    accounting: new Accounting(),
    levels: [],
    loose: new TagBag(),
    looseFlush: undefined,
    doomed: undefined,
    rawOpen: false,
    commitTried: false,
    refused: false,
    dirty: false,
    tangled: false,
    tracked: false,
    settling: false,
    prepared: NOTHING,
    statements: [],
    finished: NOTHING,
  };
}

/**
 * Whether the connection stands in a transaction, whoever began it: node-postgres knows `T`, in a transaction, and `E`,
 * in a failed one. False where the client cannot tell, and before the runner has a connection.
 */
export function hasOpenTransaction(runner: QueryRunnerLike): boolean {
  const status = transactionStatus(runner);
  return status === 'T' || status === 'E';
}

/** Whether it stands in a transaction that can only be rolled back, even by COMMIT. */
export function hasFailedTransaction(runner: QueryRunnerLike): boolean {
  return transactionStatus(runner) === 'E';
}

function transactionStatus(runner: QueryRunnerLike): unknown {
  const client: unknown = Reflect.get(runner, 'databaseConnection');
  const status: unknown = isObject(client) ? Reflect.get(client, 'getTransactionStatus') : undefined;
  return typeof status === 'function' ? Reflect.apply(status, client, []) : undefined;
}
