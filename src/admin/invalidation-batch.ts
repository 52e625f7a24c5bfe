// Invalidations on their way to those who watch: the newest of them, and how many there are beside.
import type { LiveEvents } from '../contract/answers.js';
import type { LoggedInvalidation } from '../contract/invalidation-log.js';
import { firstOf, invalidationShown } from './invalidation-log.js';

/** Of one batch; the others are only counted. */
const MOST = 60;
const MOST_TAGS = 12;

export class InvalidationBatch {
  #records: LoggedInvalidation[] = [];
  #more = 0;

  add(record: LoggedInvalidation): void {
    if (this.#records.length >= MOST) {
      this.#records.shift();
      this.#more += 1;
    }
    this.#records.push(record);
  }

  /** Leaves it empty. */
  take(): LiveEvents['invalidation'] {
    const invalidations = this.#records.map((one) => invalidationShown({ ...one, tags: firstOf(one.tags, MOST_TAGS) }));
    const taken = { invalidations, more: this.#more };
    this.#records = [];
    this.#more = 0;
    return taken;
  }
}
