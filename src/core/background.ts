// Computations that no reader waits for: bounded, told of when they fail, and waited for when the cache closes.
import type { Clock } from '../contract/clock.js';

/** More at once would take the database from those who wait for it; whoever finds no place is served what is at hand. */
export const MOST_IN_BACKGROUND = 32;

/** How long closing waits for them: the application may close its database next, but must be able to end. */
export const CLOSING_MS = 5000;

export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** No more should be begun. What runs already may still be added. */
  get full(): boolean {
    return this.#running.size >= MOST_IN_BACKGROUND;
  }

  add(task: Promise<unknown>, failed: (error: unknown) => void): void {
    const ended = task.then(() => undefined, failed).finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Resolves when all have ended, or after {@link CLOSING_MS}. */
  async drained(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(CLOSING_MS, resolve);
      void Promise.all(this.#running).then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
