// A proof that memory was current a moment ago, and for how long it counts.
import type { Clock } from '../contract/clock.js';

/** When a question was sent, by both clocks: its answer proves the state at some moment after this. */
export interface Sent {
  readonly sentMonotonic: number;
  readonly sentWall: number;
}

export class Lease {
  readonly #ms: number;
  readonly #clock: Clock;
  #monotonic = -Infinity;
  #wall = -Infinity;

  constructor(ms: number, clock: Clock) {
    this.#ms = ms;
    this.#clock = clock;
  }

  prove({ sentMonotonic, sentWall }: Sent): void {
    if (sentMonotonic < this.#monotonic) return;
    this.#monotonic = sentMonotonic;
    // The latest proof's, not the latest time: a clock set back would make the lease useless until it has caught up.
    this.#wall = sentWall;
  }

  /** @returns whether there was anything to revoke. */
  revoke(): boolean {
    const proved = this.#monotonic !== -Infinity;
    this.#monotonic = -Infinity;
    return proved;
  }

  /** Both clocks, because the monotonic one stands still while a machine is paused. */
  get holds(): boolean {
    const elapsedWall = this.#clock.now() - this.#wall;
    return this.#elapsed <= this.#ms && elapsedWall >= 0 && elapsedWall <= this.#ms;
  }

  /** A third is over: time to renew it, so that a busy process never lets it run out. */
  get due(): boolean {
    return this.#elapsed > this.#ms / 3;
  }

  get #elapsed(): number {
    return this.#clock.monotonic() - this.#monotonic;
  }
}
