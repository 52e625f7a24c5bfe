// The contract of every store: entries together with the truth about what has been invalidated since.
import type { Dependency, Entry, Form, Position } from './entry.js';

/**
 * How an entry in this process's memory is proved current: by asking (`strict`), by having asked a moment ago (`lease`),
 * or by a lease that writers know of and wait for (`barrier`). Stores without replicas ignore it.
 */
export type Consistency = 'strict' | 'lease' | 'barrier';

/** Where an answer came from. */
export type LayerName = 'memory' | 'redis' | 'database';

/** Why there was nothing to serve. */
export type MissReason =
  | 'absent' // never stored, evicted, or gone by itself
  | 'invalidated' // a tag was invalidated after the entry's data was read
  | 'epoch' // the history that the entry refers to is gone
  | 'expired' // past deleteAt
  | 'flux'; // a write to one of its tags is between its mark and its end

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
  | 'flux' // a write to one of its tags is between its mark and its end
  | 'declined' // too large, or already expired
  | 'unavailable';

export type MaybePromise<T> = T | Promise<T>;

/** What an invalidation carries besides its tags. */
export interface InvalidateOptions {
  /** The mark that this invalidation ends. */
  readonly mark?: string;
  /** WAL position of the database after the commit, see {@link Position.lsn}. */
  readonly lsn?: string;
  /** An epoch that had begun when `lsn` was asked for: only then it covers all that was invalidated before that epoch. */
  readonly lsnEpoch?: string;
}

/** Where an invalidation stands, and whom its writer has to wait for. */
export interface Invalidated extends Position {
  /** Processes that may serve from memory without asking, until they have acknowledged this. */
  readonly awaited?: readonly string[];
  /** Since the epoch began, ms: who held a lease before that is not known. */
  readonly epochAgeMs?: number;
}

/**
 * Two-phase invalidation, for stores that several processes share: from the mark until its end, entries of the tags are
 * neither served nor stored.
 */
export interface Marks {
  /** It ends with the invalidation that names it, with {@link unmark}, or after `ttlMs` as if the tags had been invalidated. */
  mark(tags: readonly string[], id: string, ttlMs: number): Promise<Position>;
  /** Ends a mark whose write was rolled back; what was stored before is valid again. */
  unmark(id: string): Promise<void>;
}

/**
 * What became of the attempt to be the one who computes an entry. `stored`: there is one now, and another than he knows;
 * whether it is valid, a look-up tells.
 */
export type ClaimAnswer =
  | { readonly state: 'taken'; readonly stored: boolean }
  /** Somebody else computes it, under this token. */
  | { readonly state: 'held'; readonly by: string; readonly stored: boolean }
  /** It was computed a moment ago and is not fit to be shared: who waited for others would wait for nothing. */
  | { readonly state: 'private' };

/**
 * Who computes an entry, for stores that several processes share. For efficiency only: what is computed without a claim, or
 * under one that was lost, is as right, because `put` compares all the same.
 */
export interface Claims {
  /**
   * Takes the claim on `key` for `ttlMs`, unless somebody has it.
   * @param token never used before
   * @param known the entry that is to be computed anew; absent: none was found
   */
  claim(key: string, token: string, ttlMs: number, known?: Entry): Promise<ClaimAnswer>;
  /** Keeps it for `ttlMs` from now on. @returns false where it is lost: somebody else may have it. */
  renewClaim(key: string, token: string, ttlMs: number): Promise<boolean>;
  /** Gives it back, and never another's. @param privateMs for so long the answer is `private`; 0: anybody may take it */
  endClaim(key: string, token: string, privateMs: number): Promise<void>;
}

/**
 * A store answers synchronously or with a promise; every caller awaits. `lookup` and `put` compare and act in one
 * atomic step where the truth lives.
 */
export interface Store {
  /** The name shown as the serving layer. */
  readonly name: LayerName;

  /**
   * Finds an entry that is valid and not past its `deleteAt`; whether one past its `staleAt` will do is the caller's
   * decision. On a miss the position is the capture for the computation that follows.
   * @param atLeast a position that the reader has been told of: a lease that has not heard of it does not count.
   * @param persist entries of this type outlive the other layers in the database; stores without one ignore it.
   */
  lookup(key: string, consistency?: Consistency, atLeast?: Position, persist?: boolean): MaybePromise<Lookup>;

  /**
   * Stores `entry` only if the epoch is current and no tag of it, nor the key itself, was invalidated after
   * `entry.asOf`. `inherited` are the dependencies of cached values that were mixed in: each must hold as of its own,
   * older position, after which the entry's `asOf` covers them too.
   */
  put(key: string, entry: Entry, inherited?: readonly Dependency[]): MaybePromise<PutOutcome>;

  /**
   * Whether this process knows, without asking anybody, that an entry it was given has been invalidated since. Absent: it
   * never knows.
   * @param proved the position at which it was found valid
   */
  refutes?(key: string, entry: Entry, proved: Position): boolean;

  /**
   * Keeps the body of `entry` in another form as well, or instead, if the store still holds this very entry and has room.
   * Proves nothing and extends nothing: the entry stays as valid, and as old, as it is.
   */
  keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): MaybePromise<void>;

  /** Invalidates by tag: O(tags named), whatever the number of entries. Idempotent. Resolves once it is in force. */
  invalidate(tags: readonly string[], options?: InvalidateOptions): MaybePromise<Invalidated>;

  /**
   * The current position.
   * @param leaseMs for so long writers wait for this process before they are answered; stores without replicas ignore it.
   */
  position(leaseMs?: number): MaybePromise<Position>;

  /**
   * Puts what the shared store has now in the place of what this process keeps in memory. Nobody waits for it, and it never
   * rejects. Absent: no other process replaces anything here.
   */
  refill?(key: string): Promise<void>;

  /** Drops what this process keeps in memory; invalidates nothing. */
  evict(): void;

  close(): MaybePromise<void>;
}
