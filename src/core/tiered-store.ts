// Memory in front of a shared store: serves from memory only what the shared store proves to be current.
import type { BackplaneListener } from '../contract/backplane.js';
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { Dependency, Entry, Position } from '../contract/entry.js';
import type { EventSink } from '../contract/events.js';
import type { Consistency, Lookup, MaybePromise, PutOutcome, Store } from '../contract/store.js';
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
  admit(key: string, entry: Entry): boolean;
}

export interface TieredStoreOptions {
  /** How long memory may serve without asking under `lease`, ms. */
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
  /** When the table was last proved to be caught up; never before the question that proved it was sent. */
  #provedMonotonic = -Infinity;
  #provedWall = -Infinity;
  /** Answers to questions sent before this belong to a history that has ended. */
  #epochSince = -Infinity;
  #renewing = false;
  #overdue: { readonly position: Position; readonly timer: TimerHandle } | undefined;

  constructor(memory: Replica, shared: Store, options: TieredStoreOptions, clock: Clock, emit: EventSink) {
    this.#memory = memory;
    this.#shared = shared;
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
    this.#sharedPosition = new SharedPosition(async () => shared.position(), clock);
  }

  lookup(key: string, consistency: Consistency = 'strict'): MaybePromise<Lookup> {
    const local = this.#memory.lookup(key);
    if (local.outcome !== 'hit') return this.#lookupShared(key);
    if (consistency === 'lease' && this.#leaseHolds()) return local;
    return this.#confirmThenServe(key);
  }

  async put(key: string, entry: Entry, inherited?: readonly Dependency[]): Promise<PutOutcome> {
    const outcome = await this.#shared.put(key, entry, inherited);
    if (outcome === 'stored') this.#memory.admit(key, entry);
    return outcome;
  }

  async invalidate(tags: readonly string[]): Promise<Position> {
    const position = await this.#shared.invalidate(tags);
    // In force here before the push comes round, so that this process reads its own writes under a lease too.
    if (position.epoch === this.#memory.table.position.epoch) this.#memory.table.mark(position, tags);
    else this.#beginEpoch(position);
    return position;
  }

  async position(): Promise<Position> {
    const sighting = await this.#sharedPosition.ask();
    this.#see(sighting);
    return sighting.position;
  }

  evict(): void {
    this.#memory.evict();
  }

  async close(): Promise<void> {
    this.#overdue?.timer.cancel();
    await this.#memory.close();
    await this.#shared.close();
  }

  push(epoch: string, seq: number, tags: readonly string[]): void {
    const applied = this.#memory.table.apply(epoch, seq, tags);
    if (applied === 'gap') this.#distrust('gap');
    if (applied === 'epoch') {
      this.#epochSince = this.#clock.monotonic();
      this.#distrust('epoch');
    }
    this.#settleOverdue();
  }

  lost(): void {
    if (this.#provedMonotonic === -Infinity) return;
    this.#provedMonotonic = -Infinity;
    this.#emit({ kind: 'distrust', reason: 'disconnected' });
  }

  /** Memory has it; asks whether anything has been invalidated that this process has not heard of. */
  async #confirmThenServe(key: string): Promise<Lookup> {
    let sighting: Sighting;
    try {
      sighting = await this.#sharedPosition.ask();
    } catch (error) {
      return { outcome: 'unavailable', reason: error instanceof Error ? error.message : String(error) };
    }
    if (!this.#see(sighting)) {
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
    if (found.outcome === 'hit') this.#memory.admit(key, found.entry);
    return found;
  }

  /** Learns from an answer of the shared store. @returns whether the table has caught up with it. */
  #see({ position, sentMonotonic, sentWall }: Sighting): boolean {
    if (position.epoch !== this.#memory.table.position.epoch) {
      if (sentMonotonic < this.#epochSince) return false;
      this.#beginEpoch(position);
    }
    if (!this.#caughtUpWith(position)) {
      this.#awaitPush(position);
      return false;
    }
    if (sentMonotonic >= this.#provedMonotonic) {
      this.#provedMonotonic = sentMonotonic;
      // The latest proof's, not the latest time: a clock set back would make the lease useless until it has caught up.
      this.#provedWall = sentWall;
    }
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
    this.#provedMonotonic = -Infinity;
    this.#emit({ kind: 'distrust', reason });
  }

  /** Both clocks, because the monotonic one stands still while a machine is paused. */
  #leaseHolds(): boolean {
    const elapsed = this.#clock.monotonic() - this.#provedMonotonic;
    const elapsedWall = this.#clock.now() - this.#provedWall;
    const { leaseMs } = this.#options;
    if (elapsed > leaseMs || elapsedWall > leaseMs || elapsedWall < 0) return false;
    if (elapsed > leaseMs / 3) this.#renew();
    return true;
  }

  /** Asks beside the readers, so that a busy process never lets its lease run out. */
  #renew(): void {
    if (this.#renewing) return;
    this.#renewing = true;
    const done = () => {
      this.#renewing = false;
    };
    this.#sharedPosition.ask().then((sighting) => {
      done();
      this.#see(sighting);
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
