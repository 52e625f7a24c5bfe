// Pure: what an event counts as.
import type { CacheEvent, CacheEventKind } from '../contract/events.js';
import type { Outcome } from '../contract/statistics.js';

/** What is counted. */
export const COUNTED_KINDS: ReadonlySet<CacheEventKind> = new Set<CacheEventKind>([
  'hit',
  'staleHit',
  'miss',
  'bypass',
  'ran',
  'stored',
  'declined',
  'invalidate',
]);

/** Of no report type. */
export const ANY_TYPE = '*';

/** Tells `count` what the event counts as, and how long it took. */
export function countOf(event: CacheEvent, count: (type: string, outcome: Outcome, ms: number) => void): void {
  switch (event.kind) {
    case 'hit':
      return count(event.type, event.coalesced ? 'joined' : event.layer, event.durationMs);
    case 'staleHit':
      return count(event.type, 'stale', event.durationMs);
    case 'miss':
    case 'stored':
    case 'declined':
      return count(event.type, event.kind === 'miss' ? 'miss' : event.kind, event.durationMs);
    case 'bypass':
      return count(event.type, 'bypass', 0);
    case 'ran':
      count(event.type, 'ran', event.durationMs);
      if (event.failed) count(event.type, 'failed', event.durationMs);
      return;
    case 'invalidate':
      return count(ANY_TYPE, 'invalidated', event.durationMs);
    default:
  }
}
