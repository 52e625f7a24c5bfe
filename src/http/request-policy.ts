// Pure: what the request's method and directives allow the cache to answer with (RFC 9111 §5.2.1, §5.4).
import type { IncomingHttpHeaders } from 'node:http';
import type { Entry } from '../contract/entry.js';
import { has, parseCacheControl, secondsOf, type Directive } from './cache-control.js';
import { ageMs } from './age.js';

export interface LookUp {
  readonly kind: 'look-up';
  /** no-cache: compute in any case and replace the entry. */
  readonly refresh: boolean;
  /** only-if-cached: 504 instead of the handler. */
  readonly onlyIfCached: boolean;
  /** max-age, min-fresh: which entries will do; absent means every fresh one. */
  readonly accept?: (entry: Entry, now: number) => boolean;
}

export type RequestPlan = LookUp | { readonly kind: 'bypass'; readonly reason: 'method' | 'request-no-store' };

const LOOK_UP: LookUp = { kind: 'look-up', refresh: false, onlyIfCached: false };

/** Methods registered as safe; every other one may change what it names (RFC 9110 §9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH']);

export function isUnsafe(method: string): boolean {
  return !SAFE.has(method);
}

/**
 * All of §5.2.1 is advice that a cache may ignore. Honoured here: no-store, no-cache, max-age, min-fresh and
 * only-if-cached. max-stale (§5.2.1.2 permits, never requires) lets no more be stale than the route's grace does, but may
 * narrow that; nothing brings an invalidated entry back. Not honoured: no-transform (nothing here transforms). An argument
 * that is no number is ignored with its directive, so that garbage cannot force an expensive report.
 */
export function planRequest(
  method: string,
  headers: IncomingHttpHeaders,
  directives: 'honour' | 'ignore',
): RequestPlan {
  // RFC 9111 §3: only methods that the cache understands; HEAD is answered from a stored GET (RFC 9110 §9.3.2).
  if (method !== 'GET' && method !== 'HEAD') return { kind: 'bypass', reason: 'method' };
  const line = headers['cache-control'];
  if (directives === 'ignore' || (line === undefined && headers.pragma === undefined)) return LOOK_UP;
  const said = line === undefined ? pragmaOf(headers.pragma) : parseCacheControl(line);
  if (has(said, 'no-store')) return { kind: 'bypass', reason: 'request-no-store' };

  const onlyIfCached = has(said, 'only-if-cached');
  const refresh = has(said, 'no-cache');
  // §5.2.1.4 with §5.2.1.7: a stored answer unproved and no handler to prove it leaves nothing to send.
  if (refresh && onlyIfCached) return { kind: 'look-up', refresh: false, onlyIfCached, accept: () => false };
  const accept = acceptance(said);
  return accept === undefined
    ? { kind: 'look-up', refresh, onlyIfCached }
    : { kind: 'look-up', refresh, onlyIfCached, accept };
}

/** §5.4: Pragma counts only where Cache-Control is absent. */
function pragmaOf(pragma: string | undefined): Directive[] {
  return has(parseCacheControl(pragma ?? ''), 'no-cache') ? [{ name: 'no-cache' }] : [];
}

function acceptance(said: readonly Directive[]): ((entry: Entry, now: number) => boolean) | undefined {
  const maxAge = secondsOf(said, 'max-age');
  const minFresh = secondsOf(said, 'min-fresh');
  const oldest = typeof maxAge === 'number' ? maxAge * 1000 : undefined;
  const freshFor = typeof minFresh === 'number' ? minFresh * 1000 : undefined;
  const longestStale = longestStaleMs(said, oldest);
  if (oldest === undefined && freshFor === undefined && longestStale === undefined) return undefined;
  return (entry, now) =>
    (oldest === undefined || ageMs(entry, now) <= oldest) &&
    (freshFor === undefined || entry.staleAt - now >= freshFor) &&
    (longestStale === undefined || now < entry.staleAt || now - entry.staleAt <= longestStale);
}

/** §5.2.1.1: whoever names an age wants nothing stale, unless he says so by max-stale, which without a number takes any. */
function longestStaleMs(said: readonly Directive[], oldest: number | undefined): number | undefined {
  if (said.some(({ name, value }) => name === 'max-stale' && value === undefined)) return undefined;
  const maxStale = secondsOf(said, 'max-stale');
  if (typeof maxStale === 'number') return maxStale * 1000;
  return oldest === undefined ? undefined : -1;
}
