// Pure: what a day of counts comes to, in the words of the API.
import type { Rate, Summary } from '../contract/answers.js';
import type { Outcome, StatisticsBucket } from '../contract/statistics.js';
import { BUCKET_MS, BUCKETS, bucketOf, hitRateOf, typesIn } from '../stats/buckets.js';

export function rateOf(buckets: readonly StatisticsBucket[], type?: string): Rate {
  const { hits, misses, hitRate: hit_rate, requests: total_requests } = hitRateOf(buckets, type);
  return { hits, misses, hit_rate, total_requests };
}

export function summaryOf(buckets: readonly StatisticsBucket[]): Summary {
  const outcomes: Partial<Record<Outcome, number>> = {};
  for (const { types } of buckets)
    for (const counts of Object.values(types))
      for (const [outcome, count] of Object.entries(counts))
        outcomes[outcome as Outcome] = (outcomes[outcome as Outcome] ?? 0) + (count?.times ?? 0);
  const byType = typesIn(buckets).map((type) => [type, rateOf(buckets, type)] as const);
  return {
    total: { ...rateOf(buckets), outcomes },
    types: Object.fromEntries(byType.filter(([, { total_requests }]) => total_requests > 0)),
  };
}

/** A day with its latest buckets read again. @param last how many of them were */
export function withLatest(
  day: readonly StatisticsBucket[],
  latest: readonly StatisticsBucket[],
  last: number,
  now: number,
): readonly StatisticsBucket[] {
  const from = (bucketOf(now) - BUCKETS + 1) * BUCKET_MS;
  const again = (bucketOf(now) - last + 1) * BUCKET_MS;
  return [...day.filter(({ at }) => at.getTime() >= from && at.getTime() < again), ...latest];
}
