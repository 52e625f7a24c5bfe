// What is known about one query runner between its statements and their end.
import { Accounting } from './accounting.js';
import { NOTHING, type Prepared } from './delivery.js';
import { isObject } from './rows.js';
import type { Schema } from './schema.js';
import { TagBag } from './tag-bag.js';
import { askAs, type QueryRunnerLike } from './typeorm-like.js';

/** Says what an announced statement of which nothing more is known can concern. */
export type Coarse = Pick<Schema, 'addCoarse'>;

export class Pending {
  readonly accounting = new Accounting();
  /** One bag per open level: the transaction, then its savepoints. */
  levels: TagBag[] = [];
  /** Written outside transactions and not flushed yet. */
  loose = new TagBag();
  looseFlush: Promise<void> | undefined;
  /** Levels that are being rolled back; they come back if that fails. */
  doomed: TagBag | undefined;
  /** A transaction was begun with raw SQL. */
  rawOpen = false;
  /** COMMIT may have been sent. */
  commitTried = false;
  /** The server answered COMMIT with ROLLBACK. */
  refused = false;
  /** The connection came with somebody else's open transaction. */
  dirty = false;
  /** Statements of different levels overlapped: an inner rollback proves nothing about one bag. */
  tangled = false;
  tracked = false;
  settling = false;
  /** What was put in place before the COMMIT. */
  prepared = NOTHING;
  /** The same before each statement outside transactions that is still running. */
  #statements: { readonly sql: string; readonly prepared: Prepared }[] = [];
  /** The same of statements that are done and not flushed yet. */
  #finished = NOTHING;

  /** Where what is written now belongs. */
  get level(): TagBag {
    let top = this.levels.at(-1);
    if (!top) {
      top = new TagBag();
      this.levels.push(top);
    }
    return top;
  }

  /** A savepoint was released: its writes are those of the level below. */
  mergeTop(): void {
    if (this.levels.length < 2) return;
    const top = this.levels.pop();
    if (top) this.level.merge(top);
  }

  /** A savepoint is being rolled back. */
  doomTop(): void {
    const top = this.levels.length > 1 ? this.levels.pop() : undefined;
    if (!top) return;
    if (this.doomed) top.merge(this.doomed);
    this.doomed = top;
  }

  /** All levels as one, with coarse tags for announced statements that nobody has confirmed so far. */
  everythingSoFar(schema: Coarse): TagBag {
    const bag = this.#allLevels();
    if (this.dirty) bag.addEverything();
    for (const { verb, table } of this.accounting.unconfirmedWrites) schema.addCoarse(table, verb, bag);
    return bag;
  }

  /** The same, and forgets them. */
  takeEverything(schema: Coarse): TagBag {
    const bag = this.#allLevels();
    this.levels = [];
    this.doomed = undefined;
    this.takeUnconfirmed(schema, bag);
    return bag;
  }

  takeUnconfirmed(schema: Coarse, bag: TagBag): void {
    for (const { verb, table } of this.accounting.takeUnconfirmed()) schema.addCoarse(table, verb, bag);
  }

  #allLevels(): TagBag {
    const bag = new TagBag();
    for (const level of this.levels) bag.merge(level);
    if (this.doomed) bag.merge(this.doomed);
    return bag;
  }

  /** A statement outside transactions has announced itself. */
  announced(sql: string, prepared: Prepared): void {
    this.#statements.push({ sql, prepared });
  }

  /** @returns what was put in place before it; undefined: nothing was. */
  takeAnnounced(sql: string): Prepared | undefined {
    const done = this.#statements.find((one) => one.sql === sql);
    this.#statements = this.#statements.filter((one) => one !== done);
    return done?.prepared;
  }

  finish(prepared: Prepared): void {
    this.#finished = both(this.#finished, prepared);
  }

  /** While a statement's after-event is still to come, its row is needed: the next flush takes it. */
  takeFinished(): Prepared {
    if (this.accounting.unconfirmed) return NOTHING;
    const finished = this.#finished;
    this.#finished = NOTHING;
    return finished;
  }

  /** The transaction is over. @returns what was prepared for its COMMIT. */
  end(): Prepared {
    const { prepared } = this;
    this.prepared = NOTHING;
    this.levels = [];
    this.accounting.clear();
    this.rawOpen = false;
    this.commitTried = false;
    this.refused = false;
    this.dirty = false;
    this.tangled = false;
    this.tracked = false;
    return prepared;
  }
}

export function both(one: Prepared, other: Prepared): Prepared {
  return { rows: [...one.rows, ...other.rows], marks: [...one.marks, ...other.marks] };
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
export async function hasFailedTransaction(runner: QueryRunnerLike): Promise<boolean> {
  const client = clientOf(runner);
  // The caller of a failed statement is told before the client knows what it has left behind; the next answer says both.
  if (client && Reflect.get(client, 'readyForQuery') === false) await askAs(runner)('').catch(() => undefined);
  return transactionStatus(runner) === 'E';
}

function clientOf(runner: QueryRunnerLike): object | undefined {
  const client: unknown = Reflect.get(runner, 'databaseConnection');
  return isObject(client) ? client : undefined;
}

function transactionStatus(runner: QueryRunnerLike): unknown {
  const client = clientOf(runner);
  const status: unknown = client && Reflect.get(client, 'getTransactionStatus');
  return typeof status === 'function' ? Reflect.apply(status, client, []) : undefined;
}
