// Keeps what each query runner has written until the moment it is durable, and then has it invalidated.
import type { Clock } from '../contract/clock.js';
import type { EventSink } from '../contract/events.js';
import type { Invalidator, TransactionTracker } from '../contract/invalidation.js';
import type { Accounting } from './accounting.js';
import { Delivery, NOTHING, type Cause, type DeliveryParts, type Prepared } from './delivery.js';
import { settleCoarsely } from './look-up.js';
import { both, hasFailedTransaction, hasOpenTransaction, Pending } from './pending.js';
import type { Schema } from './schema.js';
import { TagBag } from './tag-bag.js';
import type { DriverLike, QueryRunnerLike } from './typeorm-like.js';

/** A COMMIT whose answer was lost may take effect after the first invalidation. */
const REPEAT_MS = 1000;
/** How long a write outside transactions may wait for its after-event when its runner is not released. */
const SETTLE_MS = 250;

export interface LedgerParts extends DeliveryParts {
  readonly schema: Schema;
  readonly driver: DriverLike;
  readonly invalidator: Invalidator;
  readonly transactions: TransactionTracker;
  readonly emit: EventSink;
  readonly clock: Clock;
  /** All callers share one query runner, so a rollback says nothing about whose write it undid. */
  readonly sharedRunner: boolean;
  /** Transactions read from one snapshot unless a statement says otherwise. */
  readonly snapshotByDefault: boolean;
}

export class Ledger {
  readonly #pending = new WeakMap<QueryRunnerLike, Pending>();
  readonly #delivery: Delivery;

  constructor(private readonly parts: LedgerParts) {
    this.#delivery = new Delivery(parts);
  }

