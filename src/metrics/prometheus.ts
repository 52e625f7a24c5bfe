// The metrics in Prometheus' own client, which the host hands in.
import type { Observer } from '../contract/observer.js';
import { prometheusName, type Metric } from './catalogue.js';
import type { Gauge, Instruments, Labels, Tell } from './instruments.js';
import { Recorder } from './recorder.js';

interface Configuration {
  name: string;
  help: string;
  labelNames: string[];
  registers: never[];
}

/** What is used of the module `prom-client`, version 15; a type test holds it to this. */
export interface PromClientLike {
  readonly register: object;
  readonly Counter: new (configuration: Configuration) => { inc(labels: Labels, value?: number): void };
  readonly Histogram: new (configuration: Configuration & { buckets: number[] }) => {
    observe(labels: Labels, value: number): void;
  };
  readonly Gauge: new (configuration: Configuration & { collect: () => Promise<void> }) => {
    set(labels: Labels, value: number): void;
    reset(): void;
    remove(): void;
  };
}

export interface PrometheusOptions {
  /** A `Registry` of prom-client, one for each cache. @default the one of the whole process */
  readonly register?: object;
}

/**
 * For the option `observers`.
 * @param client the module: `import client from 'prom-client'`
 */
export function prometheusMetrics(client: PromClientLike, { register }: PrometheusOptions = {}): Observer {
  return new Recorder(new PrometheusInstruments(client, register ?? client.register));
}

class PrometheusInstruments implements Instruments {
  constructor(
    private readonly client: PromClientLike,
    private readonly register: object,
  ) {}

  counter(metric: Metric): Tell {
    const counter = new this.client.Counter(this.#configuration(metric));
    return (value, labels = {}) => counter.inc(labels, value);
  }

  histogram(metric: Metric): Tell {
    const buckets = [...(metric.buckets ?? [])];
    const histogram = new this.client.Histogram({ ...this.#configuration(metric), buckets });
    return (value, labels = {}) => histogram.observe(labels, value);
  }

  gauges(metrics: readonly Metric[], look: () => Promise<readonly Gauge[]>): void {
    let looking: Promise<ReadonlyMap<Metric, Gauge[1]>> | undefined;
    // All gauges of a scrape ask in the same turn: one look is for all of them.
    const shared = () =>
      (looking ??= look()
        .then((found) => new Map(found))
        .finally(() => (looking = undefined)));
    for (const metric of metrics) {
      const collect = async () => {
        const readings = (await shared()).get(metric) ?? [];
        gauge.reset();
        // A gauge without labels is 0 by itself, which is not what is not there.
        if (readings.length === 0) gauge.remove();
        for (const { value, labels = {} } of readings) gauge.set(labels, value);
      };
      const gauge = new this.client.Gauge({ ...this.#configuration(metric), collect });
    }
  }

  #configuration(metric: Metric): Configuration {
    return {
      name: prometheusName(metric),
      help: metric.help,
      labelNames: [...metric.labels],
      registers: [this.register as never],
    };
  }
}
