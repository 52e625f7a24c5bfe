// How long a caller waits for something that goes on without him.
import type { Clock, TimerHandle } from '../contract/clock.js';

/** Told instead of a value that did not come in time. */
export const LATE = Symbol('late');

export class TimeLimit {
  readonly #passed: Promise<typeof LATE> | undefined;
  readonly #timer: TimerHandle | undefined;
  #over = false;

  /** @param ms from now on; `Infinity` for no limit, which costs no timer. */
  constructor(ms: number, clock: Clock) {
    if (ms === Infinity) return;
    let pass: (late: typeof LATE) => void = () => undefined;
    this.#passed = new Promise((resolve) => {
      pass = resolve;
    });
    this.#timer = clock.after(ms, () => {
      this.#over = true;
      pass(LATE);
    });
  }

  /** The value, or {@link LATE}. What comes late is the caller's to hear of. */
  race<T>(value: T | Promise<T>): T | Promise<T | typeof LATE> {
    return this.#passed !== undefined && value instanceof Promise ? Promise.race([value, this.#passed]) : value;
  }

  get passed(): boolean {
    return this.#over;
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}

/** Ends the wait for an answer; what comes, or fails, after that is nobody's. @returns a wrapper that rejects instead */
export function answersWithin(ms: number, clock: Clock): <T>(answer: Promise<T>) => Promise<T> {
  return async (answer) => {
    const limit = new TimeLimit(ms, clock);
    answer.catch(() => undefined);
    try {
      const first = await limit.race(answer);
      if (first === LATE) throw new Error(`No answer within ${ms} ms.`);
      return first;
    } finally {
      limit.cancel();
    }
  };
}
