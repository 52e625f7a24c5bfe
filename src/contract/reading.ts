// One reader's way through the cache: what the HTTP side and getOrLoad ask of the core, and what they get.
import type { Coding, Entry, HeaderField, Position } from './entry.js';
import type { BypassReason, DeclineReason } from './events.js';
import type { Consistency, LayerName, PutOutcome } from './store.js';

export interface ReadRequest {
  readonly key: string;
  /** Report type, for policy and events. */
  readonly type: string;
  /** Identity segment of the key, for the memory budget. */
  readonly owner: string;
  /** Tags known before the computation; the computation may add more. */
  readonly tags: readonly string[];
  /** How long the entry is fresh, ms. */
  readonly ttlMs: number;
  readonly consistency: Consistency;
  /** A position that this reader has been told of, so that he sees his own writes under a lease. */
  readonly atLeast?: Position;
  /** Whether this reader takes an entry that the cache holds; e.g. the request's max-age. Absent: takes any fresh entry. */
  readonly accept?: (entry: Entry, now: number) => boolean;
  /** Compute in any case and replace what is stored; waits for nobody. */
  readonly refresh?: boolean;
  /** Never compute: answer `none` instead of `lead`. */
  readonly onlyIfCached?: boolean;
}

/** What happened, and what the reader does next. */
export type Turn =
  /** Serve this. `coalesced`: it was computed for another reader while this one waited. */
  | { readonly next: 'serve'; readonly entry: Entry; readonly layer: LayerName; readonly coalesced: boolean }
  /** Compute, then settle the load exactly once: `store` or `decline`. */
  | { readonly next: 'lead'; readonly load: Load; readonly reason: string }
  /** Compute and store nothing. */
  | { readonly next: 'alone'; readonly reason: BypassReason }
  /** `onlyIfCached` and nothing usable. */
  | { readonly next: 'none' };

/** What a computation made, before the core adds times, tags and position. */
export interface Draft {
  readonly body: Buffer;
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly etag: string;
  /** Shortens the ttl, ms: the handler's own max-age. */
  readonly ttlMs?: number;
  /** Stores under this key instead: the answer turned out to vary by more than the request's key says. */
  readonly key?: string;
}

/** One running computation. Readers of the same key wait for it, so it must be settled whatever happens. */
export interface Load {
  readonly key: string;
  /** Captured before the first read of the computation. */
  readonly position: Position;
  /** Runs the computation in a context where cached values that it reads, and tags that it adds, reach this load. */
  run<T>(computation: () => T): T;
  addTags(tags: Iterable<string>): void;
  /** Offers the result. Never rejects. */
  store(draft: Draft): Promise<PutOutcome>;
  /** Gives up. Waiting readers compute for themselves, none shares this result. Later calls do nothing. */
  decline(reason: DeclineReason): void;
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
