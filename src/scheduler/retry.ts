// When a task that has failed is tried again.

export interface RetryPolicy {
  /** After the first attempt; 0: it is tried once. */
  readonly retries: number;
  /** The bound of the first wait; each further one is twice as long, ms. */
  readonly firstMs: number;
  /** The longest bound, ms. */
  readonly longestMs: number;
}

/**
 * Exponential with full jitter: by chance anything up to the bound, so that tasks that failed together do not come back together.
 * @param attempt the one that has failed, from 1
 * @param random at least 0 and below 1
 * @returns ms; undefined: it is not tried again
 */
export function retryAfter(
  attempt: number,
  { retries, firstMs, longestMs }: RetryPolicy,
  random: () => number,
): number | undefined {
  if (attempt > retries) return undefined;
  return Math.floor(random() * Math.min(longestMs, firstMs * 2 ** (attempt - 1)));
}
