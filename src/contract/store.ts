// The contract of every store: entries together with the truth about what has been invalidated since.
import type { Dependency, Entry, Position } from './entry.js';

/** How an entry in this process's memory is proved current. Stores without replicas ignore it. */
export type Consistency = 'strict' | 'lease';

/** Where an answer came from. */
export type LayerName = 'memory' | 'redis';

/** Why there was nothing to serve. */
export type MissReason =
  | 'absent' // never stored, evicted, or gone by itself
  | 'invalidated' // a tag was invalidated after the entry's data was read
  | 'epoch' // the history that the entry refers to is gone
  | 'expired'; // past staleAt

export type Lookup =
  | { readonly outcome: 'hit'; readonly entry: Entry; readonly layer: LayerName; readonly position: Position }
  | { readonly outcome: 'miss'; readonly reason: MissReason; readonly position: Position }
  /** The store cannot tell. The reader computes and stores nothing: unknown is never valid. */
  | { readonly outcome: 'unavailable'; readonly reason: string };

/**
 * What became of an offered entry. Only `stored` proves that nothing it depends on was invalidated since it was
 * computed, so only `stored` releases waiting readers.
 */
export type PutOutcome =
  | 'stored'
  | 'stale' // a tag was invalidated after the computation began
  | 'epoch' // the history was lost meanwhile
  | 'declined' // too large, or already expired
  | 'unavailable';

export type MaybePromise<T> = T | Promise<T>;

/**
 * A store answers synchronously or with a promise; every caller awaits. `lookup` and `put` compare and act in one
 * atomic step where the truth lives.
 */
export interface Store {
  /** The name shown as the serving layer. */
  readonly name: LayerName;

  /** Finds a usable entry. On a miss the position is the capture for the computation that follows. */
  lookup(key: string, consistency?: Consistency): MaybePromise<Lookup>;

  /**
   * Stores `entry` only if the epoch is current and no tag of it, nor the key itself, was invalidated after
   * `entry.asOf`. `inherited` are the dependencies of cached values that were mixed in: each must hold as of its own,
   * older position, after which the entry's `asOf` covers them too.
   */
  put(key: string, entry: Entry, inherited?: readonly Dependency[]): MaybePromise<PutOutcome>;

  /** Invalidates by tag: O(tags named), whatever the number of entries. Idempotent. Resolves once it is in force. */
  invalidate(tags: readonly string[]): MaybePromise<Position>;

  /** The current position. */
  position(): MaybePromise<Position>;

  /** Drops what this process keeps in memory; invalidates nothing. */
  evict(): void;

  close(): MaybePromise<void>;
}
