// Carries invalidations out: waits until they are in force, and keeps trying those that the store would not take.
import type { Clock } from '../contract/clock.js';
import type { EventSink } from '../contract/events.js';
import type { Invalidator } from '../contract/invalidation.js';
import type { Store } from '../contract/store.js';
import { EVERYTHING, keyTag, kindOf, wholeKind } from '../entry/tags.js';

export interface InvalidationsOptions {
  /** How long a writer is held while the store does not take the invalidation, ms. */
  readonly holdMs: number;
  /** Most tags of one kind in one invalidation; above it the whole kind is meant. */
  readonly maxTagsPerKind: number;
  /** Most tags waiting for the store; above it everything is meant. */
  readonly maxPending: number;
}

const FIRST_RETRY_MS = 20;
const LONGEST_RETRY_MS = 1000;

/**
 * While an invalidation is not yet in force, this process neither serves nor stores what it touches. A writer is
 * answered when it is in force or after `holdMs`; then it goes on in the background until the store has taken it.
 */
export class Invalidations implements Invalidator {
  readonly #store: Store;
  readonly #options: InvalidationsOptions;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  /** Tags not yet in force, with the number of invalidations that wait for them. */
  readonly #pending = new Map<string, number>();
  /** Those of them that the store has refused, tried again together: a long outage must not grow with every write. */
  readonly #late = new Map<string, number>();
  /** Writers of {@link #late} who have no answer yet. */
  readonly #waiting = new Set<() => void>();
  #lateCause: string | undefined;
  #retrying = false;
  #closed = false;

  constructor(store: Store, options: InvalidationsOptions, clock: Clock, emit: EventSink) {
    this.#store = store;
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Tags that wait for the store. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Whether the entry under `key`, or any of `tags`, is being invalidated right now. */
  touches(tags: readonly string[], key = ''): boolean {
    if (this.#pending.size === 0) return false;
    return [EVERYTHING, keyTag(key), ...tags].some((tag) => this.#pending.has(tag));
  }

  invalidate(tags: readonly string[], cause: string): Promise<void> {
    const named = collapse(tags, this.#options.maxTagsPerKind);
    if (named.length === 0) return Promise.resolve();
    const held = this.#pending.size + named.length > this.#options.maxPending ? [EVERYTHING] : named;
    this.#hold(held);
    const started = this.#clock.monotonic();
    return new Promise<void>((release) => {
      void this.#carryOut(held, cause, started, release);
    });
  }

  close(): void {
    this.#closed = true;
  }

  async #carryOut(tags: readonly string[], cause: string, started: number, release: () => void): Promise<void> {
    const done = () => {
      answerBy.cancel();
      this.#waiting.delete(done);
      release();
    };
    const answerBy = this.#clock.after(this.#options.holdMs, done);
    if ((await this.#attempt(tags, cause, started, 1)) || this.#closed) {
      this.#release(tags.map((tag) => [tag, 1]));
      done();
      return;
    }
    for (const tag of tags) this.#late.set(tag, (this.#late.get(tag) ?? 0) + 1);
    this.#lateCause = this.#lateCause === undefined || this.#lateCause === cause ? cause : 'several';
    if (this.#clock.monotonic() - started < this.#options.holdMs) this.#waiting.add(done);
    if (!this.#retrying) void this.#retry(started);
  }

  async #retry(started: number): Promise<void> {
    this.#retrying = true;
    let wait = FIRST_RETRY_MS;
    for (let attempt = 2; this.#late.size > 0; attempt += 1) {
      await new Promise<void>((resolve) => this.#clock.after(wait, resolve));
      wait = Math.min(wait * 2, LONGEST_RETRY_MS);
      // What is added while this attempt runs waits for the next one.
      const batch = [...this.#late];
      const waiting = [...this.#waiting];
      const tags = collapse([...this.#late.keys()], this.#options.maxTagsPerKind);
      const carriedOut = await this.#attempt(tags, this.#lateCause ?? '', started, attempt);
      if (!carriedOut && !this.#closed) continue;
      for (const [tag, count] of batch) lower(this.#late, tag, count);
      this.#release(batch);
      for (const done of waiting) done();
    }
    this.#lateCause = undefined;
    this.#retrying = false;
  }

  async #attempt(tags: readonly string[], cause: string, started: number, attempt: number): Promise<boolean> {
    try {
      const { seq } = await this.#store.invalidate(tags);
      this.#emit({ kind: 'invalidate', tags, cause, seq, durationMs: this.#clock.monotonic() - started });
      return true;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#emit({ kind: 'invalidateFailed', tags, cause, attempt, error: text });
      return false;
    }
  }

  #hold(tags: readonly string[]): void {
    for (const tag of tags) this.#pending.set(tag, (this.#pending.get(tag) ?? 0) + 1);
  }

  #release(tags: readonly (readonly [tag: string, count: number])[]): void {
    for (const [tag, count] of tags) lower(this.#pending, tag, count);
  }
}

function lower(counts: Map<string, number>, tag: string, by: number): void {
  const left = (counts.get(tag) ?? 0) - by;
  if (left > 0) counts.set(tag, left);
  else counts.delete(tag);
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
