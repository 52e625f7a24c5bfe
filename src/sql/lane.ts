// Tasks of several statements, one after the other on one connection.
import type { Ask } from '../contract/outbox.js';

/** Gives a task a connection of which nothing else makes use meanwhile. */
export type Session = <T>(task: (ask: Ask) => Promise<T>) => Promise<T>;

export class Lane {
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly session: Session) {}

  /** A task that fails fails alone: those behind it run. */
  run<T>(task: (ask: Ask) => Promise<T>): Promise<T> {
    const done = this.#last.then(() => this.session(task));
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Resolves when everything that has been given to it is done. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
