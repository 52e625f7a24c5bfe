// What the management API asks of a cache.
import type { RedisUse } from '../contract/answers.js';
import type { Health } from '../contract/health.js';
import type { AskedUrl, ReadUrl } from '../contract/look.js';
import type { ScheduleStatus, TaskRun } from '../contract/schedule.js';
import type { StatisticsReport } from '../contract/statistics.js';
import type { WarmReport, WarmRun, WarmTarget } from '../contract/warming.js';
import type { CostDay } from '../costs/days.js';
import type { WarmOptions, WarmSelection } from '../options/loaded.js';
import type { EntryQuery } from './entry-query.js';
import type { InvalidationLog } from './invalidation-log.js';
import type { EntryPage } from './list-entries.js';
import type { Facts } from './verdict.js';

/** Looks without reading: nothing of it counts as a hit or a miss. */
export interface Look {
  now(): number;
  /** Never rejects: what Redis does not tell is not complete. */
  entries(query: EntryQuery): Promise<EntryPage>;
  isInMemory(key: string): boolean;
  /** @param tags what it would depend on, as far as that is known. Never rejects. */
  facts(key: string, tags: readonly string[]): Promise<Facts>;
  /** Undefined: no route is known that takes it. @throws TypeError for what is no URL; what the application's functions throw */
  url(asked: AskedUrl): ReadUrl | undefined;
  /** For how long entries of a type are served past their ttl, ms, and whether it is on; undefined: there is none of that name. */
  policy(type: string): { readonly graceMs: number; readonly off: boolean } | undefined;
}

export interface ManagedSchedule {
  readonly names: readonly string[];
  status(): Promise<ScheduleStatus>;
  /** Newest first. */
  runs(name: string): Promise<readonly TaskRun[]>;
  /** @throws ERC_TASK_RUNNING */
  begin(name: string): Promise<{ readonly ended: Promise<unknown> }>;
}

export interface ManagedCache {
  /** Declared report types. */
  readonly types: () => readonly string[];
  /** @param last only so many of the latest buckets */
  statistics(last?: number): Promise<StatisticsReport>;
  resetStatistics(): Promise<void>;
  health(): Promise<Health>;
  /** The latest, of all processes. */
  readonly invalidations: Pick<InvalidationLog, 'read' | 'find' | 'ofOthers'>;
  readonly look: Look;
  /** Entries of this process's memory, and what they take. */
  memory(): { readonly entries: number; readonly bytes: number; readonly maxBytes: number };
  /** What entries take in Redis; undefined: there is none, or it does not answer. Never rejects. */
  redis(): Promise<RedisUse | undefined>;
  /** Entries under any of these tags, in this process's memory and in Redis; undefined: Redis did not tell, or there is none. */
  count(tags: readonly string[]): Promise<{ readonly memory: number; readonly redis?: number }>;
  /** @throws ERC_TAG */
  invalidate(tags: readonly string[], cause: string): Promise<void>;
  /** The tags of an organisation's resources. @throws ERC_RESOURCE, ERC_TAG */
  resourceTags(organization: string, resource: string, semester: string | undefined): readonly string[];
  /** What a pattern comes to. @throws ERC_PATTERN */
  resolve(pattern: string): { readonly tags: readonly string[]; readonly exact: boolean };
  /** @throws ERC_OPTION where nothing is counted */
  costs(range: { readonly from?: string; readonly to?: string }): Promise<readonly CostDay[]>;
  /** Absent: nothing is scheduled. */
  schedule(): ManagedSchedule | undefined;
  prune(): Promise<Readonly<Record<string, number>>>;
  /** @throws ERC_OPTION, ERC_OVERLOADED, ERC_TAG, ERC_REDIS */
  warm(selection: WarmSelection, options: WarmOptions): Promise<WarmReport>;
  /** The entries that declared reports of a type, or of a name, would have for a target. */
  readonly meant: (
    typeOrName: string,
    target: WarmTarget,
  ) => readonly { readonly key: string; readonly type: string; readonly tags: readonly string[] }[];
  /** Names of declared reports. */
  readonly warmable: () => readonly string[];
  /** Of this process, newest first. */
  readonly warmRuns: () => readonly WarmRun[];
}
