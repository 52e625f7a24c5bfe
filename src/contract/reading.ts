// One reader's way through the cache: what the HTTP side and getOrLoad ask of the core, and what they get.
import type { Cost, Usage } from './costs.js';
import type { Coding, Entry, HeaderField, Position } from './entry.js';
import type { BypassReason, DeclineReason } from './events.js';
import type { Consistency, LayerName, PutOutcome } from './store.js';

/** Between which bounds a ttl adapts to its report, ms. What is absent follows the ttl. */
export interface AdaptiveTtl {
  readonly minMs?: number;
  readonly maxMs?: number;
}

/** What may happen around the end of an entry's ttl. */
export interface Freshness {
  /**
   * For so long after its ttl an entry may be served while a new one is computed, or in place of one that failed, ms
   * (RFC 5861). What was invalidated never is.
   */
  readonly graceMs: number;
  /** The fraction of the ttl that chance may take off, 0 to 0.5. */
  readonly jitter: number;
  /** Beta of probabilistic early expiration; 0: computed anew only once the ttl is over. */
  readonly refreshAhead: number;
  /** Absent: the ttl stays as it is. */
  readonly adaptive?: AdaptiveTtl;
}

export interface ReadRequest {
  readonly key: string;
  /** Report type, for policy and events. */
  readonly type: string;
  /** Identity segment of the key, for the memory budget. */
  readonly owner: string;
  /**
   * Tags known before the computation; the computation may add more. Read before anybody waits for this reader, and not
   * for a hit: it may be a getter, and may throw.
   */
  readonly tags: readonly string[];
  /** How long the entry is fresh, ms. */
  readonly ttlMs: number;
  /** Absent: exactly the ttl, no grace. */
  readonly freshness?: Freshness;
  readonly consistency: Consistency;
  /** A position that this reader has been told of, so that he sees his own writes under a lease. */
  readonly atLeast?: Position | undefined;
  /** Whether this reader takes an entry that the cache may serve; e.g. the request's max-age. Absent: takes any. */
  readonly accept?: ((entry: Entry, now: number) => boolean) | undefined;
  /** Compute in any case and replace what is stored; waits for nobody. */
  readonly refresh?: boolean;
  /** Never compute: answer `none` instead of `lead`. Takes nothing stale, since nobody would compute it anew. */
  readonly onlyIfCached?: boolean;
  /** Whether the entry outlives memory and Redis in the database. Absent: no. */
  readonly persist?: boolean;
  /** What he computes cannot be stored (HEAD), so he begins nothing where there is something to serve, stale or not. */
  readonly storesNothing?: boolean;
  /** Whether readers of other processes share one computation with those of this one. Absent: `process`. */
  readonly coalesce?: Coalesce;
  /** How long this reader waits for another's computation, ms. Absent: as long as the cache says. */
  readonly waitMs?: number | undefined;
  /**
   * The loader computes nothing: it looks up what an earlier run has made and somebody else keeps. So it is neither a miss
   * nor a run, and no limit of runs holds it; whoever computes inside it is counted by himself.
   */
  readonly looksUp?: boolean;
  /** Nobody reads what is found: it is made ready for those who come. So it is neither a hit nor a miss nor a bypass. */
  readonly warms?: boolean;
}

/** Among whom one computation serves all who ask meanwhile: the readers of this process, or of all that share the store. */
export type Coalesce = 'process' | 'shared';

/** What happened, and what the reader does next. */
export type Turn =
  | Serving
  /** Compute, then settle the load exactly once: `store` or `decline`. */
  | { readonly next: 'lead'; readonly load: Load; readonly reason: string; readonly fallback?: Fallback }
  /** Compute and store nothing. */
  | { readonly next: 'alone'; readonly reason: BypassReason }
  /** Too many readers wait, or too many reports are being computed: neither wait nor compute. */
  | { readonly next: 'refuse'; readonly reason: 'overload' }
  /** `onlyIfCached` and nothing usable. */
  | { readonly next: 'none' };

/** Serve this. `coalesced`: it was computed for another reader while this one waited. */
export interface Serving {
  readonly next: 'serve';
  readonly entry: Entry;
  readonly layer: LayerName;
  readonly coalesced: boolean;
}

/** What was at hand before the computation began: may be served if that fails or takes too long. */
export interface Fallback {
  readonly entry: Entry;
  /** Serves it, once. `undefined`: this process knows of an invalidation meanwhile, or its time is over. */
  take(): Serving | undefined;
}

/** What a computation made, before the core adds times, tags and position. */
export interface Draft {
  readonly body: Buffer;
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly etag: string;
  /** Shortens the ttl, ms: the handler's own max-age. */
  readonly ttlMs?: number;
  /** Never served past its ttl, whatever the grace: the handler's own must-revalidate (RFC 9111 §5.2.2.2). */
  readonly withoutGrace?: true;
  /** Stores under this key instead: the answer turned out to vary by more than the request's key says. */
  readonly key?: string;
}

/** One running computation. Readers of the same key wait for it, so it must be settled whatever happens. */
export interface Load {
  readonly key: string;
  /** Captured before the first read of the computation. */
  readonly position: Position;
  /** How long its result will be fresh at most, ms: the request's ttl, or what that has adapted to, less the jitter. */
  readonly ttlMs: number;
  /** Wall clock, ms: when the computation began. */
  readonly createdAt: number;
  /** What it has cost; stands with what is stored afterwards. */
  readonly bill: { add(usage: Usage): void; carry(cost: Cost): void; readonly cost: Cost | undefined };
  /** Runs the computation in a context where cached values that it reads, and tags that it adds, reach this load. */
  run<T>(computation: () => T): T;
  addTags(tags: Iterable<string>): void;
  /** Offers the result. Never rejects. */
  store(draft: Draft): Promise<PutOutcome>;
  /**
   * Gives up. Waiting readers compute for themselves, none shares this result. After `error` the computation rests for a
   * moment, as long as there is a fallback. Later calls do nothing.
   */
  decline(reason: DeclineReason): void;
  /**
   * Its reader goes on without it: nothing of it reaches the computation around any more. Before `run`, it runs outside
   * of the reader's context, too.
   */
  leave(): void;
  /** It takes too long, which counts as a failure: nobody begins to wait for it any more. Its result may still be stored. */
  giveUp(): void;
  readonly settled: boolean;
}

/** Other forms of stored bodies: made once, off the event loop, kept with the entry. */
export interface Forms {
  /** The entry with its body as the handler wrote it among its forms. Rejects for bytes that nobody can decode. */
  withIdentity(key: string, entry: Entry): Promise<Entry>;
  /** Begins to make a form for those who come later; at most once for an entry, and not while the machine is busy with others. */
  make(key: string, entry: Entry, coding: Coding): void;
}

/** The core as its callers see it. */
export interface Reader {
  read(request: ReadRequest): Turn | Promise<Turn>;
}
