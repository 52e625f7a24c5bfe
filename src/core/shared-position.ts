// One question for many readers: asks the shared store for its position, at most one request in flight.
import type { Clock } from '../contract/clock.js';
import type { Position } from '../contract/entry.js';
import type { Sent } from './lease.js';

export interface Sighting extends Sent {
  readonly position: Position;
}

/**
 * `ask()` resolves with a position that was read *after* the call. A question waits for the end of the turn, because
 * under load readers arrive many to a turn; who comes while it is on its way shares the next one. So a thousand
 * simultaneous readers cost one or two round trips.
 */
export class SharedPosition {
  readonly #read: () => Promise<Position>;
  readonly #clock: Clock;
  #running: Promise<unknown> | undefined;
  #next: Promise<Sighting> | undefined;

  constructor(read: () => Promise<Position>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  ask(): Promise<Sighting> {
    const before = () => this.#running ?? new Promise<void>((resolve) => this.#clock.nextTurn(resolve));
    this.#next ??= before().then(
      () => this.#send(),
      () => this.#send(),
    );
    return this.#next;
  }

  #send(): Promise<Sighting> {
    this.#next = undefined;
    const sentMonotonic = this.#clock.monotonic();
    const sentWall = this.#clock.now();
    const running = this.#read().then((position) => ({ position, sentMonotonic, sentWall }));
    this.#running = running;
    const settle = () => {
      if (this.#running === running) this.#running = undefined;
    };
    running.then(settle, settle);
    return running;
  }
}
