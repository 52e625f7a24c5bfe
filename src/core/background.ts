// Computations that no reader waits for: bounded, told of when they fail, and waited for when the cache closes.

/** More at once would take the database from those who wait for it; whoever finds no place is served what is at hand. */
export const MOST_IN_BACKGROUND = 32;

export class Background {
  readonly #running = new Set<Promise<void>>();

  /** No more should be begun. What runs already may still be added. */
  get full(): boolean {
    return this.#running.size >= MOST_IN_BACKGROUND;
  }

  add(task: Promise<unknown>, failed: (error: unknown) => void): void {
    const ended = task.then(() => undefined, failed).finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Resolves when all have ended that are running now. */
  async drained(): Promise<void> {
    await Promise.all(this.#running);
  }
}
