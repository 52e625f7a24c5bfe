// One task as one span, whether it answers at once or later.
import type { MaybePromise } from '../contract/store.js';
import type { Span, SpanFacts } from '../contract/tracing.js';

/** What goes wrong, in a word: messages are the application's, and may name whom a report is about. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** @param facts what is to be said of the answer */
export function within<T>(
  span: Span,
  task: () => MaybePromise<T>,
  facts: (answer: T) => SpanFacts = () => ({}),
): MaybePromise<T> {
  const done = (answer: T): T => {
    span.note(facts(answer));
    span.end();
    return answer;
  };
  const failed = (error: unknown): never => {
    span.end(errorName(error));
    throw error;
  };
  let answer: MaybePromise<T>;
  try {
    answer = span.run(task);
  } catch (error) {
    return failed(error);
  }
  return answer instanceof Promise ? answer.then(done, failed) : done(answer);
}
