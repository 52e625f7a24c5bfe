// Counts what happens in this process, tells it to where all processes are added up, and reads that.
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { CacheEvent } from '../contract/events.js';
import type { Outcome, StatisticsReport } from '../contract/statistics.js';
import { bucketOf, BUCKETS, readOut, type Buckets, type Cell } from './buckets.js';
import { Day } from './day.js';
import { ANY_TYPE, countOf, COUNTED_KINDS } from './outcomes.js';

/** Where all processes are added up. */
export interface SharedStatistics {
  /** @throws where it cannot be told; then nothing of it was added, or nobody knows. */
  add(buckets: Buckets): Promise<void>;
  /** The latest buckets. @throws where it does not answer */
  read(now: number, last?: number): Promise<Buckets>;
  reset(now: number): Promise<void>;
}

export interface StatisticsParts {
  /** Absent: this process is the only one. */
  readonly shared: SharedStatistics | undefined;
  /** Others count as `other`, because names come with requests. */
  readonly isType: (name: string) => boolean;
  readonly flushMs: number;
  readonly clock: Clock;
}

const UNDECLARED = 'other';

export class Statistics {
  readonly kinds = COUNTED_KINDS;
  readonly #own = new Day();
  #timer: TimerHandle | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #updatedAt: number;

  constructor(private readonly parts: StatisticsParts) {
    this.#updatedAt = parts.clock.now();
  }

  hear(event: CacheEvent): void {
    countOf(event, this.#count);
  }

  /** The last day of all processes, this one up to now. Never rejects. @param last only so many of its buckets */
  read(last = BUCKETS): Promise<StatisticsReport> {
    return this.#inTurn(async () => {
      await this.#flush();
      const { shared, clock } = this.parts;
      const lastUpdated = new Date(this.#updatedAt);
      const own = () => readOut(this.#own.read(bucketOf(clock.now()), last));
      if (shared === undefined) return { buckets: own(), complete: true, lastUpdated };
      try {
        return { buckets: readOut(await shared.read(clock.now(), last)), complete: true, lastUpdated };
      } catch {
        return { buckets: own(), complete: false, lastUpdated };
      }
    });
  }

  /** Begins anew, in all processes. @throws where the others cannot be told */
  reset(): Promise<void> {
    return this.#inTurn(async () => {
      const { shared, clock } = this.parts;
      await shared?.reset(clock.now());
      this.#own.clear();
      this.#updatedAt = clock.now();
    });
  }

  /** Tells what there is. Never rejects. */
  async close(): Promise<void> {
    await this.#inTurn(() => this.#flush());
    this.#timer?.cancel();
  }

  readonly #count = (type: string, outcome: Outcome, ms: number): void => {
    const { clock, shared, isType } = this.parts;
    const now = clock.now();
    this.#updatedAt = now;
    const named = type === ANY_TYPE || isType(type) ? type : UNDECLARED;
    this.#own.count(bucketOf(now), named, outcome, Math.round(ms * 1000));
    if (shared !== undefined && this.#timer === undefined) this.#flushLater();
  };

  #flushLater(): void {
    this.#timer = this.parts.clock.after(this.parts.flushMs, () => void this.#inTurn(() => this.#flush()));
  }

  async #flush(): Promise<void> {
    const { shared, clock } = this.parts;
    this.#timer?.cancel();
    this.#timer = undefined;
    const due = this.#own.due(bucketOf(clock.now()));
    if (shared === undefined || due.length === 0) return;
    const told = new Map<number, Cell[]>();
    for (const { bucket, more } of due) {
      const cells = told.get(bucket);
      if (cells === undefined) told.set(bucket, [more]);
      else cells.push(more);
    }
    try {
      await shared.add(told);
      this.#own.told(due);
    } catch {
      // Told again with the next. An answer may be all that was lost, and then five seconds count twice.
      this.#flushLater();
    }
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
