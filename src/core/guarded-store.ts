// A store that several processes share, made safe: its marks and claims behind the same guard as its entries.
import type { Clock } from '../contract/clock.js';
import type { Entry, Position } from '../contract/entry.js';
import type { EventSink } from '../contract/events.js';
import type { ClaimAnswer, Claims, Marks, Store } from '../contract/store.js';
import { SafeStore, type GuardOptions } from './safe-store.js';

export type { GuardOptions } from './safe-store.js';

export class GuardedStore extends SafeStore implements Marks, Claims {
  readonly #shared: Marks & Claims;

  constructor(inner: Store & Marks & Claims, options: GuardOptions, clock: Clock, emit: EventSink) {
    super(inner, options, clock, emit);
    this.#shared = inner;
  }

  /** Rejects on failure. */
  mark(tags: readonly string[], id: string, ttlMs: number): Promise<Position> {
    return this.unrefused('mark', () => this.#shared.mark(tags, id, ttlMs));
  }

  /** Rejects on failure. */
  unmark(id: string): Promise<void> {
    return this.unrefused('unmark', () => this.#shared.unmark(id));
  }

  /** Rejects on failure: whoever asks then computes without a claim. */
  claim(key: string, token: string, ttlMs: number, known?: Entry): Promise<ClaimAnswer> {
    return this.request('claim', () => this.#shared.claim(key, token, ttlMs, known));
  }

  /** Rejects on failure. */
  renewClaim(key: string, token: string, ttlMs: number): Promise<boolean> {
    return this.request('renewClaim', () => this.#shared.renewClaim(key, token, ttlMs));
  }

  /** Rejects on failure. */
  endClaim(key: string, token: string, privateMs: number): Promise<void> {
    return this.request('endClaim', () => this.#shared.endClaim(key, token, privateMs));
  }
}
