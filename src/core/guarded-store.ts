// A store that may fail, made safe: a deadline on every operation, and for readers a failure becomes "unavailable" here and nowhere else.
import type { Clock } from '../contract/clock.js';
import type { Dependency, Entry, Form, Position } from '../contract/entry.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type {
  Consistency,
  Invalidated,
  InvalidateOptions,
  LayerName,
  Lookup,
  Marks,
  MaybePromise,
  PutOutcome,
  Store,
} from '../contract/store.js';
import { Deadlines } from './deadlines.js';

export class GuardedStore implements Store, Marks {
  readonly name: LayerName;
  readonly #inner: Store & Marks;
  readonly #deadlineMs: number;
  readonly #deadlines: Deadlines;
  readonly #emit: EventSink;

  constructor(inner: Store & Marks, deadlineMs: number, clock: Clock, emit: EventSink) {
    this.name = inner.name;
    this.#inner = inner;
    this.#deadlineMs = deadlineMs;
    this.#deadlines = new Deadlines(deadlineMs, clock);
    this.#emit = emit;
  }

  async lookup(key: string, consistency?: Consistency): Promise<Lookup> {
    try {
      return await this.#inTime('lookup', () => this.#inner.lookup(key, consistency));
    } catch (error) {
      return { outcome: 'unavailable', reason: errorText(error) };
    }
  }

  async put(key: string, entry: Entry, inherited?: readonly Dependency[]): Promise<PutOutcome> {
    try {
      return await this.#inTime('put', () => this.#inner.put(key, entry, inherited));
    } catch {
      // Already told by #inTime. If it is executed all the same, the comparison inside it was still right.
      return 'unavailable';
    }
  }

  /** Nobody waits for it: a failure is told and forgotten. */
  async keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    try {
      await this.#inTime('keepForm', () => this.#inner.keepForm(key, entry, form, bytes));
    } catch {
      // Already told by #inTime.
    }
  }

  /** Rejects on failure: whoever invalidates must know, and try again. */
  invalidate(tags: readonly string[], options?: InvalidateOptions): Promise<Invalidated> {
    return this.#inTime('invalidate', () => this.#inner.invalidate(tags, options));
  }

  /** Rejects on failure. */
  mark(tags: readonly string[], id: string, ttlMs: number): Promise<Position> {
    return this.#inTime('mark', () => this.#inner.mark(tags, id, ttlMs));
  }

  /** Rejects on failure. */
  unmark(id: string): Promise<void> {
    return this.#inTime('unmark', () => this.#inner.unmark(id));
  }

  /** Rejects on failure. */
  position(leaseMs?: number): Promise<Position> {
    return this.#inTime('position', () => this.#inner.position(leaseMs));
  }

  evict(): void {
    this.#inner.evict();
  }

  close(): MaybePromise<void> {
    this.#deadlines.close();
    return this.#inner.close();
  }

  #inTime<T>(operation: string, run: () => MaybePromise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#emit({ kind: 'layerFailed', layer: this.name, operation, error: errorText(error) });
        reject(error);
      };
      const over = this.#deadlines.start(() => fail(new Error(`No answer within ${this.#deadlineMs} ms.`)));
      const failed = (error: unknown) => {
        if (over()) fail(error);
      };
      try {
        Promise.resolve(run()).then((value) => {
          if (over()) resolve(value);
        }, failed);
      } catch (error) {
        failed(error);
      }
    });
  }
}
