// Deadlines of operations that all get the same time: one timer for all of them, not one for each.
import type { Clock, TimerHandle } from '../contract/clock.js';

interface Deadline {
  /** By the monotonic clock, ms. */
  readonly endsAt: number;
  readonly passed: () => void;
}

export class Deadlines {
  readonly #ms: number;
  readonly #clock: Clock;
  /** In the order in which they end, because all get the same time. */
  readonly #running = new Set<Deadline>();
  #timer: TimerHandle | undefined;

  constructor(ms: number, clock: Clock) {
    this.#ms = ms;
    this.#clock = clock;
  }

  /** @returns how to say that the operation is over; false where the deadline had passed before. */
  start(passed: () => void): () => boolean {
    const deadline = { endsAt: this.#clock.monotonic() + this.#ms, passed };
    this.#running.add(deadline);
    // It goes on running when all are met: setting it for each of ten thousand operations a second costs more.
    this.#timer ??= this.#clock.after(this.#ms, () => this.#expire());
    return () => this.#running.delete(deadline);
  }

  /** Leaves no idle timer behind; what is still running keeps its deadline. */
  close(): void {
    if (this.#running.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const deadline of this.#running) {
      if (deadline.endsAt > now) {
        this.#timer = this.#clock.after(deadline.endsAt - now, () => this.#expire());
        return;
      }
      this.#running.delete(deadline);
      deadline.passed();
    }
  }
}
