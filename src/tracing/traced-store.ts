// A layer that tells of each look-up, put, proof and invalidation as a span, where something is being traced.
import type { Dependency, Entry, Form, Position } from '../contract/entry.js';
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
import type { SpanFacts, SpanName, Tracer } from '../contract/tracing.js';
import type { Replica } from '../core/tiered-store.js';
import { within } from './within.js';

export class TracedStore implements Store {
  readonly name: LayerName;
  readonly #inner: Store;
  readonly #tracer: Tracer;

  constructor(inner: Store, tracer: Tracer) {
    this.name = inner.name;
    this.#inner = inner;
    this.#tracer = tracer;
  }

  lookup(key: string, consistency?: Consistency, atLeast?: Position): MaybePromise<Lookup> {
    return this.#told('lookup', () => this.#inner.lookup(key, consistency, atLeast), factsOf);
  }

  put(key: string, entry: Entry, inherited?: readonly Dependency[]): MaybePromise<PutOutcome> {
    return this.#told(
      'put',
      () => this.#inner.put(key, entry, inherited),
      (result) => ({ result }),
    );
  }

  invalidate(tags: readonly string[], options?: InvalidateOptions): MaybePromise<Invalidated> {
    return this.#told('bump', () => this.#inner.invalidate(tags, options));
  }

  position(leaseMs?: number): MaybePromise<Position> {
    return this.#told('prove', () => this.#inner.position(leaseMs));
  }

  refutes(key: string, entry: Entry, proved: Position): boolean {
    return this.#inner.refutes?.(key, entry, proved) ?? false;
  }

  /** Nobody waits for it. */
  keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): MaybePromise<void> {
    return this.#inner.keepForm(key, entry, form, bytes);
  }

  refill(key: string): Promise<void> {
    return this.#inner.refill?.(key) ?? Promise.resolve();
  }

  evict(): void {
    this.#inner.evict();
  }

  close(): MaybePromise<void> {
    return this.#inner.close();
  }

  /** What the sweeper, the views and health() ask on their own would be traces of one span, several times a second. */
  #told<T>(name: SpanName, task: () => MaybePromise<T>, facts?: (answer: T) => SpanFacts): MaybePromise<T> {
    const here = this.#tracer.here();
    return here === undefined ? task() : within(here.begin(name, { layer: this.name }), task, facts);
  }
}

/** The same of memory in front of a shared store, which answers at once. */
export class TracedReplica extends TracedStore implements Replica {
  readonly #memory: Replica;

  constructor(memory: Replica, tracer: Tracer) {
    super(memory, tracer);
    this.#memory = memory;
  }

  get table(): Replica['table'] {
    return this.#memory.table;
  }

  override lookup(key: string): Lookup {
    return super.lookup(key) as Lookup;
  }

  override refutes(key: string, entry: Entry, proved: Position): boolean {
    return this.#memory.refutes(key, entry, proved);
  }

  admit(key: string, entry: Entry, proved?: Position): boolean {
    return this.#memory.admit(key, entry, proved);
  }
}

function factsOf(found: Lookup): SpanFacts {
  return found.outcome === 'miss' ? { result: 'miss', reason: found.reason } : { result: found.outcome };
}
