// Pure: where an entry stands between its ttl and its end, and how chance moves that a little.
import type { Entry } from '../contract/entry.js';
import type { Freshness } from '../contract/reading.js';

/**
 * `fresh`: within its ttl. `early`: likewise, but the time to compute it anew has come. `stale`: past its ttl, within
 * the grace. `expired`: as good as absent.
 */
export type Standing = 'fresh' | 'early' | 'stale' | 'expired';

export const NO_GRACE: Freshness = { graceMs: 0, jitter: 0, refreshAhead: 0 };

/**
 * The reader's own grace counts beside the entry's `deleteAt`, which the grace of whoever stored it has set.
 * @param chance called once, and only where entries are refreshed ahead: uniform in [0, 1).
 */
export function standingOf(
  entry: Entry,
  { graceMs, refreshAhead }: Freshness,
  now: number,
  chance: () => number,
): Standing {
  if (now < entry.staleAt) {
    return refreshAhead > 0 && isDue(entry, refreshAhead, now, chance()) ? 'early' : 'fresh';
  }
  return now < Math.min(entry.deleteAt, entry.staleAt + graceMs) ? 'stale' : 'expired';
}

/**
 * Probabilistic early expiration (XFetch; Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede
 * Prevention, VLDB 2015): the costlier a report and the nearer its end, the likelier, so that under load somebody computes
 * it before it ends, and rarely two at once. `beta` 1 is the paper's optimum; more is earlier.
 */
function isDue(entry: Entry, beta: number, now: number, chance: number): boolean {
  // The logarithm of (0, 1], since that of 0 would make everything due.
  return now - entry.computeMs * beta * Math.log(1 - chance) >= entry.staleAt;
}

/** A ttl less up to the fraction `jitter` of it, so that what was stored together does not expire together. Never longer. */
export function shortened(ttlMs: number, jitter: number, chance: number): number {
  return Math.ceil(ttlMs * (1 - jitter * chance));
}
