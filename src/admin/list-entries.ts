// Lists entries: in the order of the index where that will do, else the best of all of them; bounded in time and memory.
import type { EntrySource, Guard, IndexedEntry } from '../contract/look.js';
import { Best } from './best.js';
import { carries, comparing, cursorOf, isBehind, isMeant, standingOf, type EntryQuery } from './entry-query.js';
import { judge, watchedBy } from './judge.js';

export interface FoundEntry extends IndexedEntry {
  readonly guard: Guard;
}

export interface EntryPage {
  /** Valid when they were looked at. */
  readonly entries: readonly FoundEntry[];
  /** That match, those that are no longer valid included. */
  readonly total: number;
  /** Where to go on; absent: there is nothing behind. */
  readonly next?: string;
  /** False: there was no time to look at all of them, or Redis does not answer. */
  readonly complete: boolean;
}

/** Kept of all of them: if none of these is valid, they are gone through again. */
const KEPT = 500;
/** Proved together. */
const CHUNK = 100;

/** @param isOver whether it has taken long enough; looked at between pages */
export async function listEntries(source: EntrySource, query: EntryQuery, isOver: () => boolean): Promise<EntryPage> {
  const { sort, search, user, tags } = query;
  const all = search === undefined && user === undefined && tags.length === 0;
  return (all && sort === 'ends' && source.inOrder ? inOrder : bestOf)(source, query, isOver);
}

async function inOrder(source: EntrySource, query: EntryQuery, isOver: () => boolean): Promise<EntryPage> {
  const { order, limit, after } = query;
  const total = await source.size();
  const from = after && { endsAt: Number(after.value), place: after.place };
  const entries: FoundEntry[] = [];
  let last: IndexedEntry | undefined;
  for await (const page of source.index(order, from)) {
    for (let at = 0; at < page.length; at += CHUNK) {
      const chunk = page.slice(at, at + CHUNK);
      const valid = await validOf(source, chunk, query);
      const fitting = valid.slice(0, limit - entries.length);
      entries.push(...fitting);
      if (entries.length === limit) return { entries, total, ...nextOf(fitting.at(-1), query), complete: true };
      last = chunk.at(-1);
    }
    if (isOver()) return { entries, total, ...nextOf(last, query), complete: false };
  }
  return { entries, total, complete: true };
}

async function bestOf(source: EntrySource, query: EntryQuery, isOver: () => boolean): Promise<EntryPage> {
  const { limit } = query;
  const entries: FoundEntry[] = [];
  let total: number | undefined;
  let { after } = query;
  for (;;) {
    const round = await lookThrough(source, { ...query, ...(after && { after }) }, isOver);
    total ??= round.matches;
    const { first, hasMore } = round.best;
    let last: IndexedEntry | undefined;
    for (let at = 0; at < first.length && entries.length < limit; at += CHUNK) {
      const chunk = first.slice(at, at + CHUNK);
      const fitting = (await validOf(source, chunk, query)).slice(0, limit - entries.length);
      entries.push(...fitting);
      last = entries.length === limit ? fitting.at(-1) : chunk.at(-1);
    }
    const rest = hasMore || (last !== undefined && last.place !== first.at(-1)?.place);
    const next = rest ? nextOf(last, query) : {};
    if (entries.length === limit || !rest || isOver())
      return { entries, total, ...next, complete: round.complete && (entries.length === limit || !rest) };
    if (last !== undefined) after = standingOf(last, query.sort);
  }
}

interface Round {
  readonly best: Best<IndexedEntry>;
  readonly matches: number;
  readonly complete: boolean;
}

/** Every entry once, of which only the best are kept. */
async function lookThrough(source: EntrySource, query: EntryQuery, isOver: () => boolean): Promise<Round> {
  const best = new Best(Math.max(KEPT, query.limit), comparing(query));
  let matches = 0;
  for await (const page of source.index('asc')) {
    let meant = page.filter((entry) => isMeant(entry, query));
    if (query.tags.length > 0 && meant.length > 0) {
      const guards = await source.guards(meant.map(({ key }) => key));
      meant = meant.filter((_, at) => guards[at] !== undefined && carries(guards[at], query.tags));
    }
    matches += meant.length;
    for (const entry of meant) if (isBehind(entry, query)) best.offer(entry);
    if (isOver()) return { best, matches, complete: false };
  }
  return { best, matches, complete: true };
}

/** Those that are there, carry what is asked for and that nothing has invalidated, in the same order. */
async function validOf(
  source: EntrySource,
  chunk: readonly IndexedEntry[],
  { tags }: EntryQuery,
): Promise<FoundEntry[]> {
  if (chunk.length === 0) return [];
  const guards = await source.guards(chunk.map(({ key }) => key));
  const there = chunk.flatMap((entry, at) => {
    const guard = guards[at];
    return guard !== undefined && carries(guard, tags) ? [{ ...entry, guard }] : [];
  });
  const table = await source.table(there.flatMap(({ key, guard }) => watchedBy(key, guard.tags)));
  return there.filter(({ key, guard }) => judge(key, guard, table).state === 'valid');
}

const nextOf = (last: IndexedEntry | undefined, query: EntryQuery): { readonly next?: string } =>
  last === undefined ? {} : { next: cursorOf(last, query) };
