// Pure: whether an entry is valid as far as a tag table tells, and which invalidation has ended it.
import type { Guard, TableView } from '../contract/look.js';
import { EVERYTHING, keyTag } from '../entry/tags.js';

export interface Invalidation {
  readonly tag: string;
  readonly seq: number;
}

export type Judgement =
  | { readonly state: 'valid' }
  /** It refers to a history that is gone. */
  | { readonly state: 'epoch' }
  /** By the latest of those that have. */
  | { readonly state: 'invalidated'; readonly by: Invalidation };

/** What ends an entry under this key, in the words of a table. */
export const watchedBy = (key: string, tags: readonly string[]): readonly string[] => [keyTag(key), ...tags];

export function judge(key: string, { epoch, asOf, tags }: Guard, table: TableView): Judgement {
  if (epoch !== table.epoch) return { state: 'epoch' };
  const by = latestOf(watchedBy(key, tags), table);
  return by === undefined || by.seq <= asOf ? { state: 'valid' } : { state: 'invalidated', by };
}

/** The last invalidation of any of these tags, or of everything; undefined: none is remembered. */
export function latestOf(tags: readonly string[], { floor, seqs }: TableView): Invalidation | undefined {
  let latest: Invalidation | undefined = floor > 0 ? { tag: EVERYTHING, seq: floor } : undefined;
  for (const tag of tags) {
    const seq = seqs.get(tag);
    if (seq !== undefined && seq > (latest?.seq ?? 0)) latest = { tag, seq };
  }
  return latest;
}
