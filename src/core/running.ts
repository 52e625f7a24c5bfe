// What is under way, counted, for whoever must wait until nothing is.
import type { Clock } from '../contract/clock.js';

export class Running {
  #under = 0;
  #none: (() => void)[] = [];

  /** @returns how to say that it is over; saying so again does nothing. */
  begin(): () => void {
    let isOver = false;
    this.#under += 1;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#under -= 1;
      if (this.#under > 0) return;
      for (const resolve of this.#none.splice(0)) resolve();
    };
  }

  /** Resolves as soon as nothing is under way. */
  none(): Promise<void> {
    if (this.#under === 0) return Promise.resolve();
    return new Promise((resolve) => this.#none.push(resolve));
  }
}

/** Resolves when all of them have, or `ms` are over; leaves no timer behind. */
export async function allWithin(ms: number, waits: readonly Promise<void>[], clock: Clock): Promise<void> {
  let timer: { cancel(): void } | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.after(ms, resolve);
  });
  await Promise.race([Promise.all(waits), late]);
  timer?.cancel();
}
