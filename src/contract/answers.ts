// What the management API answers and tells, as its handlers make it and as its page reads it. Types alone: browsers load none of it.
import type { Health } from './health.js';
import type { LoggedInvalidation } from './invalidation-log.js';
import type { RunningTask, TaskRun } from './schedule.js';
import type { Outcome, StatisticsBucket } from './statistics.js';
import type { WarmProgress, WarmReport, WarmRun, WarmStop } from './warming.js';

/** As it arrives: JSON has no moments, only texts. */
export type Sent<T> = T extends Date
  ? string
  : T extends readonly (infer One)[]
    ? readonly Sent<One>[]
    : T extends object
      ? { readonly [Member in keyof T]: Sent<T[Member]> }
      : T;

export interface Rate {
  readonly hits: number;
  readonly misses: number;
  readonly hit_rate: number;
  readonly total_requests: number;
}

export interface Summary {
  readonly total: Rate & { readonly outcomes: Readonly<Partial<Record<Outcome, number>>> };
  /** Report types that were asked for. */
  readonly types: Readonly<Record<string, Rate>>;
}

/** What entries take in Redis, over all processes, and may take; what is gone before its time is counted until then. */
export interface RedisUse {
  readonly bytes: number;
  readonly max_bytes: number;
  readonly entries: number;
}

interface Counted extends Summary {
  readonly complete: boolean;
  readonly last_updated: Date;
  readonly memory: { readonly entries: number; readonly bytes: number; readonly maxBytes: number };
  /** Absent: there is no Redis, or it does not answer. */
  readonly redis?: RedisUse;
}

/** GET /stats */
export interface Stats extends Counted {
  readonly series: readonly StatisticsBucket[];
}

/** `latest`: the buckets that may have changed; `since`: counted since the event before. */
export interface StatsEvent extends Counted {
  readonly latest: readonly StatisticsBucket[];
  readonly since: { readonly hits: number; readonly misses: number; readonly requests: number };
  readonly process: { readonly rss: number; readonly heap_used: number };
}

export interface ListedEntry {
  readonly key: string;
  readonly type: string;
  readonly report: string;
  readonly owner: string;
  readonly bytes: number;
  readonly compute_ms: number;
  readonly ends_at: Date;
  readonly tags: readonly string[];
  readonly in_memory: boolean;
}

/** GET /entries */
export interface ListedEntries {
  readonly entries: readonly ListedEntry[];
  readonly total: number;
  readonly next?: string;
  readonly complete: boolean;
}

export interface Invalidation extends Omit<LoggedInvalidation, 'correlationId'> {
  readonly correlation_id?: string;
}

/** GET /invalidations */
export interface Invalidations {
  readonly invalidations: readonly Invalidation[];
  readonly complete: boolean;
}

/** POST /explain */
export interface Explanation {
  readonly key: string | null;
  readonly type?: string;
  readonly verdict: 'hit' | 'stale' | 'miss' | 'bypass';
  readonly reason: string;
  /** The same in words. */
  readonly detail: string;
  readonly layer?: string;
  readonly age_ms?: number;
  /** Of what is there: the position that it was computed at. */
  readonly as_of?: number;
  /** Of the history now; null: nobody can tell. */
  readonly position: { readonly epoch: string; readonly seq: number } | null;
  readonly layers: readonly object[];
  readonly tags: readonly object[];
  /** What has ended it, and as much of that as is still on record. */
  readonly invalidated_by?: { readonly tag: string; readonly seq: number } & Partial<Invalidation>;
}

/** GET /lists */
export interface OfferedLists {
  readonly lists: readonly {
    readonly name: string;
    readonly title: string;
    readonly columns: readonly string[];
    /** Whether each item has a page of its own. */
    readonly items: boolean;
  }[];
}

/** GET /lists/{name} */
export interface ListedItems {
  readonly title: string;
  readonly columns: readonly string[];
  readonly items: readonly object[];
  readonly next?: string;
}

/** A run of warming in this process, and how many of its reports are done with. */
export type ShownRun = WarmRun & { readonly done: number };

/** GET /warm */
export interface Warming {
  readonly names: readonly string[];
  readonly runs: readonly ShownRun[];
}

/** POST /warm */
export interface Warmed extends WarmReport {
  readonly dry_run?: true;
}

export interface WarmingEvent extends WarmProgress {
  readonly run: number;
  readonly name?: string;
  readonly way: string;
  readonly state: 'begun' | 'progress' | 'ended';
  readonly stopped?: WarmStop;
}

export interface Task {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  /** Null: never again. */
  readonly next_at: Date | null;
  readonly running: RunningTask | null;
  readonly last: TaskRun | null;
  readonly missed: number;
}

/** GET /schedule */
export interface Tasks {
  readonly tasks: readonly Task[];
  readonly complete: boolean;
}

export interface TaskEvent {
  readonly task: string;
  readonly state: 'begun' | 'done' | 'failed' | 'timeout' | 'retry' | 'missed';
  readonly attempt: number;
  readonly due?: Date;
  readonly ms?: number;
  readonly error?: string;
  readonly retry_ms?: number;
  readonly count?: number;
}

interface Spending {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly money: number;
  readonly ms: number;
}

export interface CostDay {
  /** `2026-01-31`. */
  readonly day: string;
  readonly type: string;
  readonly currency?: string;
  readonly spent: Spending & { readonly runs: number; readonly failed: number };
  /** By where hits came from. */
  readonly avoided: Readonly<Record<string, Spending & { readonly times: number }>>;
  readonly hits: { readonly times: number; readonly ms: number };
}

/** GET /costs; there is more in its summary. */
export interface Costs {
  readonly days: readonly CostDay[];
  readonly summary: {
    readonly generated: number;
    readonly failed: number;
    readonly served: number;
    readonly hits: number;
    readonly tokensUsed: number;
    readonly tokensSaved: number;
    readonly msUsed: number;
    readonly msSaved: number;
    readonly money: Readonly<Record<string, { readonly used: number; readonly saved: number }>>;
    readonly hitRate: number;
    readonly efficiency: number;
  };
}

/** What would go, of a dry run. */
export interface WouldGo {
  readonly tags?: readonly string[];
  readonly exact?: boolean;
  /** Absent in Redis: it did not tell, or there is none. */
  readonly entries: { readonly memory: number; readonly redis?: number };
}

/** Events of GET /events by name. */
export interface LiveEvents {
  readonly stats: StatsEvent;
  readonly health: Health;
  /** Oldest first; `more` of them are older than these and not shown. */
  readonly invalidation: { readonly invalidations: readonly Invalidation[]; readonly more: number };
  readonly warming: WarmingEvent;
  readonly task: TaskEvent;
}
