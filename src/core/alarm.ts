// A sleep that can be cut short, for a loop that waits for its time or for news.
import type { Clock } from '../contract/clock.js';

export class Alarm {
  #wake: (() => void) | undefined;
  #rung = false;

  constructor(private readonly clock: Clock) {}

  /** Ends the sleep; if nobody sleeps, the next one does not begin. */
  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** What goes on after it runs in the context of the sleeper, whoever rings. */
  async sleep(ms: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = this.clock.after(ms, resolve);
        this.#wake = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#rung = false;
  }
}
