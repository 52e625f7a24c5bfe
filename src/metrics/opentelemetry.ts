// The same metrics in OpenTelemetry's meter, which the host hands in.
import type { Observer } from '../contract/observer.js';
import { openTelemetryName, type Metric } from './catalogue.js';
import type { Gauge, Instruments, Labels, Tell } from './instruments.js';
import { Recorder } from './recorder.js';

interface InstrumentOptions {
  description: string;
  unit: string;
  advice?: { explicitBucketBoundaries: number[] };
}

interface ResultLike {
  observe(instrument: never, value: number, attributes: Labels): void;
}

/** What is used of `metrics` in `@opentelemetry/api`, version 1.3 or later; a type test holds it to this. */
export interface MetricsApiLike {
  getMeter(name: string): {
    createCounter(name: string, options: InstrumentOptions): { add(value: number, attributes: Labels): void };
    createHistogram(name: string, options: InstrumentOptions): { record(value: number, attributes: Labels): void };
    createObservableGauge(name: string, options: InstrumentOptions): object;
    addBatchObservableCallback(collect: (result: ResultLike) => Promise<void>, instruments: never[]): void;
  };
}

/** As OpenTelemetry writes units (UCUM). */
const UNITS = { seconds: 's', bytes: 'By' } as const;

/**
 * For the option `observers`.
 * @param api the module: `import * as api from '@opentelemetry/api'`
 */
export function openTelemetryMetrics(api: { readonly metrics: MetricsApiLike }): Observer {
  return new Recorder(new OpenTelemetryInstruments(api.metrics.getMeter('express-report-cache')));
}

class OpenTelemetryInstruments implements Instruments {
  constructor(private readonly meter: ReturnType<MetricsApiLike['getMeter']>) {}

  counter(metric: Metric): Tell {
    const counter = this.meter.createCounter(openTelemetryName(metric), optionsOf(metric));
    return (value, labels = {}) => counter.add(value, labels);
  }

  histogram(metric: Metric): Tell {
    const histogram = this.meter.createHistogram(openTelemetryName(metric), optionsOf(metric));
    return (value, labels = {}) => histogram.record(value, labels);
  }

  gauges(metrics: readonly Metric[], look: () => Promise<readonly Gauge[]>): void {
    const gauges = new Map(
      metrics.map((metric) => [metric, this.meter.createObservableGauge(openTelemetryName(metric), optionsOf(metric))]),
    );
    const collect = async (result: ResultLike) => {
      for (const [metric, readings] of await look())
        for (const { value, labels = {} } of readings) result.observe(gauges.get(metric) as never, value, labels);
    };
    this.meter.addBatchObservableCallback(collect, [...gauges.values()] as never[]);
  }
}

function optionsOf({ help, unit, buckets }: Metric): InstrumentOptions {
  return {
    description: help,
    unit: unit === undefined ? '' : UNITS[unit],
    ...(buckets && { advice: { explicitBucketBoundaries: [...buckets] } }),
  };
}
