// In whose request something happens: an id that follows it into logs, spans, invalidations and background refreshes.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CacheEventKind } from '../contract/events.js';

/**
 * An id comes from a client as often as not: what is long, or could break a line or a page of a log, is none. No `@`, so
 * that nobody's address gets there.
 */
const SAFE = /^[A-Za-z0-9._:=+/-]{1,64}$/;

export function safeId(given: unknown): string | undefined {
  const text = typeof given === 'number' && Number.isSafeInteger(given) ? String(given) : given;
  return typeof text === 'string' && SAFE.test(text) ? text : undefined;
}

/**
 * What happens in somebody's request. Of the rest an asynchronous context says only who happened to begin it: connections,
 * shared timers and sweeps outlive the request in which they came about.
 */
export const OF_A_REQUEST: ReadonlySet<CacheEventKind> = new Set<CacheEventKind>([
  'hit',
  'staleHit',
  'miss',
  'ran',
  'spent',
  'overdue',
  'refreshFailed',
  'bypass',
  'declined',
  'stored',
  'notPersisted',
  'compressed',
  'invalidate',
  'invalidateFailed',
  'released',
  'markFailed',
  'rawWrite',
  'cascadeFailed',
  'replicaLags',
  'warming',
  'managed',
]);

/** Where nobody wants to know. */
export const UNCORRELATED: Pick<Correlation, 'id'> = { id: undefined };

export class Correlation {
  readonly #storage = new AsyncLocalStorage<string | undefined>();

  get id(): string | undefined {
    return this.#storage.getStore();
  }

  /** @param id undefined: the task belongs to nobody's request. */
  run<T>(id: string | undefined, task: () => T): T {
    return this.#storage.run(id, task);
  }
}
