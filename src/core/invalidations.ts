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
    const answerBy = this.#clock.after(this.#options.holdMs, release);
    let wait = FIRST_RETRY_MS;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { seq } = await this.#store.invalidate(tags);
        this.#emit({ kind: 'invalidate', tags, cause, seq, durationMs: this.#clock.monotonic() - started });
        break;
      } catch (error) {
        this.#emit({
          kind: 'invalidateFailed',
          tags,
          cause,
          attempt,
          error: error instanceof Error ? error.message : String(error),
        });
        if (this.#closed) break;
        await new Promise<void>((resolve) => this.#clock.after(wait, resolve));
        wait = Math.min(wait * 2, LONGEST_RETRY_MS);
      }
    }
    this.#release(tags);
    answerBy.cancel();
    release();
  }

  #hold(tags: readonly string[]): void {
    for (const tag of tags) this.#pending.set(tag, (this.#pending.get(tag) ?? 0) + 1);
  }

  #release(tags: readonly string[]): void {
    for (const tag of tags) {
      const waiting = (this.#pending.get(tag) ?? 1) - 1;
      if (waiting > 0) this.#pending.set(tag, waiting);
      else this.#pending.delete(tag);
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
