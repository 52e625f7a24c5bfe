// Carries invalidations out: waits until they are in force, and keeps trying those that the store would not take.
import type { Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Committed, Invalidator, Mark } from '../contract/invalidation.js';
import type { Invalidated, InvalidateOptions, Marks, Store } from '../contract/store.js';
import { EVERYTHING, keyTag, kindOf, wholeKind } from '../entry/tags.js';
import { Announcements, type AnnouncementOptions } from './announcements.js';
import type { Correlation } from './correlation.js';
import { Holds } from './holds.js';
import { Running } from './running.js';

export interface InvalidationsOptions extends AnnouncementOptions {
  /** How long a writer is held while the store does not take the invalidation, ms. Asked each time. */
  readonly holdMs: () => number;
  /** `answer`: a writer whose invalidation the store does not take at once is answered, and it goes on in the background. */
  readonly onError: 'hold' | 'answer';
  /** WAL position that shows all that is committed by now; undefined where nobody reads from replicas. */
  readonly walPosition?: () => Promise<string | undefined>;
  /** Most tags of one kind in one invalidation; above it the whole kind is meant. */
  readonly maxTagsPerKind: number;
  /** Most tags waiting for the store; above it everything is meant. */
  readonly maxPending: number;
  /** In whose request; absent: nobody wants to know. */
  readonly correlation?: Correlation | undefined;
}

const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 1000;

/** A writer without an answer. */
interface Writer {
  readonly tags: readonly string[];
  readonly committed: Committed;
  answer(position: Invalidated | undefined): void;
}

/**
 * While an invalidation is not yet in force, this process neither serves nor stores what it touches. A writer is
 * answered when it is in force, or somebody else has brought it into force, or after `holdMs`; then it goes on in the
 * background until the store has taken it.
 */
export class Invalidations implements Invalidator {
  readonly #store: Store;
  readonly #options: InvalidationsOptions;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  /** Tags not yet in force. */
  readonly #holds = new Holds();
  readonly #announcements: Announcements;
  /** Those of them that the store has refused, tried again together: a long outage must not grow with every write. */
  readonly #late = new Holds();
  /** Writers of {@link #late} who have no answer yet. */
  readonly #waiting = new Set<Writer>();
  /** Those of whom it is being asked whether somebody else has done it. */
  readonly #asking = new WeakSet<Writer>();
  /** Writers without an answer. */
  readonly #writers = new Running();
  #epoch = '';
  #lateCause: string | undefined;
  /** In whose request {@link #late} was refused; undefined where they are several. */
  #lateRequest: string | undefined;
  #lateMarks: Mark[] = [];
  #retrying = false;
  #closed = false;

  /** @param marks where marks are shared; undefined: this process is alone, and its own knowledge is enough. */
  constructor(store: Store, marks: Marks | undefined, options: InvalidationsOptions, clock: Clock, emit: EventSink) {
    this.#store = store;
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
    this.#announcements = new Announcements(
      marks,
      this.#holds,
      options,
      (tags, mark) => this.invalidate(tags, 'mark', { mark }),
      clock,
      emit,
    );
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Tags that wait for the store, those of open marks included. */
  get pending(): number {
    return this.#holds.size;
  }

  /** Tags that the store has refused, and that are tried again. */
  get late(): number {
    return this.#late.size;
  }

  /** Whether the entry under `key`, or any of `tags`, is being invalidated right now. */
  touches(tags: readonly string[], key = ''): boolean {
    return this.#holds.size > 0 && this.#holds.touch([EVERYTHING, keyTag(key), ...tags]);
  }

  mark(tags: readonly string[]): Promise<Mark | undefined> {
    return this.#announcements.open(collapse(tags, this.#options.maxTagsPerKind));
  }

  unmark(mark: Mark): Promise<void> {
    return this.#announcements.withdraw(mark);
  }

