// Whoever watches a cache: hears the events that he wants, and may look at how it stands.
import type { CacheEvent, CacheEventKind } from './events.js';
import type { Health } from './health.js';

/** This process's memory. */
export interface MemoryUse {
  readonly entries: number;
  /** Bookkeeping included. */
  readonly bytes: number;
  readonly maxBytes: number;
}

/** A cache as its observers see it. */
export interface Observed {
  /** Whether a report type or a resource of this name was declared: what else events may say is not bounded. */
  isType(name: string): boolean;
  /** Asks Redis; never rejects. */
  health(): Promise<Health>;
  memory(): MemoryUse;
}

export interface Observer {
  /** What it hears; nothing else is put into words for it. Absent: every event. */
  readonly kinds?: ReadonlySet<CacheEventKind>;
  /** Called synchronously, in the midst of a request. What it throws is ignored. */
  hear(event: CacheEvent): void;
  /** Called once, when the cache is made. */
  attach?(cache: Observed): void;
}
