// Two accounts of the same write, each complete: what only one of them leaves open, the other knows.
import { EVERYTHING, kindOf } from '../entry/tags.js';

const isWhole = (tag: string): boolean => tag.endsWith(':*');

/** Tags of either account that name something, and whole kinds only where neither knows better. */
export function narrow(one: readonly string[], other: readonly string[]): string[] {
  if (other.includes(EVERYTHING)) return [...one];
  if (one.includes(EVERYTHING)) return [...other];
  const named = new Set([...one, ...other].filter((tag) => !isWhole(tag)).map(kindOf));
  const wholeInBoth = new Set(one.filter((tag) => isWhole(tag) && other.includes(tag)));
  const keep = (tag: string) => !isWhole(tag) || wholeInBoth.has(tag) || !named.has(kindOf(tag));
  return [...new Set([...one, ...other])].filter(keep);
}
