// Records what the plugin asks of the cache, and lets a test hold or order it.
import type { Clock } from '../../../src/contract/clock.js';
import type { Invalidated } from '../../../src/contract/store.js';
import type { CacheEvent } from '../../../src/contract/events.js';
import type { Invalidator, Mark, TransactionTracker } from '../../../src/contract/invalidation.js';

export interface Flush {
  readonly tags: readonly string[];
  readonly cause: string;
}

/** A clock whose timers run only when the test says so; turns of the event loop are real. */
export class ManualClock implements Clock {
  #timers: { at: number; task: () => void }[] = [];
  #now = 0;

  now = (): number => this.#now;
  monotonic = (): number => this.#now;
  nextTurn = (task: () => void): void => void setImmediate(task);

  after(ms: number, task: () => void): { cancel(): void } {
    const timer = { at: this.#now + ms, task };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) };
  }

  advance(ms: number): void {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { task } of due) task();
  }
}

export class Recorder implements Invalidator, TransactionTracker {
  readonly epoch = '';
  readonly flushes: Flush[] = [];
  readonly events: CacheEvent[] = [];
  readonly tracked: string[] = [];
  readonly clock = new ManualClock();
  /** Runs inside every invalidation, before it resolves. */
  during: ((flush: Flush) => Promise<void> | void) | undefined;
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  async invalidate(tags: readonly string[], cause: string): Promise<Invalidated | undefined> {
    const flush = { tags: [...tags].sort(), cause };
    this.flushes.push(flush);
    for (const one of this.#waiting) if (this.flushes.length >= one.count) one.resolve();
    await this.during?.(flush);
    return undefined;
  }

  /** How far a replica must have replayed for what is being computed. */
  replayNeeded: string | undefined;

  mark(tags: readonly string[]): Promise<Mark | undefined> {
    this.tracked.push('marked');
    return Promise.resolve({ id: 'm1', tags });
  }

  unmark(): Promise<void> {
    this.tracked.push('unmarked');
    return Promise.resolve();
  }

  began = (): void => void this.tracked.push('began');
  wrote = (): void => void this.tracked.push('wrote');
  keepsSnapshot = (): void => void this.tracked.push('snapshot');
  readFromThePast = (): void => void this.tracked.push('past');
  ended = (): void => void this.tracked.push('ended');

  emit = (event: CacheEvent): void => void this.events.push(event);

  /** Resolves once there were `count` flushes. */
  reaches(count: number): Promise<void> {
    return this.flushes.length >= count
      ? Promise.resolve()
      : new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** All tags invalidated since the last reset, sorted, once each. */
  get tags(): string[] {
    return [...new Set(this.flushes.flatMap((flush) => flush.tags))].sort();
  }

  get causes(): string[] {
    return this.flushes.map((flush) => flush.cause);
  }

  eventsOf<K extends CacheEvent['kind']>(kind: K): Extract<CacheEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<CacheEvent, { kind: K }> => event.kind === kind);
  }

  reset(): void {
    this.flushes.length = 0;
    this.events.length = 0;
    this.tracked.length = 0;
    this.during = undefined;
  }
}
