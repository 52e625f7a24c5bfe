// Pure: how long one computation's result lives. What can be told to browsers is known when it begins, the rest when it ends.
import type { Dependency, Entry } from '../contract/entry.js';
import type { TtlReason } from '../contract/events.js';
import type { Draft, ReadRequest } from '../contract/reading.js';
import { isUnchanged, nextTtl, ttlAfter } from './adaptive-ttl.js';
import { NO_GRACE, shortened } from './freshness.js';

export interface Beginning {
  /** Wall clock, ms. */
  readonly createdAt: number;
  /** What is computed anew: valid, but past its ttl or not wanted. */
  readonly previous: Entry | undefined;
  /** It is computed anew because its time has come, though that may be ahead of its end. */
  readonly due: boolean;
  /** Uniform in [0, 1), called once and only where there is jitter. */
  readonly chance: () => number;
}

export interface Life {
  readonly times: Pick<Entry, 'createdAt' | 'staleAt' | 'deleteAt' | 'computeMs' | 'nextTtlMs'>;
  /** What the next computation begins with, where ttls adapt. */
  readonly next: { readonly nextTtlMs: number; readonly because: TtlReason } | undefined;
}

export interface Lifetime {
  /** The most that is possible, ms. */
  readonly ttlMs: number;
  /** @param elsewhere the result is stored under another key, where it follows on nothing that is known */
  end(draft: Draft, computeMs: number, inherited: readonly Dependency[], elsewhere: boolean): Life;
}

export function beginLifetime(
  { ttlMs: typeTtlMs, freshness = NO_GRACE }: ReadRequest,
  { createdAt, previous, due, chance }: Beginning,
): Lifetime {
  const { graceMs, jitter, adaptive } = freshness;
  const drawn = jitter > 0 ? chance() : 0;
  const firstMs = ttlAfter(previous, typeTtlMs, adaptive);
  // Who asks for a new one before its time has come shows nothing.
  const comparable = due || (previous !== undefined && createdAt >= previous.staleAt) ? previous : undefined;
  return {
    ttlMs: shortened(firstMs, jitter, drawn),
    end(draft, computeMs, inherited, elsewhere) {
      const lastMs = Math.min(firstMs, draft.ttlMs ?? Infinity);
      const ttlMs = shortened(lastMs, jitter, drawn);
      const staleAt = inherited.reduce((least, part) => Math.min(least, part.staleAt ?? Infinity), createdAt + ttlMs);
      // A ttl of nothing switches the cache off, whatever the grace.
      const deleteAt = staleAt + (draft.withoutGrace || ttlMs <= 0 ? 0 : graceMs);
      const same = comparable === undefined || elsewhere ? undefined : isUnchanged(comparable, draft);
      const next = adaptive && nextTtl({ lastMs, computeMs, same }, typeTtlMs, adaptive);
      return { times: { createdAt, staleAt, deleteAt, computeMs, ...(next && { nextTtlMs: next.nextTtlMs }) }, next };
    },
  };
}