  async invalidate(
    tags: readonly string[],
    cause: string,
    committed: Committed = {},
  ): Promise<Invalidated | undefined> {
    const named = collapse(tags, this.#options.maxTagsPerKind);
    const { mark } = committed;
    if (named.length === 0) {
      if (mark) await this.unmark(mark);
      return undefined;
    }
    const held = this.#holds.size + named.length > this.#options.maxPending ? [EVERYTHING] : named;
    this.#holds.add(held);
    const started = this.#clock.monotonic();
    const over = this.#writers.begin();
    return new Promise((answer) => {
      const told = (position: Invalidated | undefined) => {
        over();
        answer(position);
      };
      void this.#carryOut({ tags: held, committed, answer: told }, cause, started);
    });
  }

  /** Resolves when every writer has his answer. */
  drain(): Promise<void> {
    return this.#writers.none();
  }

  close(): void {
    this.#closed = true;
    this.#announcements.close();
  }

  async #carryOut({ tags, committed, answer }: Writer, cause: string, started: number): Promise<void> {
    const { mark, lsn, lsnEpoch } = committed;
    const writer: Writer = {
      tags,
      committed,
      answer: (position) => {
        answerBy.cancel();
        this.#waiting.delete(writer);
        answer(position);
      },
    };
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      this.#emit({ kind: 'released', tags, cause, heldMs: this.#clock.monotonic() - started });
      writer.answer(undefined);
    };
    const holdMs = this.#options.holdMs();
    const answerBy = this.#clock.after(holdMs, release);
    const options = {
      ...(mark && { mark: mark.id }),
      ...(lsn !== undefined && { lsn }),
      ...(lsnEpoch !== undefined && { lsnEpoch }),
    };
    const position = await this.#attempt(tags, cause, started, 1, options);
    if (position !== undefined || this.#closed) {
      this.#holds.remove(tags);
      if (mark) this.#announcements.ended(mark);
      writer.answer(position);
      return;
    }
    this.#late.add(tags);
    const request = this.#options.correlation?.id;
    this.#lateRequest = this.#lateCause === undefined || this.#lateRequest === request ? request : undefined;
    this.#lateCause = this.#lateCause === undefined || this.#lateCause === cause ? cause : 'several';
    // Here the tags are held in any case; elsewhere the mark ends with the attempt that succeeds, or by its deadline.
    if (mark && this.#announcements.ended(mark)) this.#lateMarks.push(mark);
    if (this.#options.onError === 'answer') release();
    else if (this.#clock.monotonic() - started < holdMs) this.#waiting.add(writer);
    if (!this.#retrying) void this.#retry(started);
  }

  async #retry(started: number): Promise<void> {
    this.#retrying = true;
    let wait = FIRST_RETRY_MS;
    for (let attempt = 2; this.#late.size > 0; attempt += 1) {
      await new Promise<void>((resolve) => this.#clock.after(wait, resolve));
      wait = Math.min(wait * 2, LONGEST_RETRY_MS);
      // What is added while this attempt runs waits for the next one.
      const batch = this.#late.entries();
      const waiting = [...this.#waiting];
      const markCount = this.#lateMarks.length;
      const tags = collapse(
        batch.map(([tag]) => tag),
        this.#options.maxTagsPerKind,
      );
      // Asked anew: others may have committed since, about whom Redis has forgotten what it knew.
      const lsnEpoch = this.#epoch;
      const lsn = await this.#options.walPosition?.();
      const options = lsn === undefined ? {} : { lsn, lsnEpoch };
      const again = () => this.#attempt(tags, this.#lateCause ?? '', started, attempt, options);
      const { correlation } = this.#options;
      const position = await (correlation === undefined ? again() : correlation.run(this.#lateRequest, again));
      if (position === undefined && !this.#closed) {
        this.#answerDrained(waiting);
        continue;
      }
      const marks = this.#lateMarks.splice(0, markCount);
      void this.#announcements.forget(marks);
      for (const [tag, count] of batch) for (const holds of [this.#late, this.#holds]) holds.remove([tag], count);
      for (const writer of waiting) writer.answer(position);
    }
    this.#lateCause = undefined;
    this.#retrying = false;
  }

  /**
   * Who has reached the store in this process's place has brought it into force for everybody. Asked beside the retries,
   * because the database may answer even later than the store.
   */
  #answerDrained(waiting: readonly Writer[]): void {
    for (const writer of waiting) {
      const { isDrained } = writer.committed;
      if (isDrained === undefined || this.#asking.has(writer)) continue;
      this.#asking.add(writer);
      void isDrained()
        .catch(() => false)
        .then((drained) => {
          this.#asking.delete(writer);
          if (drained) writer.answer(undefined);
        });
    }
  }

  async #attempt(
    tags: readonly string[],
    cause: string,
    started: number,
    attempt: number,
    options: InvalidateOptions,
  ): Promise<Invalidated | undefined> {
    try {
      const position = await this.#store.invalidate(tags, options);
      this.#epoch = position.epoch;
      const { epoch, seq } = position;
      this.#emit({ kind: 'invalidate', tags, cause, epoch, seq, durationMs: this.#clock.monotonic() - started });
      return position;
    } catch (error) {
      const text = errorText(error);
      this.#emit({ kind: 'invalidateFailed', tags, cause, attempt, error: text });
      return undefined;
    }
  }
}

/** Each tag once; more than `maxPerKind` of a kind become the whole kind, so that a bulk write stays one small step. */
export function collapse(tags: readonly string[], maxPerKind: number): string[] {
  const byKind = new Map<string, Set<string>>();
  for (const tag of tags) {
    if (tag === EVERYTHING) return [EVERYTHING];
    const kind = kindOf(tag);
    const known = byKind.get(kind);
    if (known) known.add(tag);
    else byKind.set(kind, new Set([tag]));
  }
  const collapsed: string[] = [];
  for (const [kind, named] of byKind) {
    if (named.size <= maxPerKind) collapsed.push(...named);
    else if (wholeKind(kind) === EVERYTHING) return [EVERYTHING];
    else collapsed.push(wholeKind(kind));
  }
  return collapsed;
}
