// Entries as rows, and the names that keys and tags have there: bounded, whatever a client sends.
import { createHash } from 'node:crypto';
import { WIRE_VERSION, type Coding, type Entry, type Position } from '../../contract/entry.js';
import { decodeEntry, encodeHeader } from '../../entry/codec.js';
import { CODINGS } from '../../entry/codings.js';
import { keyTag } from '../../entry/tags.js';
import type { Row } from '../../sql/dialect.js';

/** Of the row itself and its places in four indexes, estimated from PostgreSQL's tuples; the rest is counted. */
const ROW_OVERHEAD = 400;

const KEY_PREFIX = keyTag('');

/** An entry's primary key: releases whose reports or stored forms differ never meet. */
export function nameOf(version: string, key: string): string {
  return sha256(`${WIRE_VERSION}.${version}:${key}`);
}

/** A tag as the tables know it: a key may be longer than an index takes. */
export function tagName(tag: string): string {
  return tag.startsWith(KEY_PREFIX) ? `key#${sha256(tag)}` : tag;
}

/** What the tables have room for; tags made by `tag()` are shorter. */
const LONGEST_TAG = 190;

/** Whether the tables can hold it. What carries one that they cannot is not kept there, so none need be told of it. */
export function fits(tag: string): boolean {
  return tag !== '' && tagName(tag).length <= LONGEST_TAG;
}

/** What invalidates an entry, its key included: the last one, which `#` tells from a tag. */
function watched(key: string, entry: Entry): string {
  return JSON.stringify([...entry.tags, tagName(keyTag(key))]);
}

/** What follows namespace and name. */
export const ROW_COLUMNS = [
  'entry_key',
  'type',
  'owner',
  'header',
  'body',
  'coding',
  'tags',
  'as_of',
  'created_at',
  'stale_at',
  'delete_at',
  'compute_ms',
  'bytes',
  'worth',
] as const;

/** Values of {@link ROW_COLUMNS}. */
export function rowOf(key: string, entry: Entry): readonly unknown[] {
  const header = encodeHeader(entry);
  const tags = watched(key, entry);
  const bytes = sizeOf(key, entry);
  return [
    key,
    entry.type,
    entry.owner,
    header,
    entry.body,
    entry.coding ?? null,
    tags,
    entry.asOf,
    Math.round(entry.createdAt),
    Math.round(entry.staleAt),
    Math.round(entry.deleteAt),
    entry.computeMs,
    bytes,
    // What it would cost to lose it, for the room that it takes: when room is needed the least goes first.
    (entry.computeMs + 1) / bytes,
  ];
}

/** Bytes that an entry takes, as the budget counts them. */
export function sizeOf(key: string, entry: Entry): number {
  const tags = entry.tags.reduce((sum, tag) => sum + tag.length + 3, 0);
  return ROW_OVERHEAD + 2 * key.length + entry.body.length + encodeHeader(entry).length + tags;
}

/** Undefined for what this version did not write, or this Node cannot read. The epoch is that of the look-up, which has just proved the row. */
export function entryOf(row: Row, { epoch }: Position): Entry | undefined {
  try {
    const tags = (JSON.parse(String(row['tags'])) as string[]).slice(0, -1);
    const guard = [epoch, row['as_of'], ...tags].join(' ');
    const coding = codingOf(row['coding']);
    return decodeEntry(guard, String(row['header']), bytesOf(row['body']), coding);
  } catch {
    return undefined;
  }
}

/** Processes of several versions of Node may share the table. */
function codingOf(value: unknown): Coding | undefined {
  if (typeof value !== 'string') return undefined;
  const known = CODINGS.find((coding) => coding === value);
  if (known === undefined) throw new TypeError(`This Node does not know ${value}.`);
  return known;
}

/** Undefined while the namespace has no position. */
export function positionOf(row: Row): Position {
  // Which server counts is a part of the epoch: what was captured before it lost commits is compared with nothing after.
  const server = sha256(String(row['incarnation'])).slice(0, 12);
  return { epoch: `${String(row['epoch'])}.${server}`, seq: Number(row['seq']) };
}

function bytesOf(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  // SQLite gives a view of its own memory.
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new TypeError('The body is missing.');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
