// What a running loader is given: its tags and its costs go where they belong.
import type { LookUpRun } from '../contract/loader.js';
import type { Load } from '../contract/reading.js';
import type { Bill } from './bill.js';

/** Runs the computation of a load. @throws what it throws; the load is declined then */
export async function runLoad<T>(load: Load, loader: (run: LookUpRun) => T | Promise<T>): Promise<T> {
  try {
    return await load.run(() => loader(loaderRun((tags) => load.addTags(tags), load.bill)));
  } catch (error) {
    load.decline('error');
    throw error;
  }
}

export function loaderRun(
  addTags: (tags: Iterable<string>) => void,
  bill: Pick<Bill, 'add' | 'carry' | 'cost'>,
): LookUpRun {
  return {
    addTags: (tags) => addTags(tags),
    cost: (usage) => bill.add(usage),
    carry: (cost) => bill.carry(cost),
    spent: () => bill.cost,
  };
}
