// What the management API asks of a cache.
import type { Health } from '../contract/health.js';
import type { StatisticsReport } from '../contract/statistics.js';
import type { CostDay } from '../costs/days.js';

/** An invalidation that this process has carried out. */
export interface RecentInvalidation {
  readonly at: Date;
  readonly cause: string;
  /** The first fifty. */
  readonly tags: readonly string[];
  /** All that there were. */
  readonly count: number;
  readonly ms: number;
}

export interface ManagedCache {
  /** Declared report types. */
  readonly types: () => readonly string[];
  statistics(): Promise<StatisticsReport>;
  resetStatistics(): Promise<void>;
  health(): Promise<Health>;
  /** Newest first. */
  readonly recent: () => readonly RecentInvalidation[];
  /** Entries of this process's memory, and what they take. */
  memory(): { readonly entries: number; readonly bytes: number; readonly maxBytes: number };
  /** Entries under any of these tags, in this process's memory and in Redis; undefined: Redis did not tell, or there is none. */
  count(tags: readonly string[]): Promise<{ readonly memory: number; readonly redis?: number }>;
  /** @throws ERC_TAG */
  invalidate(tags: readonly string[], cause: string): Promise<void>;
  /** What a pattern comes to. @throws ERC_PATTERN */
  resolve(pattern: string): { readonly tags: readonly string[]; readonly exact: boolean };
  /** @throws ERC_OPTION where nothing is counted */
  costs(range: { readonly from?: string; readonly to?: string }): Promise<readonly CostDay[]>;
  prune(): Promise<Readonly<Record<string, number>>>;
}
