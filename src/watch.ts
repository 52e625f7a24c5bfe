// Composition: who watches a cache, and what is made only where somebody does: correlation ids and spans.
import type { Request, RequestHandler } from 'express';
import type { EventSink } from './contract/events.js';
import { Correlation, UNCORRELATED } from './core/correlation.js';
import { createEventLog } from './core/event-log.js';
import { correlated } from './http/correlated.js';
import { wrong } from './options/checks.js';
import type { Observer } from './contract/observer.js';
import type { ReportCacheOptions } from './options/options.js';
import { Tracing } from './tracing/tracing.js';

export interface Watch {
  readonly emit: EventSink;
  readonly tracing: Tracing;
  readonly correlation: Correlation | undefined;
  /** Puts a request's id around what is done for it. */
  readonly inRequest: (handler: RequestHandler) => RequestHandler;
}

/** @param own those of the cache itself @throws ERC_OPTION */
export function watch(options: ReportCacheOptions, own: readonly Observer[] = []): Watch {
  const { logger, onEvent, observers = [], tracer, correlate } = options;
  if (!Array.isArray(observers) || observers.some((one) => typeof one?.hear !== 'function'))
    throw wrong('observers', observers, 'a list of observers such as prometheusMetrics(client)');
  if (tracer !== undefined && (typeof tracer?.begin !== 'function' || typeof tracer.here !== 'function'))
    throw wrong('tracer', tracer, 'a tracer such as openTelemetryTracer(api)');
  if (correlate !== undefined && typeof correlate !== 'function')
    throw wrong('correlate', correlate, 'a function of the request');
  // Who says what the id is wants it in the log of invalidations at least.
  const isWanted = correlate !== undefined || tracer !== undefined;
  const isHeard = isWanted || logger !== undefined || onEvent !== undefined || observers.length > 0;
  const correlation = isHeard ? new Correlation() : undefined;
  return {
    emit: createEventLog(logger, onEvent, { observers: [...own, ...observers], correlation }),
    tracing: new Tracing(tracer, correlation ?? UNCORRELATED),
    correlation,
    inRequest: correlated(correlation, correlate as ((req: Request) => unknown) | undefined),
  };
}
