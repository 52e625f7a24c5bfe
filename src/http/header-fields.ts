// Which header fields the handler set, and which of them an entry keeps.
import type { ClientRequest, ServerResponse } from 'node:http';
import type { HeaderField } from '../contract/entry.js';
import { lineOfHeader, listFieldNames } from './vary.js';

type Values = string | readonly string[];

/** Header fields by lower-case name. */
export type Fields = ReadonlyMap<string, HeaderField>;

export function fieldsOf(res: ServerResponse): Fields {
  const fields = new Map<string, HeaderField>();
  // In Node since 15.4, for responses too; the type declarations know it for requests only.
  const { getRawHeaderNames } = res as ServerResponse & Pick<ClientRequest, 'getRawHeaderNames'>;
  for (const name of getRawHeaderNames.call(res)) {
    const value = res.getHeader(name);
    // appendHeader() pushes into the array that getHeader() returned: only a copy shows later what was added.
    if (value !== undefined) fields.set(name.toLowerCase(), [name, Array.isArray(value) ? [...value] : String(value)]);
  }
  return fields;
}

/**
 * The fields that are new or different: what the handler said. The others were set in front for this one request
 * (CORS, request id, session) and belong in no other answer; a field set again to the same value cannot be told apart.
 */
export function changedFields(before: Fields, after: Fields): Fields {
  const changed = new Map<string, HeaderField>();
  for (const [key, field] of after) {
    const earlier = before.get(key);
    if (earlier === undefined || !sameValues(earlier[1], field[1])) changed.set(key, field);
  }
  return changed;
}

/** One line for a field, repeated lines joined as RFC 9110 §5.3 allows; `undefined` when it is absent. */
export function lineOf(fields: Fields, name: string): string | undefined {
  const field = fields.get(name);
  return field === undefined ? undefined : lineOfHeader(field[1]);
}

/** Connection and what else belongs to one connection or one message (RFC 9110 §7.6.1, RFC 9111 §3.1). */
const THIS_MESSAGE_ONLY = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Made anew for every answer, or no part of a report. Ranges are not served from entries, so none are offered. */
const MADE_ANEW = new Set(['content-length', 'date', 'etag', 'x-cache', 'cache-status', 'set-cookie', 'accept-ranges']);

/** Read again when the entry is sent, so stored under one spelling whatever the handler's. */
const CANONICAL = new Map([
  ['age', 'Age'],
  ['cache-control', 'Cache-Control'],
  ['expires', 'Expires'],
  ['last-modified', 'Last-Modified'],
  ['vary', 'Vary'],
]);

/**
 * What an entry keeps of the handler's fields.
 * @param without lower-case names that the handler excluded (`no-cache="X"`, RFC 9111 §5.2.2.4).
 * @param replaced values to store instead of what the handler said, by lower-case name; `undefined` drops the field.
 */
export function storedFields(
  said: Fields,
  without: readonly string[],
  replaced: ReadonlyMap<string, string | undefined>,
): HeaderField[] {
  const named = listFieldNames(lineOf(said, 'connection') ?? '').map((name) => name.toLowerCase());
  const dropped = new Set([...named, ...without]);
  const stored: HeaderField[] = [];
  for (const [key, [name, value]] of said) {
    if (THIS_MESSAGE_ONLY.has(key) || MADE_ANEW.has(key) || dropped.has(key)) continue;
    const kept = replaced.has(key) ? replaced.get(key) : value;
    if (kept !== undefined) stored.push([CANONICAL.get(key) ?? name, kept]);
  }
  for (const [key, value] of replaced) {
    if (value !== undefined && !said.has(key)) stored.push([CANONICAL.get(key) ?? key, value]);
  }
  return stored;
}

function sameValues(some: Values, others: Values): boolean {
  if (typeof some === 'string' || typeof others === 'string') return some === others;
  return some.length === others.length && some.every((value, index) => value === others[index]);
}
