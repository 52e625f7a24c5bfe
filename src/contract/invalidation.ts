// What the data side may ask of the cache: invalidate, and say which transactions are open. The TypeORM plugin knows nothing else.

export interface Invalidator {
  /**
   * Invalidates by tag. Resolves once it is in force, or after the configured bound while it is retried in the
   * background; never rejects, because a cache must not turn a committed write into an error.
   * @param cause a short word for the event, e.g. `commit`, `autocommit`, `rollback`, `raw`.
   */
  invalidate(tags: readonly string[], cause: string): Promise<void>;
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
  /** It has ended; not committed, or not known to be, means that whatever was computed inside it is worthless. */
  ended(runner: object, committed: boolean): void;
}
