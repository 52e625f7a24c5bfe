// Preconditions: is the reader's copy still the current one? (RFC 9110 §13)
import etag from 'etag';
import { parseHttpDate } from './http-date.js';

/** The two preconditions that a cache evaluates; If-Match and If-Unmodified-Since stay the handler's (RFC 9111 §4.3.2). */
export interface Preconditions {
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
}

export interface Validators {
  /** The entity-tag as sent, or `undefined`. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
}

const ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/**
 * Weak, because the same entry is sent in several codings, here or by compression in front (RFC 9110 §8.8.3.3); the same tag
 * that Express itself makes of these bytes.
 */
export function entityTagOf(body: Buffer): string {
  return etag(body, { weak: true });
}

/** §8.8.3: whether the text is an entity-tag at all; without quotes no browser's copy would ever match. */
export function isEntityTag(text: string): boolean {
  return ENTITY_TAG.test(text);
}

/** The same tag as a weak one, which several codings of one body may share. */
export function weakened(tag: string): string {
  return tag === '' || tag.startsWith('W/') ? tag : `W/${tag}`;
}

/** Whether the answer to this GET or HEAD is 304. The caller has made sure that it would be 2xx otherwise (§13.2.1). */
export function isNotModified(preconditions: Preconditions, validators: Validators, now: number): boolean {
  // §13.1.3: where If-None-Match is present, If-Modified-Since is ignored, whether the former matches or not.
  if (preconditions.ifNoneMatch !== undefined) {
    return matchesNoneMatch(preconditions.ifNoneMatch, validators.etag);
  }
  if (preconditions.ifModifiedSince === undefined || validators.lastModified === undefined) return false;
  const since = parseHttpDate(preconditions.ifModifiedSince, now);
  const modified = parseHttpDate(validators.lastModified, now);
  return since !== undefined && modified !== undefined && modified <= since;
}

/** §13.1.2, weak comparison (§8.8.3.2): `W/` does not count, everything between the quotes does. */
export function matchesNoneMatch(header: string, current: string | undefined): boolean {
  // What a browser sends: the one tag that it was given, as it was given.
  if (header === current && isEntityTag(header)) return true;
  if (/^[ \t]*\*[ \t]*$/.test(header)) return true;
  if (current === undefined || !isEntityTag(current)) return false;
  const opaque = opaquePart(current);
  return listEntityTags(header).some((tag) => opaquePart(tag) === opaque);
}

/**
 * The entity-tags of a list (RFC 9110 §5.6.1.2): spaces, tabs and empty members are allowed, a comma inside the quotes
 * belongs to the tag, and a member that is no entity-tag is skipped up to the next comma.
 */
export function listEntityTags(header: string): string[] {
  const tags: string[] = [];
  let at = 0;
  while (at < header.length) {
    MEMBER.lastIndex = at;
    const tag = MEMBER.exec(header)?.groups?.['tag'];
    if (tag !== undefined) {
      tags.push(tag);
      at = MEMBER.lastIndex;
      continue;
    }
    const comma = header.indexOf(',', at);
    if (comma < 0) break;
    at = comma + 1;
  }
  return tags;
}

/** One list member that is an entity-tag, with the blanks around it and the comma after it. */
const MEMBER = /[ \t]*(?<tag>(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)/y;

function opaquePart(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
