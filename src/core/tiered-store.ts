// Memory in front of a shared store: serves from memory only what the shared store proves to be current.
import type { Backplane, BackplaneListener } from '../contract/backplane.js';
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { Dependency, Entry, Form, Position } from '../contract/entry.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type {
  Consistency,
  Invalidated,
  InvalidateOptions,
  Lookup,
  MaybePromise,
  PutOutcome,
  Store,
} from '../contract/store.js';
import { Barrier } from './barrier.js';
import { Lease } from './lease.js';
import { SharedPosition, type Sighting } from './shared-position.js';

/** The memory layer as this store needs it: a store whose table follows somebody else's. */
export interface Replica extends Store {
  readonly table: {
    readonly position: Position;
    apply(epoch: string, seq: number, tags: readonly string[]): 'applied' | 'duplicate' | 'gap' | 'epoch';
    mark(position: Position, tags: readonly string[]): void;
    adopt(position: Position): void;
  };
  lookup(key: string): Lookup;
  refutes(key: string, entry: Entry, proved: Position): boolean;
  admit(key: string, entry: Entry, proved?: Position): boolean;
}

export interface TieredStoreOptions {
  /** How long memory may serve without asking under `lease` and `barrier`, ms. */
  readonly leaseMs: number;
  /** How long a push may be overdue before this process stops waiting for it, ms. */
  readonly overdueMs: number;
}

export class TieredStore implements Store, BackplaneListener {
  readonly name = 'redis';
  readonly #memory: Replica;
  readonly #shared: Store;
  readonly #options: TieredStoreOptions;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  readonly #sharedPosition: SharedPosition;
  /** The same question, asked with a lease that writers wait for. */
  readonly #registeredPosition: SharedPosition;
  readonly #lease: Lease;
  readonly #registeredLease: Lease;
  readonly #barrier: Barrier;
  #backplane: Backplane | undefined;
  /** Answers to questions sent before this belong to a history that has ended. */
  #epochSince = -Infinity;
  readonly #renewing = new Set<SharedPosition>();
  #overdue: { readonly position: Position; readonly timer: TimerHandle } | undefined;

  constructor(memory: Replica, shared: Store, options: TieredStoreOptions, clock: Clock, emit: EventSink) {
    this.#memory = memory;
    this.#shared = shared;
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
    this.#sharedPosition = new SharedPosition(async () => shared.position(), clock);
    this.#registeredPosition = new SharedPosition(async () => shared.position(options.leaseMs), clock);
    this.#lease = new Lease(options.leaseMs, clock);
    this.#registeredLease = new Lease(options.leaseMs, clock);
    this.#barrier = new Barrier(options.leaseMs, clock);
  }

  /** Some reports are read under `barrier`, here or in another process. */
  expectBarrier(): void {
    this.#barrier.expected = true;
  }

  /** Hears what other processes invalidate, and tells their waiting writers. */
  follow(backplane: Backplane): void {
    this.#backplane = backplane;
    backplane.listen(this);
  }

  lookup(key: string, consistency: Consistency = 'strict', atLeast?: Position): MaybePromise<Lookup> {
    const local = this.#memory.lookup(key);
    if (local.outcome !== 'hit') return this.#lookupShared(key);
    if (consistency === 'strict') return this.#confirmThenServe(key, this.#sharedPosition);
    const registered = consistency === 'barrier';
    const lease = registered ? this.#registeredLease : this.#lease;
    const question = registered ? this.#registeredPosition : this.#sharedPosition;
    const heard = atLeast === undefined || this.#caughtUpWith(atLeast);
    if (!heard || !lease.holds) return this.#confirmThenServe(key, question);
    if (lease.due) this.#renew(question);
    return local;
  }

  async put(key: string, entry: Entry, inherited?: readonly Dependency[]): Promise<PutOutcome> {
    const outcome = await this.#shared.put(key, entry, inherited);
    if (outcome === 'stored') this.#memory.admit(key, entry);
    return outcome;
  }

  refutes(key: string, entry: Entry, proved: Position): boolean {
    return this.#memory.refutes(key, entry, proved);
  }

