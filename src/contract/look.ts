// What is seen of the cache by whoever looks at it without reading from it.
import type { Entry } from './entry.js';
import type { BypassReason } from './events.js';
import type { Identity } from './identity.js';
import type { LayerName } from './store.js';

/** What the truth knows of some tags. */
export interface TableView {
  readonly epoch: string;
  readonly seq: number;
  /** What was read before it counts as invalidated. */
  readonly floor: number;
  /** Last invalidation of each; absent: none that is remembered. */
  readonly seqs: ReadonlyMap<string, number>;
}

/** An entry in one layer, without its body. */
export interface EntryAt {
  readonly layer: LayerName;
  readonly entry: Omit<Entry, 'body' | 'forms'>;
  /** Of its body there. */
  readonly bytes: number;
}

/** An entry as an index knows it. */
export interface IndexedEntry {
  readonly key: string;
  readonly bytes: number;
  readonly computeMs: number;
  /** Wall clock, ms. */
  readonly endsAt: number;
  /** Tells those apart that are alike in everything else. */
  readonly place: string;
}

/** What proves an entry: the position that it was computed at, and what invalidates it. */
export type Guard = Pick<Entry, 'epoch' | 'asOf' | 'tags'>;

/** Entries to be listed. Throws where it does not answer. */
export interface EntrySource {
  /** Whether {@link index} gives them by the end of their time. */
  readonly inOrder: boolean;
  /** In pages that Redis gives at once, in no order unless `inOrder`. @param after where to go on */
  index(order: 'asc' | 'desc', after?: Pick<IndexedEntry, 'endsAt' | 'place'>): AsyncIterable<readonly IndexedEntry[]>;
  /** How many there are about, those that are no longer valid included. */
  size(): Promise<number>;
  /** Of each; undefined: it is gone. */
  guards(keys: readonly string[]): Promise<readonly (Guard | undefined)[]>;
  table(tags: readonly string[]): Promise<TableView>;
}

/** A URL that somebody asks about, and who would ask for it. */
export interface AskedUrl {
  readonly url: string;
  readonly identity: Identity | undefined;
  /** Lower case; for reports that vary by them. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where the URL does not say. */
  readonly origin: { readonly protocol: string; readonly host: string };
}

/** What a URL means to the cache. */
export interface ReadUrl {
  readonly type: string;
  /** For how long it is served past its ttl, ms. */
  readonly graceMs: number;
  /** Absent: the cache is not asked, see `bypass`. */
  readonly key?: string;
  /** As far as they are known before it is computed. */
  readonly tags: readonly string[];
  readonly bypass?: { readonly reason: BypassReason; readonly detail?: string };
}
