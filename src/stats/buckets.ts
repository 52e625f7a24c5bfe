// Counts by five minutes, type and outcome: pure data, added up and read out.
import type { Count, HitRate, Outcome, StatisticsBucket } from '../contract/statistics.js';

export const BUCKET_MS = 300_000;
/** A day. */
export const BUCKETS = 288;

/** Times and microseconds: whole numbers, so that sums are exact wherever they are made. */
export interface Cell {
  readonly type: string;
  readonly outcome: Outcome;
  times: number;
  micros: number;
}

/** By number of the bucket since 1970. */
export type Buckets = ReadonlyMap<number, readonly Cell[]>;

export function bucketOf(now: number): number {
  return Math.floor(now / BUCKET_MS);
}

/** Oldest first. */
export function readOut(buckets: Buckets): StatisticsBucket[] {
  const numbers = [...buckets.keys()].toSorted((one, other) => one - other);
  return numbers.map((number) => {
    const types: Record<string, Partial<Record<Outcome, Count>>> = Object.create(null) as never;
    for (const { type, outcome, times, micros } of buckets.get(number) ?? [])
      (types[type] ??= {})[outcome] = { times, ms: micros / 1000 };
    return { at: new Date(number * BUCKET_MS), types };
  });
}

const SERVED: readonly Outcome[] = ['memory', 'redis', 'database', 'joined', 'stale'];

/** What stands in any of them. */
export function typesIn(buckets: readonly StatisticsBucket[]): string[] {
  return [...new Set(buckets.flatMap(({ types }) => Object.keys(types)))];
}

/** @param type absent: of all types */
export function hitRateOf(buckets: readonly StatisticsBucket[], type?: string): HitRate {
  let [hits, misses, bypasses] = [0, 0, 0];
  for (const { types } of buckets) {
    for (const [name, counts] of Object.entries(types)) {
      if (type !== undefined && type !== name) continue;
      for (const outcome of SERVED) hits += counts[outcome]?.times ?? 0;
      misses += counts.miss?.times ?? 0;
      bypasses += counts.bypass?.times ?? 0;
    }
  }
  const looked = hits + misses;
  return { hits, misses, hitRate: looked === 0 ? 0 : hits / looked, requests: looked + bypasses };
}
