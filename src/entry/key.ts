// The name of an entry: report:<report>:<identity>:<filters hash>, in which no two different inputs meet.
import type { Identity, Share } from '../contract/identity.js';
import { canonical } from './canonical.js';
import { decodeSegment, encodeSegment, sha256 } from './encode.js';

export interface KeyParts {
  readonly type: string;
  readonly report: string | number | bigint;
  /** From {@link identitySegment}. */
  readonly identity: string;
  /** Parsed filters; order of names never matters. */
  readonly filters: unknown;
  /**
   * What else tells two reports apart without standing in the key: a route's path (so that a forgotten parameter in
   * `report` cannot show the wrong report), or `undefined` for a loader.
   */
  readonly scope?: string | undefined;
}

/** Builds the key. */
export function reportKey({ report, identity, ...parts }: KeyParts): string {
  return keyOf(report, identity, hashOf(parts));
}

/** The key from its {@link hashOf}. */
export function keyOf(report: KeyParts['report'], identity: string, hash: string): string {
  return `report:${encodeSegment(String(report))}:${identity}:${hash}`;
}

/**
 * The part of the key that depends on neither report nor identity. It covers the type and the scope too, and is a whole
 * SHA-256: cutting it to a few digits, as short keys do, would let different filters meet.
 */
export function hashOf({ type, filters, scope }: Pick<KeyParts, 'type' | 'filters' | 'scope'>): string {
  return sha256(`${JSON.stringify([type, scope ?? null])}${canonical(filters)}`);
}

export interface ReadKey {
  readonly report: string;
  /** The identity segment as it stands there; `*` is everybody. */
  readonly owner: string;
  /** Absent where it is shared. */
  readonly user?: string;
  readonly tenant?: string;
}

/** What a key tells of itself; undefined for what is none. */
export function readKey(key: string): ReadKey | undefined {
  const [, report, owner] = /^report:([^:\s]+):([^:\s]+):[^:\s]+$/.exec(key) ?? [];
  if (report === undefined || owner === undefined) return undefined;
  const [user = '*', tenant = ''] = owner.split('!').map(decodeSegment);
  return { report: decodeSegment(report), owner, ...(user !== '*' && { user }), ...(tenant !== '' && { tenant }) };
}

/** Adds the values of request headers to a key, because the answer varies by them. Absent differs from empty. */
export function variantKey(key: string, names: readonly string[], values: readonly (string | undefined)[]): string {
  if (names.length === 0) return key;
  const pairs = names.map((name, index) => [name.toLowerCase(), values[index] ?? null] as const);
  pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `${key}.${sha256(JSON.stringify(pairs))}`;
}

/** Texts that a template literal makes of a missing user; as a user id they would join all anonymous readers. */
const NOBODY = new Set(['', 'undefined', 'null', 'NaN', '[object Object]']);

function part(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return undefined;
  const text = String(value);
  return NOBODY.has(text) ? undefined : encodeSegment(text);
}

/**
 * The identity's place in the key, or `undefined` when it is not good enough for the sharing asked for: then the
 * request bypasses the cache. `!` separates the parts and `*` stands for "any user"; neither occurs in an encoded part.
 */
export function identitySegment(
  identity: Identity | null | undefined | false | '' | 0,
  share: Share,
): string | undefined {
  if (share === 'everyone') return '*';
  if (!identity || typeof identity !== 'object') return undefined;
  const tenant = optionalPart(identity.tenant);
  const role = optionalPart(identity.role);
  if (tenant === undefined || role === undefined) return undefined;
  // Even a report shared inside a tenant needs somebody who was identified.
  const user = part(identity.user);
  if (user === undefined) return undefined;
  switch (share) {
    case 'user':
      return tenant === '' && role === '' ? user : `${user}!${tenant}!${role}`;
    case 'role':
      return tenant === '' && role === '' ? undefined : `*!${tenant}!${role}`;
    case 'tenant':
      return tenant === '' ? undefined : `*!${tenant}`;
  }
}

/** Absent is fine and empty; present but unusable is not. */
function optionalPart(value: unknown): string | undefined {
  return value === undefined || value === null ? '' : part(value);
}
