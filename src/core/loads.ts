// All running computations of one cache: begins them, and waits for them at the end.
import type { Load } from '../contract/reading.js';
import { Running } from './running.js';
import { RunningLoad, type Beginnings, type LoadParts, type LoadsState } from './running-load.js';

export class Loads {
  readonly #state: LoadsState = { running: new Running(), closed: false, advised: false };

  constructor(private readonly parts: LoadParts) {}

  /** Resolves when every computation has ended, and what it made is stored or declined. */
  none(): Promise<void> {
    return this.#state.running.none();
  }

  /** Stores nothing from here on. */
  close(): void {
    this.#state.closed = true;
  }

  open(beginnings: Beginnings): Load {
    return new RunningLoad(this.parts, this.#state, beginnings);
  }
}
