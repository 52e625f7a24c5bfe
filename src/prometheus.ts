// For hosts with prom-client: `observers: [prometheusMetrics(client)]`. Loading it loads nothing else.
export { prometheusMetrics, type PromClientLike, type PrometheusOptions } from './metrics/prometheus.js';
