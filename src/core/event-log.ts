// Events to the log and to the application's listener.
import type { CacheEvent, CacheEventKind, EventSink } from '../contract/events.js';
import type { Logger } from '../contract/logger.js';

type Level = 'debug' | 'info' | 'warn';

/** Per-request events are for debugging; every invalidation is on record; what weakens the cache warns. */
const LEVELS: Readonly<Record<CacheEventKind, Level>> = {
  hit: 'debug',
  staleHit: 'debug',
  overdue: 'info',
  refreshFailed: 'warn',
  miss: 'debug',
  bypass: 'debug',
  declined: 'debug',
  stored: 'debug',
  compressed: 'debug',
  invalidate: 'info',
  rawWrite: 'info',
  swept: 'info',
  adopted: 'info',
  distrust: 'info',
  leaseAwaited: 'info',
  markFailed: 'warn',
  outboxFailed: 'warn',
  replicaLags: 'warn',
  released: 'warn',
  watermark: 'warn',
  invalidateFailed: 'warn',
  layerFailed: 'warn',
  breaker: 'warn',
  cascadeFailed: 'warn',
  fenced: 'warn',
  setAside: 'warn',
  sweepFailed: 'warn',
  collapsed: 'warn',
  advice: 'warn',
};

/** Builds the sink. A logger or listener that throws is not heard again for that event, and nobody else notices. */
export function createEventLog(
  logger: Logger | undefined,
  listener: ((event: CacheEvent) => void) | undefined,
): EventSink {
  if (logger === undefined && listener === undefined) return () => undefined;
  return (event) => {
    try {
      const heard: unknown = listener?.(event);
      // An async listener fails later; unheard, that would end the process.
      if (heard instanceof Promise) heard.catch(() => undefined);
      const level = LEVELS[event.kind];
      if (logger === undefined || logger.isLevelEnabled?.(level) === false) return;
      const { kind, ...fields } = event;
      logger[level]({ event: kind, ...fields }, `report cache: ${kind}`);
    } catch {
      // Observing must not change what is observed: the request goes on without its record.
    }
  };
}
