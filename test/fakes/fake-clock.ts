// A clock that moves only when the test says so.
import type { Clock, TimerHandle } from '../../src/contract/clock.js';

export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 0;
  #timers: { at: number; task: () => void }[] = [];

  constructor(wall = Date.UTC(2026, 0, 5, 8)) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, task: () => void): TimerHandle {
    const timer = { at: this.#monotonic + ms, task };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  nextTurn(task: () => void): void {
    setImmediate(task);
  }

  /** Timers that have not fired. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** Moves both clocks and fires what is due, in order. */
  advance(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
    this.#fire();
  }

  /** A step of the wall clock alone: set by hand, or a paused machine that catches up. */
  step(ms: number): void {
    this.#wall += ms;
  }

  #fire(): void {
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= this.#monotonic).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) return;
      this.#timers = this.#timers.filter((other) => other !== due);
      due.task();
    }
  }
}
