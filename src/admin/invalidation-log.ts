// Hears every invalidation of this process, tells it to where those of all processes are kept, and reads that.
import type { Invalidation } from '../contract/answers.js';
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { CacheEvent, CacheEventKind } from '../contract/events.js';
import type { LoggedInvalidation, SharedInvalidationLog } from '../contract/invalidation-log.js';
import { kindOf } from '../entry/tags.js';

export interface InvalidationLogParts {
  /** Absent: this process is the only one. */
  readonly shared: SharedInvalidationLog | undefined;
  /** Names this process. */
  readonly process: string;
  readonly clock: Clock;
}

export interface InvalidationList {
  /** Newest first. */
  readonly invalidations: readonly LoggedInvalidation[];
  /** False: Redis did not answer, or has not been told all of this process; these are its own. */
  readonly complete: boolean;
}

/** Of this process in memory: what it answers with alone. */
const OWN = 500;
const TAGS = 50;
const LONGEST_CAUSE = 200;
/** Told together: after a second, or as soon as there are so many. */
const FLUSH_MS = 1000;
const ENOUGH = 100;
/** The most that wait while Redis does not take them; then the oldest are lost. */
const MOST_WAITING = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** Processes tell a second late at most, so further back nothing newer stands. */
const OUT_OF_ORDER = 200;

/** A look at what is new. */
export interface News {
  /** Newest first. */
  readonly invalidations: readonly LoggedInvalidation[];
  /** Where to look from next. */
  readonly last: string | undefined;
}

/** A writer pays for one record in a list; nobody waits for what becomes of it. */
export class InvalidationLog {
  readonly kinds: ReadonlySet<CacheEventKind> = new Set<CacheEventKind>(['invalidate']);
  readonly #own: LoggedInvalidation[] = [];
  #waiting: LoggedInvalidation[] = [];
  #timer: TimerHandle | undefined;
  #telling: Promise<void> | undefined;
  #failures = 0;

  constructor(private readonly parts: InvalidationLogParts) {}

  hear(event: CacheEvent): void {
    if (event.kind !== 'invalidate') return;
    const record = recordOf(event, this.parts);
    keep(this.#own, record, OWN);
    if (this.parts.shared === undefined) return;
    keep(this.#waiting, record, MOST_WAITING);
    if (this.#telling !== undefined) return;
    if (this.#waiting.length >= ENOUGH && this.#failures === 0) void this.#tell();
    else this.#tellLater();
  }

  /** Of all processes, this one up to now. Never rejects. */
  async read(limit: number): Promise<InvalidationList> {
    const { shared } = this.parts;
    if (shared === undefined) return { invalidations: this.#newest.slice(0, limit), complete: true };
    try {
      await this.#tellAll();
      const records: LoggedInvalidation[] = [];
      for await (const page of shared.pages()) {
        records.push(...page);
        if (records.length >= limit + OUT_OF_ORDER) break;
      }
      return { invalidations: newestFirst(records).slice(0, limit), complete: this.#waiting.length === 0 };
    } catch {
      return { invalidations: this.#newest.slice(0, limit), complete: false };
    }
  }

  /** The one that stands there in the history; undefined: not known, or not any more. Never rejects. */
  async find(epoch: string, seq: number): Promise<LoggedInvalidation | undefined> {
    const isIt = (one: LoggedInvalidation) => one.seq === seq && one.epoch === epoch;
    const own = this.#own.find(isIt);
    if (own !== undefined || this.parts.shared === undefined) return own;
    try {
      for await (const page of this.parts.shared.pages()) {
        const found = page.find(isIt);
        if (found !== undefined) return found;
      }
    } catch {
      // As good as not known.
    }
    return undefined;
  }

  /** What other processes have told of since. @param after undefined: nothing yet, but where to look from. Never rejects. */
  async ofOthers(after: string | undefined): Promise<News> {
    const { shared, process } = this.parts;
    if (shared === undefined) return { invalidations: [], last: undefined };
    try {
      const { records, last } = await shared.since(after);
      return { invalidations: newestFirst(records.filter((one) => one.process !== process)), last };
    } catch {
      // They are there the next time.
      return { invalidations: [], last: after };
    }
  }

  /** Tells what there is. Never rejects. */
  async close(): Promise<void> {
    await this.#tellAll();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  get #newest(): readonly LoggedInvalidation[] {
    return this.#own.toReversed();
  }

  #tellLater(): void {
    if (this.#timer !== undefined) return;
    const pause = Math.min(FLUSH_MS * 2 ** this.#failures, LONGEST_PAUSE_MS);
    this.#timer = this.parts.clock.after(pause, () => void this.#tell());
  }

  async #tellAll(): Promise<void> {
    await this.#telling;
    await this.#tell();
  }

  #tell(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#telling ??= this.#tellOnce().finally(() => {
      this.#telling = undefined;
      if (this.#waiting.length > 0) this.#tellLater();
    });
    return this.#telling;
  }

  async #tellOnce(): Promise<void> {
    const batch = [...this.#waiting];
    if (batch.length === 0) return;
    try {
      await this.parts.shared?.add(batch);
      const told = new Set(batch);
      this.#waiting = this.#waiting.filter((one) => !told.has(one));
      this.#failures = 0;
    } catch {
      // Told again later, some of them for the second time: whoever reads knows them by their numbers.
      this.#failures += 1;
    }
  }
}

function keep<T>(list: T[], one: T, most: number): void {
  if (list.length >= most) list.shift();
  list.push(one);
}

/** As the API shows it. */
export const invalidationShown = ({ correlationId, ...record }: LoggedInvalidation): Invalidation => ({
  ...record,
  ...(correlationId !== undefined && { correlation_id: correlationId }),
});

export function recordOf(
  { tags, cause, durationMs: ms, epoch, seq, correlationId }: Extract<CacheEvent, { kind: 'invalidate' }>,
  { process, clock }: Pick<InvalidationLogParts, 'process' | 'clock'>,
): LoggedInvalidation {
  return {
    at: new Date(clock.now()),
    cause: cause.slice(0, LONGEST_CAUSE),
    tags: firstOf(tags, TAGS),
    count: tags.length,
    ms,
    epoch,
    seq,
    process,
    ...(correlationId !== undefined && { correlationId }),
  };
}

/** Tables say which rows have changed; the rest follows from them. */
export function firstOf(tags: readonly string[], most: number): readonly string[] {
  if (tags.length <= most) return tags;
  const isTable = (tag: string) => kindOf(tag) === 'table';
  return [...tags.filter(isTable), ...tags.filter((tag) => !isTable(tag))].slice(0, most);
}

/** Each once, by its number in its history; histories in the order in which they are met. */
export function newestFirst(records: readonly LoggedInvalidation[]): LoggedInvalidation[] {
  const histories = new Map<string, Map<number, LoggedInvalidation>>();
  for (const record of records) {
    const known = histories.get(record.epoch);
    if (known === undefined) histories.set(record.epoch, new Map([[record.seq, record]]));
    else known.set(record.seq, record);
  }
  return [...histories.values()].flatMap((known) => [...known.values()].toSorted((one, other) => other.seq - one.seq));
}
