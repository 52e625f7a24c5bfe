// Whether the database can bear more: asked by an empty question, as a reader's would wait.
import type { Clock } from '../contract/clock.js';

export interface PaceParts {
  /** Resolves when the database has answered. Absent: there is none to ask. */
  readonly ask: (() => Promise<unknown>) | undefined;
  readonly slowMs: number;
  /** How long an answer holds, ms. */
  readonly askMs: number;
  /** So many slow answers in a row are enough. */
  readonly slowAnswers: number;
  /** Doubled with each slow answer. */
  readonly firstPauseMs: number;
  readonly clock: Clock;
}

export class Pace {
  #askedAt = -Infinity;
  #asking: Promise<boolean> | undefined;
  #enough = false;

  constructor(private readonly parts: PaceParts) {}

  /** Waits until the database is quick again. @returns false: it is not. Never rejects. */
  ready(): Promise<boolean> {
    const { ask, askMs, clock } = this.parts;
    if (this.#enough) return Promise.resolve(false);
    if (ask === undefined || clock.monotonic() - this.#askedAt < askMs) return Promise.resolve(true);
    this.#asking ??= this.#look(ask).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #look(ask: () => Promise<unknown>): Promise<boolean> {
    const { slowMs, slowAnswers, firstPauseMs, clock } = this.parts;
    for (let slow = 0; slow < slowAnswers; slow += 1) {
      if (slow > 0) await pause(firstPauseMs * 2 ** (slow - 1), clock);
      if (await this.#isQuick(ask, slowMs)) {
        this.#askedAt = clock.monotonic();
        return true;
      }
    }
    this.#enough = true;
    return false;
  }

  /** A database that does not answer at all is slow, too. */
  async #isQuick(ask: () => Promise<unknown>, slowMs: number): Promise<boolean> {
    const { clock } = this.parts;
    const began = clock.monotonic();
    let timer: { cancel(): void } | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = clock.after(slowMs, () => resolve(false));
    });
    const answer = ask().then(
      () => clock.monotonic() - began < slowMs,
      () => false,
    );
    const quick = await Promise.race([answer, late]);
    timer?.cancel();
    return quick;
  }
}

function pause(ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
