// Pure: whether an answer may be stored and for how long (RFC 9111 §3, §4.2, §5.2.2).
import type { DeclineReason } from '../contract/events.js';
import { parseCacheControl, parseDeltaSeconds, secondsOf, type Directive } from './cache-control.js';
import { lineOf, type Fields } from './header-fields.js';
import { parseHttpDate } from './http-date.js';
import { listFieldNames } from './vary.js';

export interface Answer {
  readonly status: number;
  /** What the handler set. */
  readonly said: Fields;
  /** Octets of the body where known: Content-Length, or the whole body at once. */
  readonly bytes: number | undefined;
}

export type Verdict =
  | {
      readonly store: true;
      /** The handler's own lifetime, ms; absent when it gave none. It shortens the route's ttl, never extends it. */
      readonly ttlMs?: number;
      /** Lower-case names of fields to leave out. */
      readonly without: readonly string[];
      /** The handler wants nobody to be served this past its lifetime. */
      readonly withoutGrace?: true;
    }
  | { readonly store: false; readonly reason: DeclineReason };

/**
 * Never stored, even if the route names them: interim answers, parts and 304 are not whole answers (RFC 9111 §3, §3.3);
 * 428, 429, 431 and 511 must not be (RFC 6585 §3-6).
 */
const NEVER = new Set([206, 304, 428, 429, 431, 511]);

/**
 * §4.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10: not without validation. The last two are for shared caches, which this one is where
 * `share` says so; what a handler wants of those it hardly wants less here.
 */
const NOTHING_STALE: ReadonlySet<string> = new Set(['must-revalidate', 'proxy-revalidate', 's-maxage']);

/**
 * The cache is private to whom the key names, so `private`, `s-maxage`, `proxy-revalidate` and `Authorization` do not
 * stand against storing (§3.5, §5.2.2.7); a wider `share` is the route's explicit word for the same. `must-understand`
 * (§5.2.2.3) is treated as unknown, so a `no-store` beside it counts.
 */
export function judgeAnswer(
  answer: Answer,
  storeStatuses: ReadonlySet<number>,
  maxEntryBytes: number,
  now: number,
): Verdict {
  const { status, said } = answer;
  if (status === 304) return decline('not-modified');
  if (status === 206 || said.has('content-range')) return decline('partial');
  if (status < 200 || NEVER.has(status) || !storeStatuses.has(status)) return decline('status');

  const directives = parseCacheControl(lineOf(said, 'cache-control') ?? '');
  if (directives.some(({ name }) => name === 'no-store')) return decline('no-store');
  const noCache = directives.filter(({ name }) => name === 'no-cache');
  // §5.2.2.4: reuse would need validation, and the only origin to ask is the handler itself.
  if (noCache.some(({ value }) => fieldNames(value).length === 0)) return decline('no-cache');
  // §7.3: reuse would roll back a session that has been rotated since, or hand it to whoever shares the entry.
  if (said.has('set-cookie')) return decline('set-cookie');
  if (listFieldNames(lineOf(said, 'vary') ?? '').includes('*')) return decline('vary-star');
  if (answer.bytes !== undefined && answer.bytes > maxEntryBytes) return decline('too-large');

  const ttlMs = lifetimeMs(directives, said, now);
  if (ttlMs !== undefined && ttlMs <= 0) return decline('max-age');
  const without = noCache.flatMap(({ value }) => fieldNames(value));
  const withoutGrace = directives.some(({ name }) => NOTHING_STALE.has(name));
  return {
    store: true,
    without,
    ...(ttlMs !== undefined && { ttlMs }),
    ...(withoutGrace && { withoutGrace }),
  };
}

/** §4.2.1: max-age before Expires, minus a received Age; invalid information means no lifetime at all (§4.2.1, §5.3). */
function lifetimeMs(directives: readonly Directive[], said: Fields, now: number): number | undefined {
  if (isSendFileDefault(lineOf(said, 'cache-control'))) return undefined;
  const received = (parseDeltaSeconds(lineOf(said, 'age')?.trim()) ?? 0) * 1000;
  const maxAge = secondsOf(directives, 'max-age');
  if (maxAge === 'invalid') return 0;
  if (maxAge !== undefined) return maxAge * 1000 - received;
  const expires = lineOf(said, 'expires');
  if (expires === undefined) return undefined;
  const until = parseHttpDate(expires, now);
  const from = parseHttpDate(lineOf(said, 'date') ?? '', now) ?? now;
  return until === undefined ? 0 : until - from - received;
}

/** What `res.sendFile` and `res.download` write when nobody said anything (the `send` package): nobody's wish. */
export function isSendFileDefault(cacheControl: string | undefined): boolean {
  return cacheControl === 'public, max-age=0';
}

function fieldNames(value: string | undefined): string[] {
  return listFieldNames(value ?? '').map((name) => name.toLowerCase());
}

function decline(reason: DeclineReason): Verdict {
  return { store: false, reason };
}
