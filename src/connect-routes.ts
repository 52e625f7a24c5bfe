// Composition: routes with a handler behind the cache, and routes that a loader answers.
import type { Request, RequestHandler } from 'express';
import type { CostKeeping } from './connect-costs.js';
import type { Warming } from './connect-warming.js';
import type { Clock } from './contract/clock.js';
import type { EventSink } from './contract/events.js';
import type { Forms, Reader } from './contract/reading.js';
import type { DescribedBy, LoadedRouteParts } from './declared-reports.js';
import { identitySegment, variantKey } from './entry/key.js';
import { tag } from './entry/tags.js';
import { describedWith, sayingAsOf } from './http/as-of.js';
import { describeRoute, pathOf, type Identify } from './http/describe.js';
import { createMiddleware } from './http/middleware.js';
import type { RouteBook } from './http/route-book.js';
import type { Sessions } from './http/session.js';
import { VaryMemory } from './http/vary.js';
import { parseLoaded, type LoadedReportOptions } from './options/loaded.js';
import type { RouteOptions } from './options/options.js';
import { parseRoute, type RoutePolicy } from './options/parse.js';
import type { Policies } from './policies.js';
import type { LoadedReport } from './report-cache.js';
import type { Tracing } from './tracing/tracing.js';
import type { Views } from './views/views.js';

export interface CachedRoutesParts {
  readonly reader: Reader;
  readonly forms: Forms;
  readonly policies: Policies;
  readonly costs: CostKeeping;
  readonly views: Views;
  readonly warming: Warming;
  readonly sessions: Sessions;
  readonly tracing: Tracing;
  /** Remembers which paths lead to which reports. */
  readonly book: RouteBook;
  readonly identify: Identify;
  readonly cacheName: string;
  readonly invalidate: (tags: readonly string[], cause: string) => Promise<void>;
  readonly clock: Clock;
  readonly emit: EventSink;
}

type ReportOf = (req: Request) => string | number | bigint;

/** A loaded route has more than how it reads requests. */
type RouteParts = Pick<LoadedRouteParts, 'describe' | 'describedBy'> & Partial<Pick<LoadedRouteParts, 'loaded'>>;

export class CachedRoutes {
  constructor(private readonly parts: CachedRoutesParts) {}

  /** @throws ERC_TYPE_UNKNOWN, ERC_OPTION, ERC_FILTER, ERC_VIEW */
  cache(type: string, options: RouteOptions): RequestHandler {
    const { policies, tracing, views } = this.parts;
    const policy = policies.follow(parseRoute(options, policies.of(type)));
    const read = views.of(options.views ?? []);
    const describedBy: DescribedBy = (identify) => {
      const described = describeRoute(type, options, policy, identify);
      return read === undefined ? described : describedWith(read, described);
    };
    const describe = describedBy(this.parts.identify);
    const middleware = this.#middleware(type, policy, { describe, describedBy }, options.report ?? pathOf);
    const handler: RequestHandler =
      read === undefined ? middleware : (req, res, next) => middleware(req, res, sayingAsOf(read, req, res, next));
    return tracing.route(type, handler);
  }

  /** @throws ERC_TYPE_UNKNOWN, ERC_OPTION, ERC_FILTER */
  report(type: string, options: LoadedReportOptions): LoadedReport {
    const { policies, tracing, warming } = this.parts;
    const policy = policies.follow(parseLoaded(type, options, policies.of(type)));
    const { name } = policy;
    warming.declared.declare(type, policy, options);
    return {
      name,
      route: (reportOf) => {
        const { answer, ...parts } = warming.declared.routeOf(name, reportOf);
        const middleware = this.#middleware(type, policy, parts, reportOf);
        const handler: RequestHandler = (req, res, next) =>
          middleware(req, res, (error?: unknown) => (error === undefined ? answer(req, res, next) : next(error)));
        return tracing.route(type, handler);
      },
      warm: (targets, warmOptions) => warming.warmTargets(name, targets, warmOptions),
    };
  }

  #middleware(
    type: string,
    policy: RoutePolicy,
    { describe, describedBy, loaded }: RouteParts,
    reportOf: ReportOf,
  ): RequestHandler {
    const { book, cacheName, clock, costs, emit, forms, identify, invalidate, reader, sessions } = this.parts;
    const vary = new VaryMemory();
    const learn = book.follow({
      type,
      ttlMs: policy.ttlMs,
      graceMs: policy.freshness.graceMs,
      describe: (req, identity) => describedBy(() => identity)(req),
      keyOf: (key, headers) => vary.keyOf({ varyKey: variantKey }, key, headers),
    });
    const middleware = createMiddleware({
      reader,
      forms,
      emit,
      clock,
      vary,
      route: {
        ...policy,
        type,
        ...(loaded && { loaded }),
        storeStatuses: policy.statuses,
        cacheName,
        describe,
        varyKey: variantKey,
        ...(costs.on && {
          spending: {
            admit: (owner: string) => costs.gate?.admit({ type, owner }),
            ownerOf: (req: Request) => identitySegment(identify(req), policy.share),
            beside: (owner: string, task: () => void) => costs.beside({ type, owner }, task),
          },
        }),
        atLeast: (req: Request) => sessions.atLeast(req),
        targetTags: (req: Request) => [tag('report', reportOf(req))],
        invalidate,
      },
    });
    return (req, res, next) => {
      learn(req);
      middleware(req, res, next);
    };
  }
}
