// What the data side may ask of the cache: invalidate, and say which transactions are open. The TypeORM plugin knows nothing else.

import type { Invalidated } from './store.js';

/** A write that has announced itself before its COMMIT. */
export interface Mark {
  readonly id: string;
  readonly tags: readonly string[];
}

export interface Committed {
  /** Ends this mark. */
  readonly mark?: Mark;
  /** WAL position of the database after the commit, 16 hex digits. */
  readonly lsn?: string;
  /** What {@link Invalidator.epoch} was before `lsn` was asked for. */
  readonly lsnEpoch?: string;
  /** Whether somebody else has brought it into force meanwhile; asked while Redis does not take it. */
  readonly isDrained?: () => Promise<boolean>;
}

export interface Invalidator {
  /** The latest epoch that this process has invalidated under; '' before. */
  readonly epoch: string;

  /**
   * Invalidates by tag. Resolves once it is in force, or after the configured bound while it is retried in the
   * background; never rejects, because a cache must not turn a committed write into an error.
   * @param cause a short word for the event, e.g. `commit`, `autocommit`, `rollback`, `raw`.
   * @returns where it stands in the history; undefined if it is not in force yet, or somebody else brought it into force.
   */
  invalidate(tags: readonly string[], cause: string, committed?: Committed): Promise<Invalidated | undefined>;

  /**
   * Announces a write before its COMMIT: until it ends, nothing that it touches is served or stored anywhere.
   * Undefined where marks are off, or the store did not take it and the write may proceed.
   * @throws ERC_MARK where the store did not take it and the host prefers no write to a visible window.
   */
  mark(tags: readonly string[]): Promise<Mark | undefined>;

  /** The announced write was rolled back. Never rejects: a mark that cannot be ended ends by itself. */
  unmark(mark: Mark): Promise<void>;
}

/**
 * Follows transactions in the asynchronous context that runs them. While one of the caller's own transactions has
 * written, or keeps an older snapshot, the caller neither reads nor fills the shared cache.
 */
export interface TransactionTracker {
  /** A transaction begins; call it synchronously from the event, so that the context of the caller is reached. */
  began(runner: object): void;
  /** The transaction reads from one snapshot (REPEATABLE READ or stronger). */
  keepsSnapshot(runner: object): void;
  /** The transaction has written. */
  wrote(runner: object): void;
  /** How far a replica must have replayed for what is being computed now; undefined: nobody computes, or no matter. */
  readonly replayNeeded: string | undefined;
  /** What is being computed now has read from a replica that lags behind, and must not be stored. */
  readFromThePast(): void;
  /** It has ended; not committed, or not known to be, means that whatever was computed inside it is worthless. */
  ended(runner: object, committed: boolean): void;
}
