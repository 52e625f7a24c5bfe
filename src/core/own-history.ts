// The history of a process without Redis, as its sweeper sees it: for what a process before it has left in the outbox.
import type { Clock } from '../contract/clock.js';
import type { Position } from '../contract/entry.js';
import type { History, Observation } from '../contract/history.js';
import type { InvalidateOptions, Store } from '../contract/store.js';

/** The table that is this process's own truth. */
export interface OwnTable {
  readonly position: Position;
  adopt(position: Position): void;
}

/**
 * Memory needs no sweeper: it ends with the process. What is persisted does not, so the invalidations of a process that
 * died must reach it. Each process begins a generation of its own, and nobody else serves by its word.
 */
export class OwnHistory implements History {
  #generation: number | undefined;

  constructor(
    private readonly table: OwnTable,
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  observe(): Promise<Observation> {
    const { position } = this.table;
    return Promise.resolve({ position, now: this.clock.now(), generation: this.#generation, ageMs: 0 });
  }

  /** Nobody asks for a watermark. */
  keepAlive(): Promise<boolean> {
    return Promise.resolve(true);
  }

  adopt(expected: string, epoch: string, generation: number): Promise<Position | undefined> {
    if (this.table.position.epoch !== expected) return Promise.resolve(undefined);
    this.table.adopt({ epoch, seq: 0 });
    this.#generation = generation;
    return Promise.resolve(this.table.position);
  }

  async invalidate(tags: readonly string[], options?: InvalidateOptions): Promise<Position> {
    return this.store.invalidate(tags, options);
  }

  /** The table bounds itself. */
  prune(): Promise<void> {
    return Promise.resolve();
  }
}
