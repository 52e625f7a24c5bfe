// What the composition root wraps where a tracer was handed in: layers, the reader, routes, values and invalidations.
import type { Request, RequestHandler, Response } from 'express';
import type { Invalidator } from '../contract/invalidation.js';
import type { Reader } from '../contract/reading.js';
import type { Store } from '../contract/store.js';
import type { Span, SpanFacts, SpanName, Tracer } from '../contract/tracing.js';
import type { Correlation } from '../core/correlation.js';
import type { Replica } from '../core/tiered-store.js';
import { idFacts, TracedReader } from './traced-reader.js';
import { TracedReplica, TracedStore } from './traced-store.js';
import { within } from './within.js';

/** Of an answer's labels, those that this library gives. */
const LABELS: ReadonlySet<unknown> = new Set(['HIT', 'STALE', 'MISS', 'BYPASS']);

export class Tracing {
  /** @param tracer undefined: everything stays as it is. */
  constructor(
    private readonly tracer: Tracer | undefined,
    private readonly correlation: Pick<Correlation, 'id'>,
  ) {}

  layer(store: Store): Store {
    return this.tracer === undefined ? store : new TracedStore(store, this.tracer);
  }

  memory(replica: Replica): Replica {
    return this.tracer === undefined ? replica : new TracedReplica(replica, this.tracer);
  }

  reader(reader: Reader): Reader {
    return this.tracer === undefined ? reader : new TracedReader(reader, this.tracer, this.correlation);
  }

  /** From here to the end of the answer. */
  route(type: string, handler: RequestHandler): RequestHandler {
    const { tracer } = this;
    if (tracer === undefined) return handler;
    return (req: Request, res: Response, next) => {
      const span = this.#begin(tracer, 'request', { type });
      res.once('close', () => {
        span.note(answerFacts(res));
        span.end(res.writableFinished ? undefined : 'incomplete');
      });
      span.run(() => handler(req, res, next));
    };
  }

  /** One cached value. */
  value<A extends { readonly source: string }>(type: string, task: () => Promise<A>): Promise<A> {
    const { tracer } = this;
    if (tracer === undefined) return task();
    const span = this.#begin(tracer, 'value', { type });
    return Promise.resolve(within(span, task, ({ source }) => ({ source })));
  }

  /** One report that is made ready ahead: a trace of its own, linked to whoever wants that, who may want thousands. */
  warm<A extends { readonly computed: boolean }>(type: string, task: () => Promise<A>): Promise<A> {
    const { tracer } = this;
    if (tracer === undefined) return task();
    const facts = { type, ...idFacts(this.correlation) };
    const span = tracer.here()?.follow('warm', facts) ?? tracer.begin('warm', facts);
    return Promise.resolve(within(span, task, ({ computed }) => ({ result: computed ? 'computed' : 'already' })));
  }

  invalidate(cause: string, tags: readonly string[], task: () => ReturnType<Invalidator['invalidate']>) {
    const { tracer } = this;
    if (tracer === undefined) return task();
    const span = this.#begin(tracer, 'invalidate', { cause, tags: tags.length });
    return Promise.resolve(within(span, task, (position) => ({ in_force: position !== undefined })));
  }

  #begin(tracer: Tracer, name: SpanName, facts: SpanFacts): Span {
    return tracer.begin(name, { ...facts, ...idFacts(this.correlation) });
  }
}

function answerFacts(res: Response): SpanFacts {
  const label = res.getHeader('X-Cache');
  return { status: res.statusCode, ...(LABELS.has(label) && { result: String(label).toLowerCase() }) };
}
