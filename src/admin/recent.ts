// The latest invalidations of this process, for whoever asks what has just gone.
import type { Clock } from '../contract/clock.js';
import type { CacheEvent, CacheEventKind } from '../contract/events.js';
import type { RecentInvalidation } from './cache.js';

const KEPT = 200;
const TAGS = 50;

export class RecentInvalidations {
  readonly kinds: ReadonlySet<CacheEventKind> = new Set<CacheEventKind>(['invalidate']);
  readonly #kept: RecentInvalidation[] = [];

  constructor(private readonly clock: Clock) {}

  hear(event: CacheEvent): void {
    if (event.kind !== 'invalidate') return;
    const { tags, cause, durationMs } = event;
    if (this.#kept.length >= KEPT) this.#kept.shift();
    const at = new Date(this.clock.now());
    this.#kept.push({ at, cause, tags: tags.slice(0, TAGS), count: tags.length, ms: durationMs });
  }

  /** Newest first. */
  get newest(): readonly RecentInvalidation[] {
    return this.#kept.toReversed();
  }
}
