// Pure: when a view is refreshed after a change, and when after a failure.

/** Changes that no refresh has taken in yet, monotonic ms. */
export interface Notice {
  readonly first: number;
  readonly last: number;
}

export interface Delays {
  /** So long after the last change, ms: those that come together cost one refresh. */
  readonly delayMs: number;
  /** At the latest after the first, ms: writes that never pause must not starve it. */
  readonly maxDelayMs: number;
}

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/** One more change, at `now`. */
export function noted(notice: Notice | undefined, now: number): Notice {
  return { first: notice?.first ?? now, last: now };
}

/** Both together: an attempt took one with it and gives it back. */
export function merged(one: Notice | undefined, other: Notice | undefined): Notice | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { first: Math.min(one.first, other.first), last: Math.max(one.last, other.last) };
}

export function dueAt({ first, last }: Notice, { delayMs, maxDelayMs }: Delays): number {
  return Math.min(last + delayMs, first + maxDelayMs);
}

/** How long to rest after so many failures in a row, ms. */
export function restMs(failures: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
}
