// Holds the structural client to the real one, and the structural API of OpenTelemetry, too.
import type * as api from '@opentelemetry/api';
import type client from 'prom-client';
import type { MetricsApiLike, TraceApiLike } from '../../src/opentelemetry.js';
import type { PromClientLike } from '../../src/prometheus.js';

type Accepts<Wanted, Given extends Wanted> = Given;

export type PromClientIsAccepted = Accepts<PromClientLike, typeof client>;
export type MetricsApiIsAccepted = Accepts<{ readonly metrics: MetricsApiLike }, typeof api>;
export type TraceApiIsAccepted = Accepts<TraceApiLike, typeof api>;
