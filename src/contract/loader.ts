// A loader, and what it may say about its run.
import type { Cost, Usage } from './costs.js';

/** What a loader may say about its run. */
export interface LoaderRun {
  /** Adds tags that became known while loading. */
  addTags(tags: Iterable<string>): void;
  /**
   * Tells what a call cost, as soon as it is known and once for each call: it is spent whatever becomes of the run. It stands
   * with the value, so that hits know what they have saved.
   */
  cost(usage: Usage): void;
}

/** What a loader may say that computes nothing itself, see `ReadRequest.looksUp`. */
export interface LookUpRun extends LoaderRun {
  /** What the run has cost that made what was found: counted then, and not again. */
  carry(cost: Cost): void;
  /** What this run has told so far. */
  spent(): Cost | undefined;
}

export type Loader<T> = (run: LoaderRun) => T | Promise<T>;

/** Any {@link Loader} is one; only who looks up says more of his run than that. */
export type AnyLoader<T> = (run: LookUpRun) => T | Promise<T>;
