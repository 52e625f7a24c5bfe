// What has happened in the last day, counted over all processes.

/** What became of a reader's request, or of the computation that it began. */
export type Outcome =
  | 'memory' // served from this layer, like the two below
  | 'redis'
  | 'database'
  | 'joined' // served what another reader's computation made
  | 'stale' // served past its ttl, within its grace
  | 'miss' // computed
  | 'bypass' // the cache was not asked
  | 'ran' // a handler or a loader has ended
  | 'failed' // those among them that failed
  | 'stored'
  | 'declined' // computed, and not stored
  | 'invalidated'; // invalidations, of no type

/** How often, and how long all of them together took. */
export interface Count {
  readonly times: number;
  readonly ms: number;
}

/** Five minutes. */
export interface StatisticsBucket {
  /** When they began. */
  readonly at: Date;
  /** By report type; what belongs to none stands under `*`. Absent: nothing of it happened. */
  readonly types: Readonly<Record<string, Partial<Readonly<Record<Outcome, Count>>>>>;
}

export interface StatisticsReport {
  /** The last day, oldest first; five minutes in which nothing happened are left out. */
  readonly buckets: readonly StatisticsBucket[];
  /** Whether all processes are in it. `false`: Redis did not answer, so this one alone is. */
  readonly complete: boolean;
  readonly lastUpdated: Date;
}

export interface HitRate {
  /** Served without a computation of their own. */
  readonly hits: number;
  readonly misses: number;
  /** hits / (hits + misses), 0 to 1; 0 where there was nothing. What bypassed the cache does not count. */
  readonly hitRate: number;
  /** Bypasses included. */
  readonly requests: number;
}
