// Events to the log, to the application's listener and to its observers.
import type { CacheEvent, CacheEventKind, EventSink } from '../contract/events.js';
import type { Logger } from '../contract/logger.js';
import type { Observer } from '../contract/observer.js';
import { OF_A_REQUEST, type Correlation } from './correlation.js';

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
  managed: 'info',
  warming: 'debug',
  task: 'info',
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

export interface Watchers {
  readonly observers?: readonly Observer[];
  /** Absent: nobody wants to know in whose request something happens. */
  readonly correlation?: Pick<Correlation, 'id'> | undefined;
}

/** Builds the sink. A logger or listener that throws is not heard again for that event, and nobody else notices. */
export function createEventLog(
  logger: Logger | undefined,
  listener: ((event: CacheEvent) => void) | undefined,
  { observers = [], correlation }: Watchers = {},
): EventSink {
  // Sorted out once: most events are hits, and few are listened to.
  const listeners = new Map<CacheEventKind, ((event: CacheEvent) => unknown)[]>();
  for (const kind of Object.keys(LEVELS) as CacheEventKind[]) {
    const wanting = observers.filter(({ kinds }) => kinds === undefined || kinds.has(kind));
    const heard = wanting.map((observer) => (event: CacheEvent) => observer.hear(event));
    listeners.set(kind, listener === undefined ? heard : [...heard, listener]);
  }
  const isWanted = (kind: CacheEventKind) => (listeners.get(kind)?.length ?? 0) > 0;
  const hears = (kind: CacheEventKind) => isWanted(kind) || isHeard(logger, LEVELS[kind]);
  const sink = (happened: CacheEvent) => {
    const event = inItsRequest(happened, correlation);
    for (const one of listeners.get(event.kind) ?? []) tell(one, event);
    try {
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

function inItsRequest(event: CacheEvent, correlation: Watchers['correlation']): CacheEvent {
  const correlationId = correlation !== undefined && OF_A_REQUEST.has(event.kind) ? correlation.id : undefined;
  return correlationId === undefined ? event : { ...event, correlationId };
}

function tell(listener: (event: CacheEvent) => unknown, event: CacheEvent): void {
  try {
    const heard = listener(event);
    // An async listener fails later; unheard, that would end the process.
    if (heard instanceof Promise) heard.catch(() => undefined);
  } catch {
    // Nobody else is to notice.
  }
}

/** A logger that cannot tell wants everything. */
function isHeard(logger: Logger | undefined, level: Level): boolean {
  try {
    return logger !== undefined && logger.isLevelEnabled?.(level) !== false;
  } catch {
    return true;
  }
}
