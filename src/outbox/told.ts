// Takes rows out of the outbox whose tags are in force: in the background, many with one statement.
import type { Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';

/** Rows that may wait to be taken out; more are left to the sweeper. */
const MOST_WAITING = 10_000;
/** Rows in one statement. */
const BATCH = 1000;
/** How long a row may wait for others, ms: a statement for each write would compete with the writes themselves. */
const GATHER_MS = 10;

export class Told {
  /** By the epoch under which they are in force; undefined: they stand for nothing any more. */
  readonly #waiting = new Map<string | undefined, string[]>();
  /** All of them, until their statement has been executed. */
  readonly #known = new Set<string>();
  #running: Promise<void> | undefined;

  constructor(
    private readonly remove: (ids: readonly string[], epoch: string | undefined) => Promise<unknown>,
    private readonly emit: EventSink,
    private readonly clock: Clock,
  ) {}

  /** Whether this row's tags are in force, and it is on its way out. */
  has(id: string): boolean {
    return this.#known.has(id);
  }

  add(ids: readonly string[], epoch: string | undefined): void {
    if (ids.length === 0 || this.#known.size + ids.length > MOST_WAITING) return;
    const known = this.#waiting.get(epoch);
    if (known) known.push(...ids);
    else this.#waiting.set(epoch, [...ids]);
    for (const id of ids) this.#known.add(id);
    this.#running ??= this.#run();
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    for (const [epoch, ids] of this.#waiting) {
      await new Promise<void>((resolve) => this.clock.after(GATHER_MS, resolve));
      const batch = ids.splice(0, BATCH);
      // Set again, it comes last: no epoch waits for another one to run dry.
      this.#waiting.delete(epoch);
      if (ids.length > 0) this.#waiting.set(epoch, ids);
      try {
        await this.remove(batch, epoch);
      } catch (error) {
        this.emit({
          kind: 'outboxFailed',
          operation: 'told',
          error: errorText(error),
        });
      }
      for (const id of batch) this.#known.delete(id);
    }
    this.#running = undefined;
  }
}
