// A loader, and what it may say about its run.
import type { Usage } from '../contract/costs.js';
import type { Bill } from './bill.js';

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

export type Loader<T> = (run: LoaderRun) => T | Promise<T>;

export function loaderRun(addTags: (tags: Iterable<string>) => void, bill: Pick<Bill, 'add'>): LoaderRun {
  return { addTags: (tags) => addTags(tags), cost: (usage) => bill.add(usage) };
}
