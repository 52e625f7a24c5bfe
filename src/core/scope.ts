// What runs in the current asynchronous context: the computation that cached values and tags belong to, and its open transactions.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Usage } from '../contract/costs.js';
import type { Dependency, Position } from '../contract/entry.js';
import type { TransactionTracker } from '../contract/invalidation.js';

/** A running computation, as nested reads and `addTags` see it. */
export interface Computation {
  addTags(tags: Iterable<string>): void;
  /** A call that it has made cost something. What is computed inside it has a bill of its own. */
  spend(usage: Usage): void;
  /** A cached value was mixed in: the result depends on it, as of its own older position. */
  inherit(dependency: Dependency): void;
  /** What it was captured at: nothing older may be mixed in from a lease. */
  readonly position: Position;
  /** Its result outlives the other layers in the database. Absent: no. */
  readonly persisted?: boolean;
  /** How far a database replica must have replayed to be read here; empty: nobody knows. */
  readonly replayNeeded: string;
  /** Something was read from a replica, which shows what was there when the position was noted, and nothing later for sure. */
  readFromReplica(): void;
  /** Something was read that may be older than the computation: it must not be stored. */
  readFromThePast(): void;
}

interface Transaction {
  wrote: boolean;
  snapshot: boolean;
}

class Scope {
  /** Transactions begun in this context and still open. */
  readonly transactions = new Map<object, Transaction>();
  /** Transactions that had written and were undone: what was computed meanwhile may show rows that never existed. */
  undone = 0;
  readonly computation: Computation | undefined;
  readonly parent: Scope | undefined;
  /** Is told where the invalidations of writes made in this context stand. */
  readonly heard: ((position: Position) => void) | undefined;

  constructor(computation: Computation | undefined, parent: Scope | undefined, heard?: (position: Position) => void) {
    this.computation = computation;
    this.parent = parent;
    this.heard = heard ?? parent?.heard;
  }

  /** What was written but not committed, or read from an older snapshot, must neither be shared nor be answered from the cache. */
  get blocked(): boolean {
    for (const transaction of this.transactions.values()) if (transaction.wrote || transaction.snapshot) return true;
    return this.parent?.blocked ?? false;
  }

  /** Whether a transaction of this context or one around it has written and is still open. */
  get writing(): boolean {
    for (const transaction of this.transactions.values()) if (transaction.wrote) return true;
    return this.parent?.writing ?? false;
  }

  /** Whether a transaction of this context or one around it is open. */
  get open(): boolean {
    return this.transactions.size > 0 || (this.parent?.open ?? false);
  }

  /** {@link undone} of this context and all around it. */
  get undoneAround(): number {
    return this.undone + (this.parent?.undoneAround ?? 0);
  }
}

/** The context of one computation. */
export interface OpenScope {
  run<T>(task: () => T): T;
  /** Its result may show rows that are not committed, and must not be stored. */
  readonly tainted: boolean;
}

class Opened implements OpenScope {
  readonly #undoneBefore: number;

  constructor(
    private readonly storage: AsyncLocalStorage<Scope>,
    private readonly scope: Scope,
    private readonly around: Scope | undefined,
  ) {
    this.#undoneBefore = this.#undone;
  }

  run<T>(task: () => T): T {
    return this.storage.run(this.scope, task);
  }

  get tainted(): boolean {
    return this.scope.writing || (this.around?.writing ?? false) || this.#undone > this.#undoneBefore;
  }

  get #undone(): number {
    return this.scope.undone + (this.around?.undoneAround ?? 0);
  }
}

export class Scopes implements TransactionTracker {
  readonly #storage = new AsyncLocalStorage<Scope>();
  readonly #byRunner = new WeakMap<object, Scope>();

  get computation(): Computation | undefined {
    return this.#storage.getStore()?.computation;
  }

  /** Whether the current context is inside a transaction that forbids the shared cache. */
  get blocked(): boolean {
    return this.#storage.getStore()?.blocked ?? false;
  }

  /** Whether a transaction of this context or one around it is open, written or not. */
  get inTransaction(): boolean {
    return this.#storage.getStore()?.open ?? false;
  }

  /**
   * Opens the context of `computation` inside the current one; or `beside` it, for work that outlives it and of which
   * nothing around is to hear. The transactions around count for both: the work may use them.
   */
  open(computation: Computation, place: 'inside' | 'beside' = 'inside'): OpenScope {
    const around = this.#storage.getStore();
    return new Opened(this.#storage, new Scope(computation, place === 'inside' ? around : undefined), around);
  }

  /** Runs a task whose writes are followed: `heard` is told where their invalidations stand. */
  follow(heard: (position: Position) => void, task: () => void): void {
    const around = this.#storage.getStore();
    this.#storage.run(new Scope(around?.computation, around, heard), task);
  }

  /** A write of the current context was invalidated. */
  invalidated(position: Position): void {
    this.#storage.getStore()?.heard?.(position);
  }

  get replayNeeded(): string | undefined {
    return this.computation?.replayNeeded;
  }

  readFromThePast(): void {
    this.computation?.readFromThePast();
  }

  began(runner: object): void {
    let scope = this.#storage.getStore();
    if (scope === undefined) {
      // Called synchronously by whoever starts the transaction, so this reaches the code that continues after it.
      scope = new Scope(undefined, undefined);
      this.#storage.enterWith(scope);
    }
    scope.transactions.set(runner, { wrote: false, snapshot: false });
    this.#byRunner.set(runner, scope);
  }

  keepsSnapshot(runner: object): void {
    const transaction = this.#byRunner.get(runner)?.transactions.get(runner);
    if (transaction) transaction.snapshot = true;
  }

  wrote(runner: object): void {
    const transaction = this.#byRunner.get(runner)?.transactions.get(runner);
    if (transaction) transaction.wrote = true;
  }

  ended(runner: object, committed: boolean): void {
    const scope = this.#byRunner.get(runner);
    const transaction = scope?.transactions.get(runner);
    if (!scope || !transaction) return;
    if (transaction.wrote && !committed) scope.undone += 1;
    scope.transactions.delete(runner);
    this.#byRunner.delete(runner);
  }
}
