// What loaders have thrown a moment ago, for those who would have them run again for the same value.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../contract/clock.js';

export interface Failure {
  readonly error: unknown;
  /** By the monotonic clock, ms. */
  readonly until: number;
}

/** Values whose loaders rest at once; beyond it the oldest may run again. */
const MOST = 1000;

export class Failures {
  readonly #recent = new LRUCache<string, Failure>({ max: MOST });

  constructor(private readonly clock: Clock) {}

  /** Undefined: it may run. */
  of(key: string): Failure | undefined {
    const failure = this.#recent.get(key);
    if (failure === undefined || this.clock.monotonic() < failure.until) return failure;
    this.#recent.delete(key);
    return undefined;
  }

  add(key: string, error: unknown, restMs: number): void {
    this.#recent.set(key, { error, until: this.clock.monotonic() + restMs });
  }
}
