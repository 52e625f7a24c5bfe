// Spans as the library tells of them. A host that wants them hands a tracer in; without one nothing of this is called.

/** What is told of as a span: few names, so that whoever looks at traces can group by them. */
export type SpanName =
  | 'request' // one request on a cached route, until its answer is sent
  | 'value' // one getOrLoad
  | 'read' // asking all layers, and waiting for who computes already
  | 'lookup' // asking one layer
  | 'prove' // asking the shared store whether what memory has is current
  | 'load' // the handler or the loader
  | 'refresh' // the same in nobody's request, with what is stored of it
  | 'warm' // one report that is made ready ahead, with all that belongs to it
  | 'store' // offering what was computed
  | 'put' // offering it to one layer
  | 'invalidate' // an invalidation, until it is in force or its writer is answered
  | 'bump'; // telling one layer of it

/** Ids of reports and readers are no facts of spans: a trace is seen by more people than a report. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>;

/** Where something goes on. */
export interface Place {
  /** Runs the task there: what it begins is a child. */
  run<T>(task: () => T): T;
  begin(name: SpanName, facts: SpanFacts): Span;
  /** Begins what is caused here and belongs to no one here any more: a trace of its own, linked to this place. */
  follow(name: SpanName, facts: SpanFacts): Span;
}

export interface Span extends Place {
  note(facts: SpanFacts): void;
  /** @param error what went wrong, in a word; absent: nothing. Later calls do nothing. */
  end(error?: string): void;
}

/** Must not throw, but for what the tasks throw. */
export interface Tracer {
  /** Begins a child of whatever is going on, be it the host's. */
  begin(name: SpanName, facts: SpanFacts): Span;
  /** Undefined: nothing is being traced here. */
  here(): Place | undefined;
}
