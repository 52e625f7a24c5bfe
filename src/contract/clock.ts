// Time as a value that tests can hold: the only place that reads the clocks or starts timers.

export interface TimerHandle {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970. Steps when the host's clock is set. */
  now(): number;
  /** Monotonic clock, milliseconds. Stands still while a virtual machine is paused. */
  monotonic(): number;
  /** Runs `task` once after `ms`; never keeps the process alive. */
  after(ms: number, task: () => void): TimerHandle;
  /** Runs `task` in a later turn of the event loop, after input that has already arrived. */
  nextTurn(task: () => void): void;
}

/** Node fires a timer of more than 2^31 - 1 ms at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, Math.min(ms, LONGEST_TIMER));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  nextTurn: (task) => {
    setImmediate(task);
  },
};
