// What metrics are written with: the little that Prometheus' client and OpenTelemetry's meter have in common.
import type { Metric } from './catalogue.js';

export type Labels = Readonly<Record<string, string>>;

/** Adds to a counter, or a value to a histogram. */
export type Tell = (value: number, labels?: Labels) => void;

export interface Reading {
  readonly value: number;
  readonly labels?: Labels;
}

/** What a gauge shows now: nothing, if there is nothing to show. */
export type Gauge = readonly [metric: Metric, readings: readonly Reading[]];

export interface Instruments {
  counter(metric: Metric): Tell;
  histogram(metric: Metric): Tell;
  /** @param look asked whenever somebody collects, once for all of them */
  gauges(metrics: readonly Metric[], look: () => Promise<readonly Gauge[]>): void;
}
