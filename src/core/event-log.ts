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
  ran: 'debug',
  spent: 'debug',
  stored: 'debug',
  notPersisted: 'info',
  compressed: 'debug',
  invalidate: 'info',
  rawWrite: 'info',
  swept: 'info',
  adopted: 'info',
  distrust: 'info',
  leaseAwaited: 'info',
  viewRefreshed: 'info',
  version: 'info',
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
  viewFailed: 'warn',
  costsFailed: 'warn',
  viewsFailed: 'warn',
  advice: 'warn',
};

/** Builds the sink. A logger or listener that throws is not heard again for that event, and nobody else notices. */
export function createEventLog(
  logger: Logger | undefined,
  listener: ((event: CacheEvent) => void) | undefined,
): EventSink {
  const hears = (kind: CacheEventKind) => listener !== undefined || isHeard(logger, LEVELS[kind]);
  const sink = (event: CacheEvent) => {
    try {
      const heard: unknown = listener?.(event);
      // An async listener fails later; unheard, that would end the process.
      if (heard instanceof Promise) heard.catch(() => undefined);
      const level = LEVELS[event.kind];
      if (!isHeard(logger, level)) return;
      const { kind, ...fields } = event;
      logger?.[level]({ event: kind, ...fields }, `report cache: ${kind}`);
    } catch {
      // Observing must not change what is observed: the request goes on without its record.
    }
  };
  return Object.assign(sink, { hears });
}

/** A logger that cannot tell wants everything. */
function isHeard(logger: Logger | undefined, level: Level): boolean {
  try {
    return logger !== undefined && logger.isLevelEnabled?.(level) !== false;
  } catch {
    return true;
  }
}
