// What is made ready before anybody asks for it, and what came of it.
import type { Identity } from './identity.js';

/** Whose report it is, as far as its key says: of shared reports no user, of those for everyone nothing. */
export type Reader = Partial<Identity>;

/** One report of one reader. */
export interface WarmTarget {
  readonly report: string | number | bigint;
  /** As `identify` would say of him. Absent: for reports that everyone shares. */
  readonly identity?: Reader;
  /** As they would stand in the query; numbers and truth values need not be texts. @default {} */
  readonly filters?: Readonly<Record<string, unknown>>;
}

/** A list of targets, made at once, later, or one after the other. */
export type WarmTargets =
  Iterable<WarmTarget> | AsyncIterable<WarmTarget> | Promise<Iterable<WarmTarget> | AsyncIterable<WarmTarget>>;

/** Which reports somebody looks at, so that they can be made ready before he does. What is absent cannot be asked for. */
export interface WarmLists {
  /** All that are worth having, e.g. before the school day. */
  readonly all?: () => WarmTargets;
  /** The readers of one report. */
  readonly report?: (report: string) => WarmTargets;
  /** What one user opens first. */
  readonly user?: (user: string) => WarmTargets;
  /** What belongs to one organisation. */
  readonly organization?: (organization: string) => WarmTargets;
}

/** Why a run ended before it was through. */
export type WarmStop =
  | 'budget' // its time was over
  | 'database' // it answered slowly again and again: readers need it more
  | 'aborted' // by its signal
  | 'closed';

export interface WarmFailure {
  readonly type: string;
  readonly report: string;
  readonly user?: string;
  readonly reason: string;
}

/** How far a run has come. */
export interface WarmProgress {
  readonly total: number;
  /** Ready now: they were, or have been computed. */
  readonly cached: number;
  /** Those among them that were computed. */
  readonly computed: number;
  readonly failed: number;
}

export interface WarmReport extends WarmProgress {
  /** Not tried, because the run was stopped. */
  readonly skipped: number;
  readonly stopped?: WarmStop;
  /** The first hundred. */
  readonly failures: readonly WarmFailure[];
  readonly ms: number;
}

/** A run of one process, as it is remembered. */
export interface WarmRun extends WarmProgress {
  readonly id: number;
  /** The report that was named; absent: all that could be warmed so. */
  readonly name?: string;
  /** What was named: reports, user, organization, learned, all, targets. Never whose. */
  readonly way: string;
  readonly at: Date;
  readonly running: boolean;
  readonly skipped?: number;
  readonly stopped?: WarmStop;
  readonly ms?: number;
}

/** A report that was asked for, by whom, and how. */
export interface Asked {
  /** Of the declaration. */
  readonly name: string;
  readonly report: string;
  readonly identity: Reader;
  readonly filters: Readonly<Record<string, unknown>>;
}