  async keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    await this.#memory.keepForm(key, entry, form, bytes);
    await this.#shared.keepForm(key, entry, form, bytes);
  }

  async invalidate(tags: readonly string[], options?: InvalidateOptions): Promise<Invalidated> {
    const sent = this.#clock.monotonic();
    const invalidated = await this.#shared.invalidate(tags, options);
    // In force here before the push comes round, so that this process reads its own writes under a lease too.
    if (invalidated.epoch === this.#memory.table.position.epoch) this.#memory.table.mark(invalidated, tags);
    else if (sent >= this.#epochSince) this.#beginEpoch(invalidated);
    const silent = await this.#barrier.passed(invalidated);
    if (silent.length > 0) this.#emit({ kind: 'leaseAwaited', processes: silent.length });
    return invalidated;
  }

  async position(): Promise<Position> {
    const sighting = await this.#sharedPosition.ask();
    this.#see(sighting);
    return sighting.position;
  }

  async refill(key: string): Promise<void> {
    try {
      await this.#lookupShared(key);
    } catch {
      // What is in memory stays as good as it was.
    }
  }

  evict(): void {
    this.#memory.evict();
  }

  async close(): Promise<void> {
    this.#overdue?.timer.cancel();
    await this.#memory.close();
    await this.#shared.close();
  }

  push(epoch: string, seq: number, tags: readonly string[], awaitedBy?: string): void {
    const applied = this.#memory.table.apply(epoch, seq, tags);
    if (applied === 'gap') this.#distrust('gap');
    if (applied === 'epoch') {
      this.#epochSince = this.#clock.monotonic();
      this.#distrust('epoch');
    }
    this.#settleOverdue();
    const { position } = this.#memory.table;
    if (awaitedBy !== undefined) this.#backplane?.acknowledge(awaitedBy, position.epoch, position.seq);
  }

  acknowledged(process: string, epoch: string, seq: number): void {
    this.#barrier.acknowledged(process, epoch, seq);
  }

  lost(): void {
    if (this.#revokeLeases()) this.#emit({ kind: 'distrust', reason: 'disconnected' });
  }

  #revokeLeases(): boolean {
    const plain = this.#lease.revoke();
    return this.#registeredLease.revoke() || plain;
  }

  /** Memory has it; asks whether anything has been invalidated that this process has not heard of. */
  async #confirmThenServe(key: string, question: SharedPosition): Promise<Lookup> {
    let sighting: Sighting;
    try {
      sighting = await question.ask();
    } catch (error) {
      return { outcome: 'unavailable', reason: errorText(error) };
    }
    if (sighting.position.live === false) return { outcome: 'unavailable', reason: 'watermark' };
    if (!this.#see(sighting, question)) {
      // The push is usually in the same batch of input: let it be read, once.
      await new Promise<void>((resolve) => this.#clock.nextTurn(resolve));
    }
    // What was heard meanwhile counts too, so memory is asked again.
    if (this.#caughtUpWith(sighting.position)) {
      const local = this.#memory.lookup(key);
      if (local.outcome === 'hit') return local;
    }
    return this.#lookupShared(key);
  }

  async #lookupShared(key: string): Promise<Lookup> {
    const sentMonotonic = this.#clock.monotonic();
    const sentWall = this.#clock.now();
    const found = await this.#shared.lookup(key);
    if (found.outcome === 'unavailable') return found;
    this.#see({ position: found.position, sentMonotonic, sentWall });
    // Most entries are older than this process, or than the last push that it missed: only this answer speaks for them.
    if (found.outcome === 'hit') this.#memory.admit(key, found.entry, found.position);
    return found;
  }

  /** Learns from an answer of the shared store. @returns whether the table has caught up with it. */
  #see(sighting: Sighting, question = this.#sharedPosition): boolean {
    const { position, sentMonotonic } = sighting;
    if (position.epoch !== this.#memory.table.position.epoch) {
      if (sentMonotonic < this.#epochSince) return false;
      this.#beginEpoch(position);
    }
    if (!this.#caughtUpWith(position)) {
      this.#awaitPush(position);
      return false;
    }
    if (position.live === false) return true;
    this.#lease.prove(sighting);
    // Writers wait only for who has asked with his name.
    if (question === this.#registeredPosition) this.#registeredLease.prove(sighting);
    return true;
  }

  #caughtUpWith(position: Position): boolean {
    const own = this.#memory.table.position;
    return position.epoch === own.epoch && position.seq <= own.seq;
  }

  #beginEpoch(position: Position): void {
    this.#memory.table.adopt(position);
    this.#epochSince = this.#clock.monotonic();
    this.#distrust('epoch');
  }

  #distrust(reason: 'gap' | 'epoch'): void {
    // The table already refuses these entries; dropping them returns the memory at once.
    this.#memory.evict();
    this.#revokeLeases();
    this.#emit({ kind: 'distrust', reason });
  }

  /** Asks beside the readers, so that a busy process never lets its lease run out. */
  #renew(question: SharedPosition): void {
    if (this.#renewing.has(question)) return;
    this.#renewing.add(question);
    const done = () => this.#renewing.delete(question);
    question.ask().then((sighting) => {
      done();
      this.#see(sighting, question);
    }, done);
  }

  /** A push that does not come was lost: stop waiting, so that memory becomes useful again. */
  #awaitPush(position: Position): void {
    if (this.#overdue !== undefined) return;
    const timer = this.#clock.after(this.#options.overdueMs, () => {
      this.#overdue = undefined;
      if (this.#caughtUpWith(position) || position.epoch !== this.#memory.table.position.epoch) return;
      this.#memory.table.adopt(position);
      this.#distrust('gap');
    });
    this.#overdue = { position, timer };
  }

  #settleOverdue(): void {
    if (this.#overdue === undefined || !this.#caughtUpWith(this.#overdue.position)) return;
    this.#overdue.timer.cancel();
    this.#overdue = undefined;
  }
}
