// Spans in OpenTelemetry, whose API the host hands in: its SDK decides what is recorded, and its context is what is active.
import type { Place, Span, SpanFacts, SpanName, Tracer } from '../contract/tracing.js';

interface OtelSpan {
  setAttributes(attributes: Record<string, string | number | boolean>): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
  isRecording(): boolean;
}

interface SpanOptions {
  root?: boolean;
  attributes: Record<string, string | number | boolean>;
  links?: { context: never }[];
}

/** What is used of the module `@opentelemetry/api`, version 1.3 or later; a type test holds it to this. */
export interface TraceApiLike {
  readonly context: {
    active(): object;
    with<T>(context: never, task: () => T): T;
  };
  readonly trace: {
    getTracer(name: string): { startSpan(name: string, options: SpanOptions, context: never): OtelSpan };
    getSpan(context: never): object | undefined;
    setSpan(context: never, span: never): object;
    getSpanContext(context: never): object | undefined;
  };
}

/** `SpanStatusCode.ERROR`, a constant of the specification. */
const ERROR = 2;

/**
 * For the option `tracer`.
 * @param api the module: `import * as api from '@opentelemetry/api'`
 */
export function openTelemetryTracer(api: TraceApiLike): Tracer {
  // Asked for anew each time, because the SDK may be registered after this; the API remembers it.
  const tracer = api.trace.getTracer('express-report-cache');
  return {
    begin: (name, facts) => new ContextPlace(api, tracer, api.context.active() as never).begin(name, facts),
    here() {
      const active = api.context.active() as never;
      return api.trace.getSpan(active) === undefined ? undefined : new ContextPlace(api, tracer, active);
    },
  };
}

type OtelTracer = ReturnType<TraceApiLike['trace']['getTracer']>;

class ContextPlace implements Place {
  constructor(
    protected readonly api: TraceApiLike,
    protected readonly tracer: OtelTracer,
    protected readonly context: never,
  ) {}

  run<T>(task: () => T): T {
    return this.api.context.with(this.context, task);
  }

  begin(name: SpanName, facts: SpanFacts): Span {
    return this.#start(name, { attributes: attributesOf(facts) });
  }

  follow(name: SpanName, facts: SpanFacts): Span {
    const cause = this.api.trace.getSpanContext(this.context);
    const links = cause === undefined ? [] : [{ context: cause as never }];
    return this.#start(name, { root: true, attributes: attributesOf(facts), links });
  }

  #start(name: SpanName, options: SpanOptions): Span {
    const { api, tracer, context } = this;
    const span = tracer.startSpan(`report_cache.${name}`, options, context);
    return new ActiveSpan(api, tracer, api.trace.setSpan(context, span as never) as never, span);
  }
}

class ActiveSpan extends ContextPlace implements Span {
  readonly #span: OtelSpan;

  constructor(api: TraceApiLike, tracer: OtelTracer, context: never, span: OtelSpan) {
    super(api, tracer, context);
    this.#span = span;
  }

  note(facts: SpanFacts): void {
    // An ended span takes no more, and says so in the log of the host.
    if (this.#span.isRecording()) this.#span.setAttributes(attributesOf(facts));
  }

  end(error?: string): void {
    if (!this.#span.isRecording()) return;
    if (error !== undefined) this.#span.setStatus({ code: ERROR, message: error });
    this.#span.end();
  }
}

function attributesOf(facts: SpanFacts): Record<string, string | number | boolean> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [`report_cache.${name}`, value]));
}
