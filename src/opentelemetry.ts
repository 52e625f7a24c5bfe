// For hosts with OpenTelemetry: `tracer: openTelemetryTracer(api), observers: [openTelemetryMetrics(api)]`. Loading it loads nothing else.
export { openTelemetryMetrics, type MetricsApiLike } from './metrics/opentelemetry.js';
export { openTelemetryTracer, type TraceApiLike } from './tracing/opentelemetry.js';
