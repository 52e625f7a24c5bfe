// What results cost: as loaders tell it, as it stands with the entry, and who keeps account of it.

/** What one call of a model has used, as its provider tells it. */
export interface Usage {
  /** The model's name, as the price list has it. */
  readonly model?: string;
  /** Tokens of the question. @default 0 */
  readonly inputTokens?: number;
  /** Tokens of the answer. @default 0 */
  readonly outputTokens?: number;
}

/** What a run came to, all its calls together. */
export interface Cost {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The models that were called, eight at most. */
  readonly models: readonly string[];
  /** In units of the currency, to the billionth, at the prices of the day of the run; absent where no model of it has a price. */
  readonly money?: number;
  /** Of `money`: ISO 4217. */
  readonly currency?: string;
}

/** Whose run it is. */
export interface Run {
  /** Report type. */
  readonly type: string;
  /** Identity segment of the key. */
  readonly owner: string;
}

/** Keeps account of runs. */
export interface Meter {
  /** Counts at once, whatever becomes of the run. @returns what it comes to. Never throws. */
  spend(run: Run, usage: Usage): Cost;
}

/** A new run may not begin. */
export interface Refusal {
  /** Until the day is over, ms. */
  readonly retryMs: number;
}

/** Says whether a new run may begin. */
export interface SpendGate {
  /** Undefined, at once or later: it may. At once unless the type has a limit. Never rejects. */
  admit(run: Run): undefined | Promise<Refusal | undefined>;
}
