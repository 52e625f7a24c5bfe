// The same metrics through the real SDK of OpenTelemetry: every one of them, with its unit, and gauges when somebody collects.
import * as api from '@opentelemetry/api';
import { MeterProvider, MetricReader, type MetricData } from '@opentelemetry/sdk-metrics';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { createReportCache } from '../../src/index.js';
import { METRICS, openTelemetryName, prometheusName } from '../../src/metrics/catalogue.js';
import { openTelemetryMetrics } from '../../src/opentelemetry.js';
import { EVERY_EVENT } from './every-event.js';

class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

let reader: Reader;
let provider: MeterProvider;
beforeEach(() => {
  reader = new Reader();
  provider = new MeterProvider({ readers: [reader] });
  api.metrics.setGlobalMeterProvider(provider);
});
afterEach(async () => {
  api.metrics.disable();
  await provider.shutdown();
});

async function collect(): Promise<ReadonlyMap<string, MetricData>> {
  const { resourceMetrics, errors } = await reader.collect();
  expect(errors).toEqual([]);
  const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  return new Map(all.map((metric) => [metric.descriptor.name, metric]));
}

const points = (metric: MetricData | undefined) =>
  metric?.dataPoints.map(({ attributes, value }) => [Object.values(attributes).join(' '), value]);

describe('metrics in OpenTelemetry', () => {
  it('are those of Prometheus: what a collector makes of name, unit and kind', async () => {
    const observer = openTelemetryMetrics(api);
    observer.attach?.({
      isType: () => true,
      health: async () => ({
        state: 'ready',
        reasons: [],
        pending: 1,
        late: 0,
        outbox: {
          adoption: 'adopted',
          lastSuccess: 1,
          watermarkAgeMs: 20,
          waiting: 0,
          oldestMs: 0,
          poison: 0,
          failures: 0,
        },
      }),
      memory: () => ({ entries: 1, bytes: 2, maxBytes: 3 }),
    });
    for (const event of Object.values<CacheEvent>(EVERY_EVENT)) observer.hear(event);
    const found = await collect();
    expect([...found.keys()].sort()).toEqual(Object.values(METRICS).map(openTelemetryName).sort());
    const asPrometheus = [...found.values()].map(({ descriptor: { name, unit }, dataPointType }) => {
      const parts = [name.replace('.', '_'), unit === 's' ? 'seconds' : unit === 'By' ? 'bytes' : undefined];
      // DataPointType.SUM
      return [...parts, dataPointType === 3 ? 'total' : undefined].filter(Boolean).join('_');
    });
    expect(asPrometheus.sort()).toEqual(Object.values(METRICS).map(prometheusName).sort());
  });

  it('of a cache: its reads, how long they took, and its memory', async () => {
    const reports = createReportCache({ identify: () => null, observers: [openTelemetryMetrics(api)] });
    try {
      const load = () => reports.getOrLoad({ type: 'custom', report: 1, share: 'everyone' }, async () => 1);
      for (let n = 0; n < 3; n += 1) await load();
      const found = await collect();
      expect(points(found.get('report_cache.reads'))).toEqual([
        ['custom none miss', 1],
        ['custom memory hit', 2],
      ]);
      expect(points(found.get('report_cache.memory_entries'))).toEqual([['', 1]]);
      const duration = found.get('report_cache.read_duration')?.dataPoints[1]?.value;
      expect(duration).toMatchObject({ count: 2, buckets: { boundaries: METRICS.readDuration.buckets } });
    } finally {
      await reports.close();
    }
  });
});
