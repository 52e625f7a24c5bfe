// A store that may fail, made safe: a deadline on every operation, a breaker before the readers', and their failures become "unavailable" here and nowhere else.
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
  MaybePromise,
  PutOutcome,
  Store,
} from '../contract/store.js';
import type { Breaker, BreakerState } from './breaker.js';
import { Deadlines } from './deadlines.js';

export interface GuardOptions {
  /** For one operation, ms. */
  readonly deadlineMs: number;
  /** Most operations of readers that the store has not answered, those past their deadline included. */
  readonly maxUnanswered: number;
  /** Stands before readers only: whoever invalidates must get through, and has his own way of trying again. */
  readonly breaker: Breaker;
}

export class SafeStore implements Store {
  readonly name: LayerName;
  readonly #inner: Store;
  readonly #options: GuardOptions;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #emit: EventSink;
  /** Last told. */
  #state: BreakerState = 'closed';
  #unanswered = 0;

  constructor(inner: Store, options: GuardOptions, clock: Clock, emit: EventSink) {
    this.name = inner.name;
    this.#inner = inner;
    this.#options = options;
    this.#clock = clock;
    this.#deadlines = new Deadlines(options.deadlineMs, clock);
    this.#emit = emit;
  }

  async lookup(key: string, consistency?: Consistency): Promise<Lookup> {
    try {
      return await this.#question('lookup', () => this.#inner.lookup(key, consistency));
    } catch (error) {
      return { outcome: 'unavailable', reason: errorText(error) };
    }
  }

  async put(key: string, entry: Entry, inherited?: readonly Dependency[]): Promise<PutOutcome> {
    try {
      return await this.request('put', () => this.#inner.put(key, entry, inherited));
    } catch {
      // Already told. If it is executed all the same, the comparison inside it was still right.
      return 'unavailable';
    }
  }

  /** Nobody waits for it: a failure is told and forgotten. */
  async keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    try {
      await this.request('keepForm', () => this.#inner.keepForm(key, entry, form, bytes));
    } catch {
      // Already told.
    }
  }

  /** Rejects on failure: whoever invalidates must know, and try again. */
  invalidate(tags: readonly string[], options?: InvalidateOptions): Promise<Invalidated> {
    return this.unrefused('invalidate', () => this.#inner.invalidate(tags, options));
  }

  /** Rejects on failure. */
  position(leaseMs?: number): Promise<Position> {
    return this.#question('position', () => this.#inner.position(leaseMs));
  }

  /** The way to the store is new: the next reader finds out. */
  reconnected(): void {
    this.#options.breaker.revive();
  }

  evict(): void {
    this.#inner.evict();
  }

  close(): MaybePromise<void> {
    this.#deadlines.close();
    return this.#inner.close();
  }

  /** What readers ask, and what the breaker goes by. */
  async #question<T>(operation: string, run: () => MaybePromise<T>): Promise<T> {
    const { breaker } = this.#options;
    if (this.#isCrowded) throw new Error(`${this.#unanswered} operations wait for an answer.`);
    const leave = breaker.admit(this.#clock.monotonic());
    if (leave === undefined) throw new Error('Not asked, because it failed a moment ago.');
    this.#tellState();
    try {
      const answer = await this.#inTime(operation, () => this.#counted(run));
      breaker.succeeded(leave, this.#clock.monotonic());
      return answer;
    } catch (error) {
      breaker.failed(leave, this.#clock.monotonic());
      throw error;
    } finally {
      this.#tellState();
    }
  }

  /**
   * Refused like a question, but no evidence: that a large report is late, or a full store takes none, must not keep
   * readers from what is there.
   */
  protected async request<T>(operation: string, run: () => MaybePromise<T>): Promise<T> {
    if (this.#options.breaker.state !== 'closed' || this.#isCrowded)
      throw new Error('Not asked, because readers are not.');
    return this.#inTime(operation, () => this.#counted(run));
  }

  protected async unrefused<T>(operation: string, run: () => MaybePromise<T>): Promise<T> {
    const answer = await this.#inTime(operation, run);
    this.#options.breaker.revive();
    return answer;
  }

  #tellState(): void {
    const { state } = this.#options.breaker;
    if (state === this.#state) return;
    this.#state = state;
    this.#emit({ kind: 'breaker', layer: this.name, state });
  }

  /** A client that is not answered keeps what it has sent, however long ago its deadline was. */
  get #isCrowded(): boolean {
    return this.#unanswered >= this.#options.maxUnanswered;
  }

  async #counted<T>(run: () => MaybePromise<T>): Promise<T> {
    this.#unanswered += 1;
    try {
      return await run();
    } finally {
      this.#unanswered -= 1;
    }
  }

  #inTime<T>(operation: string, run: () => MaybePromise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#emit({ kind: 'layerFailed', layer: this.name, operation, error: errorText(error) });
        reject(error);
      };
      const over = this.#deadlines.start(() => fail(new Error(`No answer within ${this.#options.deadlineMs} ms.`)));
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
