// How often versions were served: counted in memory, told to the database from time to time.
import type { Clock, TimerHandle } from '../contract/clock.js';
import { errorName } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import { allWithin } from '../core/running.js';
import type { ViewCount } from './sql-versions.js';

export interface ViewCountsParts {
  /** Adds to what is there. */
  readonly add: (count: ViewCount) => Promise<void>;
  readonly flushMs: number;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** Versions whose views wait at once; those of further ones are not counted. */
const MOST = 10_000;

export class ViewCounts {
  #counts = new Map<string, ViewCount>();
  #timer: TimerHandle | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(private readonly parts: ViewCountsParts) {}

  count(hash: string, version: number): void {
    this.#add({ hash, version, views: 1, viewedAt: this.parts.clock.now() });
    this.#timer ??= this.parts.clock.after(this.parts.flushMs, () => void this.flush());
  }

  /** Tells all that was counted before. Never rejects: what the database does not take is kept for the next time. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#flush());
    return this.#flushing;
  }

  async close(withinMs: number): Promise<void> {
    await allWithin(withinMs, [this.flush()], this.parts.clock);
    this.#timer?.cancel();
  }

  async #flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const waiting = [...this.#counts.values()];
    this.#counts = new Map();
    for (const [at, one] of waiting.entries()) {
      try {
        await this.parts.add(one);
      } catch (error) {
        this.#keep(waiting.slice(at), error);
        return;
      }
    }
  }

  #keep(counts: readonly ViewCount[], error: unknown): void {
    for (const one of counts) this.#add(one);
    this.parts.emit({ kind: 'viewsFailed', error: errorName(error), waiting: this.#counts.size });
    this.#timer ??= this.parts.clock.after(this.parts.flushMs, () => void this.flush());
  }

  #add(count: ViewCount): void {
    const key = `${count.hash} ${count.version}`;
    const known = this.#counts.get(key);
    if (known === undefined && this.#counts.size >= MOST) return;
    const viewedAt = Math.max(count.viewedAt, known?.viewedAt ?? 0);
    this.#counts.set(key, { ...count, views: count.views + (known?.views ?? 0), viewedAt });
  }
}
