// Pure: which entries somebody wants to see, in which order, and from where on; and the text of a place to go on at.
import type { Guard, IndexedEntry } from '../contract/look.js';
import { readKey } from '../entry/key.js';
import { tag } from '../entry/tags.js';
import { badRequest } from './problem.js';

export const SORTS = ['ends', 'bytes', 'cost', 'key'] as const;
export const ORDERS = ['asc', 'desc'] as const;
export type Sort = (typeof SORTS)[number];
export type Order = (typeof ORDERS)[number];

/** Where an entry stands in an order. */
interface Standing {
  readonly value: number | string;
  readonly place: string;
}

export interface EntryQuery {
  readonly sort: Sort;
  readonly order: Order;
  readonly limit: number;
  readonly after?: Standing;
  /** A part of the key, of the report or of the owner, in any case. */
  readonly search?: string;
  readonly user?: string;
  /** Tags that it carries, all of them. */
  readonly tags: readonly string[];
}

const LIMIT = 50;
const MOST = 500;
const LONGEST_SEARCH = 200;

/** @throws a problem for what does not fit */
export function parseEntryQuery(query: Readonly<Record<string, string>>): EntryQuery {
  const { search, type, user, sort = 'ends', order = 'asc', after } = query;
  if (search !== undefined && (search === '' || search.length > LONGEST_SEARCH))
    throw badRequest(`"search" takes 1 to ${LONGEST_SEARCH} characters.`);
  const tags = [
    ...(type === undefined ? [] : [tag('type', type)]),
    ...(query['tag'] === undefined ? [] : [query['tag']]),
  ];
  return {
    sort: sort as Sort,
    order: order as Order,
    limit: parseLimit(query['limit'], LIMIT, MOST),
    tags,
    ...(search !== undefined && { search: search.toLowerCase() }),
    ...(user !== undefined && { user }),
    ...(after !== undefined && { after: parseCursor(after, sort as Sort, order as Order) }),
  };
}

/** @throws a problem */
export function parseLimit(text: string | undefined, usual: number, most: number): number {
  if (text === undefined) return usual;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > most) throw badRequest(`"limit" takes a whole number from 1 to ${most}.`);
  return limit;
}

/** What the index alone tells. */
export function isMeant({ key }: IndexedEntry, { search, user }: EntryQuery): boolean {
  if (search === undefined && user === undefined) return true;
  const read = readKey(key);
  if (user !== undefined && read?.user !== user) return false;
  return search === undefined || [key, read?.report ?? ''].some((text) => text.toLowerCase().includes(search));
}

export const carries = ({ tags }: Guard, wanted: readonly string[]): boolean =>
  wanted.every((one) => tags.includes(one));

/** Which comes first. */
export function comparing({ sort, order }: Pick<EntryQuery, 'sort' | 'order'>) {
  const sign = order === 'asc' ? 1 : -1;
  return (one: IndexedEntry, other: IndexedEntry): number =>
    sign * compareStandings(standingOf(one, sort), standingOf(other, sort));
}

/** Whether it comes behind the place to go on at. */
export function isBehind(entry: IndexedEntry, { sort, order, after }: EntryQuery): boolean {
  if (after === undefined) return true;
  const compared = compareStandings(standingOf(entry, sort), after);
  return order === 'asc' ? compared > 0 : compared < 0;
}

export function standingOf({ key, bytes, computeMs, endsAt, place }: IndexedEntry, sort: Sort): Standing {
  const value = { ends: endsAt, bytes, cost: computeMs, key }[sort];
  return { value, place };
}

function compareStandings(one: Standing, other: Standing): number {
  if (one.value !== other.value) return one.value < other.value ? -1 : 1;
  return one.place === other.place ? 0 : one.place < other.place ? -1 : 1;
}

/** Opaque to clients: who asks for another order has to begin anew. */
export function cursorOf(entry: IndexedEntry, { sort, order }: Pick<EntryQuery, 'sort' | 'order'>): string {
  const { value, place } = standingOf(entry, sort);
  return Buffer.from(JSON.stringify([sort, order, value, place])).toString('base64url');
}

function parseCursor(text: string, sort: Sort, order: Order): Standing {
  try {
    const read = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    const [itsSort, itsOrder, value, place] = read;
    const fits = typeof value === (sort === 'key' ? 'string' : 'number') && typeof place === 'string';
    if (itsSort === sort && itsOrder === order && fits) return { value: value as number | string, place };
  } catch {
    // Refused below.
  }
  throw badRequest('"after" takes the "next" of an answer to the same question, with the same sort and order.');
}
