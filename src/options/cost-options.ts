// What users may say of costs.
import type { Duration } from './duration.js';

/** A row of a price list. Keep old rows: what was spent before stands at the prices of its day. */
export interface Price {
  /** As runs name it. */
  readonly model: string;
  /** The first day (UTC) on which it holds, `'2026-01-31'`; until the next row of this model. */
  readonly from: string;
  /** For a million tokens of the question, in `currency`. */
  readonly inputPerMillion: number;
  /** For a million tokens of the answer. */
  readonly outputPerMillion: number;
  /** ISO 4217; the same in all rows, since they are added up. */
  readonly currency: string;
}

/** What may be spent in a day (UTC); what is absent is unbounded. */
export interface SpendLimit {
  /** Tokens of questions and answers together. */
  readonly tokens?: number;
  /** In the currency of `prices`. */
  readonly money?: number;
}

export interface SpendLimits {
  /** Of each user; of whoever shares it, where a report is shared. */
  readonly perUser?: SpendLimit;
  /** Of all together. */
  readonly total?: SpendLimit;
}

export interface CostOptions {
  /** Without it tokens are counted, and no money. @default [] */
  readonly prices?: readonly Price[];
  /** How often what was counted goes to the table of `costMigrations`; a process that is killed loses no more. @default '10s' */
  readonly flush?: Duration;
  /**
   * By report type. When one is reached, new runs are refused until the day is over (ERC_SPEND, 429 on routes); hits go on, and so
   * do runs under way, which may go beyond it. @default {}
   */
  readonly limits?: Readonly<Record<string, SpendLimits>>;
}

/** Days (UTC), both included. */
export interface CostRange {
  /** `'2026-01-31'`. @default today */
  readonly from?: string;
  /** @default today */
  readonly to?: string;
}
