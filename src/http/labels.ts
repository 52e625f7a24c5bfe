// What happened, told in headers: X-Cache, and Cache-Status with the reason (RFC 9211).
import type { ServerResponse } from 'node:http';
import type { Serving } from '../contract/reading.js';

/**
 * HIT: the handler did not run, also where the answer was computed for another reader meanwhile. STALE: a report past its
 * ttl, because a new one is being computed or that has failed. MISS: the handler ran and its answer could have been stored, a forced refresh included. BYPASS: the cache
 * was not asked, or could not be.
 */
export type CacheLabel = 'HIT' | 'STALE' | 'MISS' | 'BYPASS';

/** RFC 9211 §2.2, as far as it can be known here. */
export type Forward = 'bypass' | 'method' | 'uri-miss' | 'miss' | 'request' | 'stale';

export interface Outcome {
  readonly label: CacheLabel;
  /** Everything after the cache's name, e.g. `; fwd=method`. */
  readonly status: string;
}

export function forwarded(label: CacheLabel, fwd: Forward, detail?: string): Outcome {
  return { label, status: `; fwd=${fwd}${detail === undefined ? '' : `; detail=${detail}`}` };
}

/** Neither a hit nor forwarded: the cache itself has answered. */
export function answeredHere(label: CacheLabel, detail: string): Outcome {
  return { label, status: `; detail=${detail}` };
}

/** `; hit; ttl=240; detail=memory`, or collapsed where the answer was computed for another reader meanwhile (RFC 9211 §2.6). */
export function hit({ entry, layer, coalesced }: Serving, now: number): Outcome {
  const label = now >= entry.staleAt ? 'STALE' : 'HIT';
  if (coalesced) return { label, status: `; fwd=miss; collapsed; detail=${layer}` };
  return { label, status: `; hit; ttl=${Math.floor((entry.staleAt - now) / 1000)}; detail=${layer}` };
}

/** The handler was asked and failed (`fwd-status`, §2.3), so this is no `hit` although an entry goes out. */
export function stoodIn({ entry, layer }: Serving, fwd: Forward, failed: number, now: number): Outcome {
  const status = `; fwd=${fwd}; fwd-status=${failed}; detail=${layer}`;
  return { label: now >= entry.staleAt ? 'STALE' : 'HIT', status };
}

/**
 * `fwd` for a reason of the core. An invalidated entry is a `miss`, not `stale`: by its age it was still fresh, and
 * counting it as stale would suggest that a longer ttl helps. `uri-miss` only where the key is the URI alone; with
 * Vary in the key nobody knows which part was new (§2.2.4).
 */
export function forwardFor(reason: string, varies: boolean): { fwd: Forward; detail?: string } {
  switch (reason) {
    case 'absent':
      return { fwd: varies ? 'miss' : 'uri-miss' };
    case 'expired':
      return { fwd: 'stale' };
    case 'request':
      return { fwd: 'request' };
    default:
      return { fwd: 'miss', detail: reason };
  }
}

/** Cache-Status, added to what caches nearer to the data have said (§2); `X-Cache` is the outcome's label. */
export function cacheStatus(res: ServerResponse, cacheName: string, outcome: Outcome): string | string[] {
  const earlier = res.getHeader('Cache-Status');
  const own = `${cacheName}${outcome.status}`;
  return earlier === undefined ? own : [earlier].flat().map(String).concat(own);
}

/** A structured-field token where the name is one, otherwise a string (RFC 8941 §3.3.3, §3.3.4). */
export function printCacheName(name: string): string {
  if (/^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*$/.test(name)) return name;
  return `"${name.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`;
}
