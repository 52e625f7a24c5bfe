// Takes rows out of the outbox whose tags are in force: in the background, many with one statement.
import type { EventSink } from '../contract/events.js';

/** Rows that may wait to be taken out; more are left to the sweeper. */
const MOST_WAITING = 10_000;
/** Rows in one statement. */
const BATCH = 1000;

export class Told {
  /** By the epoch under which they are in force; undefined: they stand for nothing any more. */
  readonly #waiting = new Map<string | undefined, string[]>();
  #count = 0;
  #running: Promise<void> | undefined;

  constructor(
    private readonly remove: (ids: readonly string[], epoch: string | undefined) => Promise<unknown>,
    private readonly emit: EventSink,
  ) {}

  add(ids: readonly string[], epoch: string | undefined): void {
    if (ids.length === 0 || this.#count + ids.length > MOST_WAITING) return;
    const known = this.#waiting.get(epoch);
    if (known) known.push(...ids);
    else this.#waiting.set(epoch, [...ids]);
    this.#count += ids.length;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // The writes of this turn go with the first statement; what comes while it runs goes with the next.
    await Promise.resolve();
    for (const [epoch, ids] of this.#waiting) {
      const batch = ids.splice(0, BATCH);
      // Set again, it comes last: no epoch waits for another one to run dry.
      this.#waiting.delete(epoch);
      if (ids.length > 0) this.#waiting.set(epoch, ids);
      this.#count -= batch.length;
      try {
        await this.remove(batch, epoch);
      } catch (error) {
        this.emit({
          kind: 'outboxFailed',
          operation: 'told',
          error: error instanceof Error ? error.message : String(error),
        });
      }
    }
    this.#running = undefined;
  }
}