  #of(runner: QueryRunnerLike): Pending {
    let pending = this.#pending.get(runner);
    if (!pending) {
      pending = new Pending();
      this.#pending.set(runner, pending);
    }
    return pending;
  }

  accounting(runner: QueryRunnerLike): Accounting {
    return this.#of(runner).accounting;
  }

  /** Whether what is written now becomes durable only later. */
  inTransaction(runner: QueryRunnerLike): boolean {
    return runner.isTransactionActive || this.#of(runner).rawOpen;
  }

  /** Notes a write. What is outside a transaction is invalidated by the promise that comes back. */
  record(runner: QueryRunnerLike, bag: TagBag, cause: Cause = 'autocommit'): Promise<void> | void {
    const pending = this.#of(runner);
    if (this.inTransaction(runner)) {
      this.parts.transactions.wrote(runner);
      pending.level.merge(bag);
      // With one runner for everybody the write may be durable already, and its transaction another request's.
      if (!this.parts.sharedRunner) return;
      const now = new TagBag();
      now.merge(bag);
      return this.#flush(runner, now, cause);
    }
    // Somebody else's transaction holds this write back: now is too early, and later nobody tells. Both, then.
    if (hasOpenTransaction(runner)) pending.level.merge(bag);
    pending.loose.merge(bag);
    // All events of one statement arrive in one turn and share one invalidation.
    pending.looseFlush ??= Promise.resolve().then(() => {
      const { loose } = pending;
      pending.loose = new TagBag();
      pending.looseFlush = undefined;
      return this.#flush(runner, loose, cause, pending.takeFinished());
    });
    return pending.looseFlush;
  }

  /** A statement whose outcome is unknown: it may have been executed, or may be executed still. */
  recordTwice(runner: QueryRunnerLike, bag: TagBag): Promise<void> | void {
    return this.inTransaction(runner) ? this.record(runner, bag) : this.#flushTwice(bag);
  }

  /** Notes what a write is about to destroy, to be invalidated together with the write itself. */
  foresee(runner: QueryRunnerLike, bag: TagBag): void {
    const pending = this.#of(runner);
    (this.inTransaction(runner) ? pending.level : pending.loose).merge(bag);
  }

  // Transactions

  beforeStart(runner: QueryRunnerLike): Promise<void> | void {
    const pending = this.#of(runner);
    const depth: unknown = Reflect.get(runner, 'transactionDepth');
    const outermost = typeof depth === 'number' ? depth === 0 : pending.levels.length === 0;
    // After a raw BEGIN the statement that follows opens nothing new.
    if (!outermost || pending.rawOpen) return;
    // A runner released or reused without an end to its transaction leaves this behind; it may be durable by now.
    const left = pending.takeEverything(this.parts.schema);
    const prepared = this.#end(runner, pending);
    this.#begin(runner, pending);
    if (!left.empty) return this.#flush(undefined, left, 'rollback', prepared);
  }

  #begin(runner: QueryRunnerLike, pending: Pending): void {
    pending.tracked = true;
    this.parts.transactions.began(runner);
    if (this.parts.snapshotByDefault) this.parts.transactions.keepsSnapshot(runner);
  }

  afterStart(runner: QueryRunnerLike): void {
    const pending = this.#of(runner);
    if (pending.levels.length > 0 && pending.accounting.busy) pending.tangled = true;
    const depth: unknown = Reflect.get(runner, 'transactionDepth');
    if (depth === 1 && pending.levels.length > 0) return; // written between BEGIN and its event
    pending.levels.push(new TagBag());
  }

  beforeCommit(runner: QueryRunnerLike): void {
    const pending = this.#of(runner);
    if (this.#isOutermost(runner, pending)) pending.commitTried = true;
  }

  /** Whether writes have to be prepared before they become durable. */
  get prepares(): boolean {
    return this.#delivery.prepares;
  }

  /**
   * COMMIT is about to be sent, and nothing is written between this and that.
   * @param sameString what statements in front of it, in one string with it, can concern.
   * @throws ERC_MARK
   */
  async prepareCommit(runner: QueryRunnerLike, sameString: TagBag): Promise<void> {
    const pending = this.#of(runner);
    const bag = pending.everythingSoFar(this.parts.schema);
    bag.merge(sameString);
    // Nothing can be written in a failed transaction, nor will anything of it be stored.
    if (bag.empty || (await hasFailedTransaction(runner))) return;
    try {
      pending.prepared = await this.#delivery.beforeCommit(runner, bag);
      // What a mark had to look up need not be looked up again.
      if (this.parts.marks) pending.levels = [bag];
    } catch (error) {
      // The COMMIT is not sent, so the rollback that follows proves that nothing was stored.
      pending.commitTried = false;
      throw error;
    }
  }

  /**
   * A statement outside transactions is about to be sent.
   * @param bag what it can concern, rows unknown.
   * @throws ERC_MARK
   */
  async prepareStatement(runner: QueryRunnerLike, sql: string, bag: TagBag): Promise<void> {
    // On a connection that stands in somebody else's transaction a row would share its fate.
    if (hasOpenTransaction(runner)) return;
    const prepared = await this.#delivery.beforeStatement(runner, bag);
    this.#of(runner).announced(sql, prepared);
  }

  /** @param outcome `refused`: it wrote nothing; `unknown`: it may take effect later, so its row stays for the sweeper. */
  statementDone(runner: QueryRunnerLike, sql: string, outcome: 'executed' | 'refused' | 'unknown'): void {
    const pending = this.#of(runner);
    const prepared = pending.takeAnnounced(sql);
    if (prepared === undefined) return;
    if (outcome === 'refused') void this.#delivery.withdraw(prepared);
    if (outcome === 'executed') pending.finish(prepared);
  }

  #isOutermost(runner: QueryRunnerLike, pending: Pending): boolean {
    const depth: unknown = Reflect.get(runner, 'transactionDepth');
    return typeof depth === 'number' ? depth <= 1 : pending.levels.length <= 1;
  }

  afterCommit(runner: QueryRunnerLike): Promise<void> | void {
    const pending = this.#of(runner);
    if (runner.isTransactionActive) {
      pending.mergeTop();
      return;
    }
    return this.#committed(runner, pending, 'commit');
  }

  #committed(runner: QueryRunnerLike, pending: Pending, cause: Cause): Promise<void> | void {
    const { dirty, refused } = pending;
    const bag = pending.takeEverything(this.parts.schema);
    const ended = this.#end(runner, pending, !refused);
    // A transaction in one string was announced as a statement.
    const prepared = both(ended, pending.takeFinished());
    if (dirty) bag.addEverything();
    else if (refused && !this.parts.sharedRunner) return this.#delivery.withdraw(prepared);
    return this.#flush(runner, bag, cause, prepared);
  }

  beforeRollback(runner: QueryRunnerLike): Promise<void> | void {
    const pending = this.#of(runner);
    if (!this.#isOutermost(runner, pending)) {
      // Statements that finish from here on were sent after the rollback; they belong one level down.
      if (this.parts.sharedRunner || pending.tangled) pending.mergeTop();
      else pending.doomTop();
      return;
    }
    if (!pending.commitTried || pending.refused) return;
    // The COMMIT may have been executed although its answer never came, and no further event is certain to come.
    const bag = pending.takeEverything(this.parts.schema);
    if (pending.dirty) bag.addEverything();
    const { marks } = this.#end(runner, pending);
    return this.#flushTwice(bag, { rows: [], marks });
  }

  afterRollback(runner: QueryRunnerLike): Promise<void> | void {
    const pending = this.#of(runner);
    if (runner.isTransactionActive) {
      pending.doomed = undefined;
      return;
    }
    const bag = pending.takeEverything(this.parts.schema);
    const prepared = this.#end(runner, pending);
    if (this.parts.sharedRunner) return this.#flush(runner, bag, 'rollback');
    return this.#delivery.withdraw(prepared);
  }

  // What statements say about transactions

  beforeBegin(runner: QueryRunnerLike): void {
    const pending = this.#of(runner);
    if (hasOpenTransaction(runner) && !pending.rawOpen) pending.dirty = true;
    if (!runner.isTransactionActive && !pending.rawOpen) this.#begin(runner, pending);
  }

  afterBegin(runner: QueryRunnerLike): void {
    const pending = this.#of(runner);
    if (!runner.isTransactionActive) pending.rawOpen = true;
  }

  keepsSnapshot(runner: QueryRunnerLike): void {
    this.parts.transactions.keepsSnapshot(runner);
  }

  /** A COMMIT was executed; `refused`: the server rolled back instead. */
  commitExecuted(runner: QueryRunnerLike, refused: boolean, chain: boolean): Promise<void> | void {
    const pending = this.#of(runner);
    pending.refused = refused;
    // TypeORM's own COMMIT is followed by its event; a raw one has no other sign.
    if (pending.commitTried) return;
    const flushed = this.#committed(runner, pending, 'raw');
    pending.rawOpen = chain;
    return flushed;
  }

  /** The server has refused the COMMIT, and has rolled back. */
  commitRefused(runner: QueryRunnerLike): void {
    this.#of(runner).commitTried = false;
    this.rollbackExecuted(runner, false);
  }

  /** A raw COMMIT is about to run on a connection whose transaction was not begun here. */
  beforeRawCommit(runner: QueryRunnerLike): void {
    const pending = this.#of(runner);
    if (!this.inTransaction(runner) && hasOpenTransaction(runner)) pending.dirty = true;
  }

  rollbackExecuted(runner: QueryRunnerLike, chain: boolean): void {
    const pending = this.#of(runner);
    if (runner.isTransactionActive || !pending.rawOpen) return;
    const bag = pending.takeEverything(this.parts.schema);
    void this.#delivery.withdraw(this.#end(runner, pending));
    pending.rawOpen = chain;
    if (this.parts.sharedRunner) void this.#flush(undefined, bag, 'rollback');
  }

  /** @returns what was prepared for its COMMIT. */
  #end(runner: QueryRunnerLike, pending: Pending, committed = false): Prepared {
    if (pending.tracked) this.parts.transactions.ended(runner, committed);
    return pending.end();
  }

  // Writes outside transactions whose after-event may never come

  /** Watches an announced statement outside a transaction: a throwing subscriber can swallow its after-event. */
  expectConfirmation(runner: QueryRunnerLike): void {
    const pending = this.#of(runner);
    if (pending.settling) return;
    pending.settling = true;
    const settle = (last: boolean): void => {
      if (pending.accounting.unconfirmed && (last || runner.isReleased)) {
        pending.settling = false;
        void this.settle(runner);
      } else if (pending.accounting.unconfirmed) this.parts.clock.after(SETTLE_MS, () => settle(true));
      else pending.settling = false;
    };
    this.parts.clock.nextTurn(() => settle(false));
  }

  /** Gives up waiting for after-events and invalidates coarsely what was written. */
  settle(runner: QueryRunnerLike): Promise<void> | void {
    const pending = this.#of(runner);
    if (this.inTransaction(runner) || !pending.accounting.unconfirmed) return;
    const bag = new TagBag();
    pending.takeUnconfirmed(this.parts.schema, bag);
    return this.record(runner, bag);
  }

  // Flushing

  #flush(
    runner: QueryRunnerLike | undefined,
    bag: TagBag,
    cause: Cause,
    prepared: Prepared = NOTHING,
  ): Promise<void> | void {
    if (bag.empty) return this.#delivery.withdraw(prepared);
    // A look-up that fails inside a PostgreSQL transaction would undo the host's work.
    const harmless = runner && (this.parts.sharedRunner || !this.inTransaction(runner));
    return this.#delivery.deliver(harmless ? runner : undefined, bag, cause, prepared);
  }

  async #flushTwice(bag: TagBag, prepared: Prepared = NOTHING): Promise<void> {
    if (bag.empty) return;
    settleCoarsely(bag);
    this.parts.clock.after(REPEAT_MS, () => void this.#delivery.deliver(undefined, bag, 'rollback'));
    await this.#delivery.deliver(undefined, bag, 'rollback', prepared);
  }
}
