// The latest invalidations of all processes, as they are kept for whoever asks why something had to be computed anew.

/** An invalidation that some process has carried out. */
export interface LoggedInvalidation {
  /** By the clock of that process. */
  readonly at: Date;
  readonly cause: string;
  /** The first fifty, tables in front: they tell what has changed. */
  readonly tags: readonly string[];
  /** All that there were. */
  readonly count: number;
  /** How long it took until it was in force. */
  readonly ms: number;
  /** Where it stands in the history. */
  readonly epoch: string;
  readonly seq: number;
  /** Who has carried it out. */
  readonly process: string;
  /** In whose request. */
  readonly correlationId?: string;
}

/** Where the processes put them together. */
export interface SharedInvalidationLog {
  /** @throws where they are not taken; some of them may be there all the same */
  add(records: readonly LoggedInvalidation[]): Promise<void>;
  /** The latest first, as they came in: of two processes nearly in order, and perhaps twice. @throws where it does not answer */
  pages(): AsyncIterable<readonly LoggedInvalidation[]>;
  /**
   * What came in behind a place, the latest first, a thousand at most, and the place to go on from. @param after undefined: only the
   * place is asked for. @throws where it does not answer
   */
  since(after: string | undefined): Promise<{ readonly records: readonly LoggedInvalidation[]; readonly last: string }>;
}
