// Every metric of the library: what it is called, what it tells, and which labels it has. Whoever adds one changes the README and the dashboard, too.

export type Unit = 'seconds' | 'bytes';

export interface Metric {
  /** Without prefix, unit and `_total`. */
  readonly name: string;
  readonly kind: 'counter' | 'histogram' | 'gauge';
  readonly unit?: Unit;
  readonly help: string;
  readonly labels: readonly string[];
  /** Of histograms: upper bounds, in the unit. */
  readonly buckets?: readonly number[];
}

/** A hit in memory takes some 50 µs, one in Redis about a millisecond; a report seconds. */
const READ_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10, 30];
const COMPUTE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const LAG_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10];
const BODY_BYTES = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 5_242_880];

const metrics = {
  reads: {
    kind: 'counter',
    help: 'Reports and values that were asked for. A stale answer behind which a new one is computed counts as a miss, too.',
    labels: ['type', 'layer', 'result'],
  },
  readDuration: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'How long it took to find a report, or to know that there is none, waiting for computations of others included.',
    labels: ['type', 'layer', 'result'],
    buckets: READ_SECONDS,
  },
  misses: { kind: 'counter', help: 'Why reports were computed.', labels: ['type', 'reason'] },
  bypasses: { kind: 'counter', help: 'Why the cache was not asked, or refused.', labels: ['type', 'reason'] },
  declines: { kind: 'counter', help: 'Why computed reports were not stored.', labels: ['type', 'reason'] },
  computeDuration: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'How long handlers and loaders ran.',
    labels: ['type', 'result'],
    buckets: COMPUTE_SECONDS,
  },
  computeAvoided: {
    kind: 'counter',
    unit: 'seconds',
    help: 'How long the computations took that hits did not repeat.',
    labels: ['type'],
  },
  storedSize: {
    kind: 'histogram',
    unit: 'bytes',
    help: 'Bodies of reports that were stored.',
    labels: ['type'],
    buckets: BODY_BYTES,
  },
  compressDuration: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'How long it took to compress a body, behind the readers.',
    labels: ['coding'],
    buckets: COMPUTE_SECONDS,
  },
  tokens: { kind: 'counter', help: 'Tokens that computations have told of.', labels: ['type', 'direction'] },
  money: {
    kind: 'counter',
    help: 'What computations have cost at the prices of the option costs, in units of the currency.',
    labels: ['type', 'currency'],
  },
  overdue: { kind: 'counter', help: 'Loaders that took longer than their caller waits.', labels: ['type', 'limit'] },
  refreshFailures: { kind: 'counter', help: 'Loaders that failed with nobody waiting.', labels: ['type'] },
  invalidationDuration: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'From the commit, or the call, until the invalidation was in force.',
    labels: ['cause'],
    buckets: LAG_SECONDS,
  },
  invalidatedTags: { kind: 'counter', help: 'Tags that were invalidated.', labels: ['cause'] },
  invalidationFailures: {
    kind: 'counter',
    help: 'Attempts to invalidate that the store did not take; each is tried again.',
    labels: ['cause'],
  },
  writersReleased: {
    kind: 'counter',
    help: 'Writers who were answered before their invalidation was in force.',
    labels: ['cause'],
  },
  sweptRows: { kind: 'counter', help: 'Rows of the outbox that sweeps brought into force.', labels: [] },
  sweepLag: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'Age of the oldest row that a sweep brought into force.',
    labels: [],
    buckets: LAG_SECONDS,
  },
  viewRefreshDuration: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'How long refreshes of materialised views took.',
    labels: [],
    buckets: COMPUTE_SECONDS,
  },
  taskRuns: {
    kind: 'counter',
    help: 'What has become of scheduled tasks: begun, done, failed, timeout, retry, and due times that were missed.',
    labels: ['task', 'state'],
  },
  taskDuration: {
    kind: 'histogram',
    unit: 'seconds',
    help: 'How long attempts at scheduled tasks took.',
    labels: ['task', 'state'],
    buckets: COMPUTE_SECONDS,
  },
  warmedReports: {
    kind: 'counter',
    help: 'What runs of warming have found or made ready, told when each ends: already, computed, or failed.',
    labels: ['way', 'result'],
  },
  warmRuns: {
    kind: 'counter',
    help: 'How runs of warming ended: done, or what stopped them.',
    labels: ['way', 'state'],
  },
  layerErrors: {
    kind: 'counter',
    help: 'Operations of a layer that failed or were late.',
    labels: ['layer', 'operation'],
  },
  events: { kind: 'counter', help: 'Everything else that is seldom, by the kind of event.', labels: ['kind'] },
  breakerState: {
    kind: 'gauge',
    help: 'Whether readers ask a layer: 0 they do, 1 one finds out, 2 they do not.',
    labels: ['layer'],
  },
  up: { kind: 'gauge', help: '1 while reports are served from the cache, 0 while all are computed.', labels: [] },
  problem: { kind: 'gauge', help: '1 for each reason of health() that holds now.', labels: ['reason'] },
  pendingTags: { kind: 'gauge', help: 'Tags that are being invalidated.', labels: [] },
  lateTags: { kind: 'gauge', help: 'Tags that the store has refused, and that are tried again.', labels: [] },
  outboxRows: { kind: 'gauge', help: 'Rows of the outbox that the last scan found waiting.', labels: [] },
  outboxOldest: { kind: 'gauge', unit: 'seconds', help: 'Age of the oldest of them then.', labels: [] },
  watermarkAge: {
    kind: 'gauge',
    unit: 'seconds',
    help: 'Since a sweeper has vouched for what is cached, as far as this process knows.',
    labels: [],
  },
  sweepFailures: { kind: 'gauge', help: 'Failures since the last sweep that did not fail.', labels: [] },
  memoryEntries: { kind: 'gauge', help: 'Entries in the memory of this process.', labels: [] },
  memoryUsed: { kind: 'gauge', unit: 'bytes', help: 'What they take, bookkeeping included.', labels: [] },
  memoryLimit: { kind: 'gauge', unit: 'bytes', help: 'What they may take.', labels: [] },
} as const satisfies Readonly<Record<string, Omit<Metric, 'name'>>>;

type Metrics = typeof metrics;

export type MetricId = keyof Metrics;

/** The metrics of one kind. */
export type IdOf<K extends Metric['kind']> = {
  [I in MetricId]: Metrics[I]['kind'] extends K ? I : never;
}[MetricId];

export const METRICS = Object.fromEntries(
  Object.entries(metrics).map(([id, metric]) => [
    id,
    { ...metric, name: id.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) },
  ]),
) as unknown as Readonly<Record<MetricId, Metric>>;

/** `report_cache_read_duration_seconds`, as Prometheus wants it: with the unit, and `_total` for what only grows. */
export function prometheusName({ name, kind, unit }: Metric): string {
  return ['report_cache', name, unit, kind === 'counter' ? 'total' : undefined].filter(Boolean).join('_');
}

/** `report_cache.read_duration`: of this, and its unit, collectors make the name that Prometheus wants. */
export function openTelemetryName({ name }: Metric): string {
  return `report_cache.${name}`;
}
