// Tags: what a report is about. Entries carry them, writes invalidate them.
import { ReportCacheError } from '../contract/errors.js';
import { encodeSegment } from './encode.js';

declare const brand: unique symbol;
/** An encoded tag such as `student:42`. Made by {@link tag}, {@link wholeKind} and {@link tableTag} only. */
export type Tag = string & { readonly [brand]: 'tag' };

/** Stands for every entry of the namespace: invalidating it raises the floor instead of naming tags. */
export const EVERYTHING = '*' as Tag;

/** Kinds that the library puts on entries by itself. */
export const OWN_KINDS = ['viewer', 'report', 'type', 'table', 'tenant', 'key', 'version'] as const;

const ON_EVERY_ENTRY: ReadonlySet<string> = new Set(['viewer', 'report', 'type', 'key']);

const KIND = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/**
 * Names one thing that reports are about.
 * @param kind letters, digits, `-`, `_`; e.g. `student`. `viewer` and `report` name what every entry carries by itself.
 * @param id string, number or bigint; ids are literal (`*` is no wildcard) and of any length.
 * @throws ERC_TAG for a malformed kind or an empty, missing or non-finite id.
 */
export function tag(kind: string, id: string | number | bigint): Tag {
  if (typeof kind !== 'string' || !KIND.test(kind))
    throw new ReportCacheError('ERC_TAG', `"${String(kind)}" is not a tag kind.`);
  const valid =
    typeof id === 'string' ? id !== '' : typeof id === 'number' ? Number.isFinite(id) : typeof id === 'bigint';
  if (!valid)
    throw new ReportCacheError('ERC_TAG', `The id of a "${kind}" tag is ${id === '' ? 'empty' : String(id)}.`);
  return `${kind}:${encodeSegment(String(id))}` as Tag;
}

const TAG = /^[A-Za-z][A-Za-z0-9_-]{0,63}:(?:\*|[A-Za-z0-9._%~-]+)$/;

/** Whether this is a tag as {@link tag} writes it. A space in one would fall apart in a store, and invalidate nothing. */
export function isTag(value: unknown): value is Tag {
  return typeof value === 'string' && TAG.test(value);
}

/**
 * "Some rows of this kind changed, unknown which": reaches every entry that carries any tag of the kind.
 * Every entry has a viewer, a report, a type and a key, so for these it is {@link EVERYTHING}.
 */
export function wholeKind(kind: string): Tag {
  if (!KIND.test(kind)) throw new ReportCacheError('ERC_TAG', `"${kind}" is not a tag kind.`);
  return ON_EVERY_ENTRY.has(kind) ? EVERYTHING : (`${kind}:*` as Tag);
}

/** The tag that every write to a table invalidates; for lists and aggregates over the whole table. */
export function tableTag(table: string): Tag {
  return tag('table', table);
}

/** The tag that stands for one key: lets a single deletion fence a computation that is still running. */
export function keyTag(key: string): Tag {
  return `key:${key}` as Tag;
}

/** The kind in front of the first colon. */
export function kindOf(tag: string): string {
  const colon = tag.indexOf(':');
  return colon < 0 ? tag : tag.slice(0, colon);
}

/**
 * The tags an entry really carries: the given ones once each, and for every kind that writes can address as a whole
 * the `kind:*` tag beside them.
 */
export function withWholeKinds(tags: Iterable<string>): string[] {
  const all = new Set<string>(tags);
  for (const one of [...all]) {
    const whole = wholeKind(kindOf(one));
    if (whole !== EVERYTHING) all.add(whole);
  }
  return [...all];
}
