// What is not counted but looked at, when somebody collects: health, memory, and what the breakers said last.
import type { CacheEvent } from '../contract/events.js';
import type { Health, HealthReason } from '../contract/health.js';
import type { MemoryUse, Observed } from '../contract/observer.js';
import type { LayerName } from '../contract/store.js';
import { METRICS, type IdOf } from './catalogue.js';
import type { Reading } from './instruments.js';

type GaugeId = IdOf<'gauge'>;
type BreakerState = Extract<CacheEvent, { kind: 'breaker' }>['state'];

/** Everything that a look shows; what it does not show has no value. */
export type Look = Partial<Record<GaugeId, readonly Reading[]>>;

const BREAKER: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 };

/** Each has a series, so that an alert need not reckon with one that is not there yet. */
const PROBLEMS: Readonly<Record<HealthReason, true>> = {
  'store-unreachable': true,
  'breaker-open': true,
  'database-failing': true,
  'watermark-dead': true,
  fenced: true,
  'invalidations-late': true,
  'sweeps-failing': true,
  'rows-set-aside': true,
  'views-failing': true,
  closed: true,
};

export const GAUGES = (Object.keys(METRICS) as (keyof typeof METRICS)[]).filter(
  (id): id is GaugeId => METRICS[id].kind === 'gauge',
);

export class Gauges {
  readonly #breakers = new Map<LayerName, BreakerState>([
    ['redis', 'closed'],
    ['database', 'closed'],
  ]);

  breaker(layer: LayerName, state: BreakerState): void {
    this.#breakers.set(layer, state);
  }

  async look(cache: Observed): Promise<Look> {
    return {
      ...ofHealth(await cache.health()),
      ...ofMemory(cache.memory()),
      breakerState: [...this.#breakers].map(([layer, state]) => ({ value: BREAKER[state], labels: { layer } })),
    };
  }
}

function ofHealth({ state, reasons, pending, late, outbox }: Health): Look {
  const one = (value: number): readonly Reading[] => [{ value }];
  const holding = new Set<string>(reasons);
  return {
    up: one(state === 'down' ? 0 : 1),
    problem: Object.keys(PROBLEMS).map((reason) => ({ value: holding.has(reason) ? 1 : 0, labels: { reason } })),
    pendingTags: one(pending),
    lateTags: one(late),
    ...(outbox && {
      outboxRows: one(outbox.waiting),
      outboxOldest: one(outbox.oldestMs / 1000),
      sweepFailures: one(outbox.failures),
      ...(outbox.watermarkAgeMs !== undefined && { watermarkAge: one(outbox.watermarkAgeMs / 1000) }),
    }),
  };
}

function ofMemory({ entries, bytes, maxBytes }: MemoryUse): Look {
  return {
    memoryEntries: [{ value: entries }],
    memoryUsed: [{ value: bytes }],
    memoryLimit: [{ value: maxBytes }],
  };
}
