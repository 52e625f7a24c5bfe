// Counts the entries that go with some tags: looks at all of them, page by page.
import type { EntrySource } from '../contract/look.js';
import { EVERYTHING, keyTag } from '../entry/tags.js';

export type IsMeant = (key: string, tags: readonly string[]) => boolean;

/** Whether an entry goes with any of these tags. */
export function meaning(tags: readonly string[]): IsMeant {
  const named = new Set(tags);
  if (named.has(EVERYTHING)) return () => true;
  return (key, its) => named.has(keyTag(key)) || its.some((one) => named.has(one));
}

/** @throws where the source does not answer */
export async function countIn(entries: Pick<EntrySource, 'index' | 'guards'>, isMeant: IsMeant): Promise<number> {
  let count = 0;
  for await (const page of entries.index('asc')) {
    const guards = await entries.guards(page.map(({ key }) => key));
    for (const [at, { key }] of page.entries()) {
      const guard = guards[at];
      if (guard !== undefined && isMeant(key, guard.tags)) count += 1;
    }
  }
  return count;
}
