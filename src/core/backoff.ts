// Which reports are not computed again for a moment, because that has just failed and something can be served instead.
import type { Clock } from '../contract/clock.js';

/** Long enough for a database to recover under less load, short enough that nobody notices the old report for long. */
export const BACKOFF_MS = 10_000;

/** Failures remembered; beyond it the oldest are forgotten, whose reports are then only tried again sooner. */
export const MOST_FAILURES = 10_000;

export class Backoff {
  /** Until when, monotonic ms, in the order of failing: all rest equally long, so the first is over first. */
  readonly #until = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keys remembered. */
  get size(): number {
    return this.#until.size;
  }

  failed(key: string): void {
    this.#until.delete(key);
    this.#until.set(key, this.#clock.monotonic() + BACKOFF_MS);
    for (const [oldest, until] of this.#until) {
      if (this.#until.size <= MOST_FAILURES && until > this.#clock.monotonic()) break;
      this.#until.delete(oldest);
    }
  }

  succeeded(key: string): void {
    if (this.#until.size > 0) this.#until.delete(key);
  }

  rests(key: string): boolean {
    return this.#until.size > 0 && (this.#until.get(key) ?? -Infinity) > this.#clock.monotonic();
  }
}
