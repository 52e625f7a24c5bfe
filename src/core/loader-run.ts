// What a running loader is given: its tags and its costs go where they belong.
import type { LookUpRun } from '../contract/loader.js';
import type { Bill } from './bill.js';

export function loaderRun(
  addTags: (tags: Iterable<string>) => void,
  bill: Pick<Bill, 'add' | 'carry' | 'cost'>,
): LookUpRun {
  return {
    addTags: (tags) => addTags(tags),
    cost: (usage) => bill.add(usage),
    carry: (cost) => bill.carry(cost),
    get spent() {
      return bill.cost;
    },
  };
}
