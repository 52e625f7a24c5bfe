// A cached route with every option resolved: all that the HTTP side knows about configuration.
import type { Request } from 'express';
import type { Coding, Position } from '../contract/entry.js';
import type { Refusal } from '../contract/costs.js';
import type { BypassReason } from '../contract/events.js';
import type { Share } from '../contract/identity.js';
import type { Coalesce, Freshness, Load } from '../contract/reading.js';
import type { Consistency } from '../contract/store.js';

/**
 * What the browser may do with its copy. `revalidate`: keep it and ask each time, so an invalidation is seen at once.
 * `ttl` or a number of seconds: show it without asking for the rest of the entry's life, or for that long at most; no
 * invalidation reaches such a copy. `no-store`: keep none.
 */
export type BrowserPolicy = 'revalidate' | 'ttl' | 'no-store' | number;

/** In which codings hits are sent, and from which size on. */
export interface CompressPolicy {
  /** In the order in which they are preferred where a client does not care; none: as the handler wrote it, always. */
  readonly codings: readonly Coding[];
  /** Smaller bodies are sent as they are. */
  readonly minBytes: number;
}

/** The body of an `application/problem+json` answer (RFC 9457 §3.1), with two members of our own. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** For programs: does not change with the wording. */
  readonly code: string;
  /** The query parameter that does not fit. */
  readonly parameter?: string;
}

/** What can be asked for. */
export interface Described {
  readonly key: string;
  readonly owner: string;
  /** Made on demand, since a hit needs none. A throw is a bypass with reason `key`. */
  tags(): readonly string[];
}

/** What a request means to the cache. */
export type Description =
  | Described
  | { readonly bypass: BypassReason; readonly detail?: string }
  /** Answered here; the handler does not run. `reason` goes into the event. */
  | { readonly refuse: ProblemDetails; readonly reason: BypassReason };

/** For routes whose handlers tell of costs. */
export interface RouteSpending {
  /** Whether a new run may begin for this owner; see `SpendGate`. */
  admit(owner: string): undefined | Promise<Refusal | undefined>;
  /** Whom a run is counted for that has no key. May throw what the application throws. */
  ownerOf(req: Request): string | undefined;
  /** Runs a handler beside the cache; what it tells is counted for this owner. */
  beside(owner: string, task: () => void): void;
}

/** For routes whose reports are made of their key alone, by a loader. */
export interface LoadedRoute {
  /** Begins to make the report anew, for which nobody waits. Settles the load. */
  remake(load: Load, req: Request): void;
  /** Somebody has asked for it, who was spared so many ms. */
  asked(req: Request, key: string, computeMs: number): void;
}

export interface ResolvedRoute {
  /** Report type. */
  readonly type: string;
  /** How long an entry is fresh, ms; 0 switches the route off. */
  readonly ttlMs: number;
  readonly freshness: Freshness;
  readonly consistency: Consistency;
  readonly coalesce: Coalesce;
  /** Undefined: as long as the cache says. */
  readonly waitMs?: number | undefined;
  /** Entries outlive memory and Redis in the database. */
  readonly persist?: boolean;
  readonly browser: BrowserPolicy;
  readonly share: Share;
  /** Larger bodies pass through and are not stored, bytes. */
  readonly maxEntryBytes: number;
  readonly compress: CompressPolicy;
  /** Whether no-cache, max-age, min-fresh, only-if-cached and no-store of the request count (RFC 9111 §5.2.1). */
  readonly requestDirectives: 'honour' | 'ignore';
  /** Statuses that are stored; those that RFC 9111 forbids are not, even if named. */
  readonly storeStatuses: ReadonlySet<number>;
  /** The name of this cache in `Cache-Status` (RFC 9211 §2). */
  readonly cacheName: string;
  /** Everything that decides the key. A throw is a bypass with reason `key`. */
  describe(req: Request): Description;
  /** Absent: nobody keeps account. */
  readonly spending?: RouteSpending;
  /** Adds request header values to a key; `undefined` is an absent header, which differs from an empty one. */
  varyKey(key: string, names: readonly string[], values: readonly (string | undefined)[]): string;
  /** A position that the sender has been told of, so that he sees his own writes under a lease. */
  atLeast(req: Request): Position | undefined;
  /** Absent: a handler makes the report. */
  readonly loaded?: LoadedRoute;
  /** The tags that a successful unsafe request to this route invalidates (RFC 9111 §4.4); empty for none. */
  targetTags(req: Request): readonly string[];
  /** Resolves once the invalidation is in force or its bound has passed; never rejects. */
  invalidate(tags: readonly string[], cause: string): Promise<void>;
}
