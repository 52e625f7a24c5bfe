// A value with where it came from.
import type { Cost } from '../contract/costs.js';
import type { Serving } from '../contract/reading.js';
import type { LayerName } from '../contract/store.js';

export interface Answer<T> {
  readonly value: T;
  /** False: the loader ran for this very caller. */
  readonly cached: boolean;
  /** The layer that it was found in, or `loader`. */
  readonly source: LayerName | 'loader';
  /** It was computed for another caller, here or in another process, while this one waited. */
  readonly joined: boolean;
  /** Past its ttl, and within its grace. */
  readonly stale: boolean;
  /** When its computation began. */
  readonly createdAt: Date;
  /** Fresh until then, at most, as long as nothing that it depends on changes. Absent: it was not stored. */
  readonly expiresAt?: Date;
  /** What its run has told that it cost; for a cached value, what it was spared. Absent: nothing. */
  readonly cost?: Cost;
}

export function found<T>(value: T, { entry, layer, coalesced }: Serving, now: number): Answer<T> {
  const { createdAt, staleAt, cost } = entry;
  return {
    value,
    cached: true,
    source: layer,
    joined: coalesced,
    stale: now >= staleAt,
    createdAt: new Date(createdAt),
    expiresAt: new Date(staleAt),
    ...(cost && { cost }),
  };
}

/** @param freshUntil wall clock, ms; undefined: not stored. */
export function made<T>(
  value: T,
  createdAt: number,
  freshUntil: number | undefined,
  cost: Cost | undefined,
): Answer<T> {
  return {
    value,
    cached: false,
    source: 'loader',
    joined: false,
    stale: false,
    createdAt: new Date(createdAt),
    ...(freshUntil !== undefined && { expiresAt: new Date(freshUntil) }),
    ...(cost && { cost }),
  };
}
