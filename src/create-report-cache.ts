// The composition root: options become stores, the core, and the object that applications hold.
import cluster from 'node:cluster';
import type { Request } from 'express';
import { assembleStores } from './assemble-stores.js';
import { systemClock, type Clock } from './contract/clock.js';
import { ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { Invalidator } from './contract/invalidation.js';
import { DataSources } from './data-sources.js';
import { Cache } from './core/cache.js';
import { BackgroundForms } from './core/forms.js';
import { lookAtHealth } from './core/health.js';
import { createEventLog } from './core/event-log.js';
import { Values } from './core/get-or-load.js';
import { Invalidations } from './core/invalidations.js';
import { OwnClaims } from './core/own-claims.js';
import { allWithin, Running } from './core/running.js';
import { Scopes } from './core/scope.js';
import { identitySegment, reportKey, variantKey } from './entry/key.js';
import { resolvePattern } from './entry/pattern.js';
import { EVERYTHING, isTag, tag, tableTag } from './entry/tags.js';
import { structuredCodec } from './entry/value-codec.js';
import { describeRoute, pathOf, viewerTags } from './http/describe.js';
import { createMiddleware } from './http/middleware.js';
import { Sessions } from './http/session.js';
import { BOUNDS } from './options/defaults.js';
import type { ReportCacheOptions } from './options/options.js';
import { checkConnectOptions, parseOptions, parsePolicy, parseRoute, type TypePolicy } from './options/parse.js';
import { InTime } from './outbox/in-time.js';
import type { CascadeFunction, CascadeOptions, CascadePaths, EntityLike } from './typeorm/cascade-rule.js';
import { TypeormPlugin } from './typeorm/plugin.js';
import type { ReportCache } from './report-cache.js';

/** For the clocks of several machines, and for the last look before the lease ended, ms. */
const HOLD_MARGIN_MS = 250;

/**
 * Makes a report cache.
 * @throws ERC_IDENTIFY_REQUIRED, ERC_OPTION, ERC_REDIS
 */
export function createReportCache(options: ReportCacheOptions): ReportCache {
  return compose(options, systemClock);
}

/** @internal With a clock that tests hold. */
export function compose(options: ReportCacheOptions, clock: Clock): ReportCache {
  const resolved = parseOptions(options);
  const emit = createEventLog(options.logger, options.onEvent);
  let closed = false;
  let maxTtlMs = 0;
  const { store, shared, breaker } = assembleStores(options.redis, resolved, clock, emit);
  const positions = new InTime(BOUNDS.walPositionMs, clock);
  /** Without it no replica is believed until the next write; an invalidation waits for no database. */
  const walPosition = () => positions.run(() => typeorm.walPosition()).catch(() => undefined);
  const invalidations = new Invalidations(
    store,
    shared?.marks,
    {
      // Later nobody can serve what it touches: no sweeper has vouched for it, and no lease has outlived that.
      holdMs: () => (dataSources.outbox ? lambdaMs + leaseMs + HOLD_MARGIN_MS : resolved.holdMs),
      onError: resolved.onInvalidateError,
      marks: resolved.mark,
      markTtlMs: resolved.markTtlMs,
      onMarkError: resolved.onMarkError,
      walPosition,
      maxTagsPerKind: BOUNDS.tagsPerKind,
      maxPending: BOUNDS.pendingTags,
    },
    clock,
    emit,
  );
  const scopes = new Scopes();
  const claims =
    shared &&
    new OwnClaims(
      shared.claims,
      { claimMs: BOUNDS.claimMs, privateMs: BOUNDS.privateMs, longestMs: resolved.waitMs },
      clock,
    );
  const cache = new Cache(
    store,
    invalidations,
    scopes,
    {
      waitMs: resolved.waitMs,
      maxTags: BOUNDS.tagsPerEntry,
      limits: resolved.limits,
      claims,
      ...(shared === undefined && !(resolved.alone ?? !cluster.isWorker) && refuse(emit)),
    },
    clock,
    emit,
  );
  const values = new Values(cache, scopes, clock, emit);
  const forms = new BackgroundForms(store, clock, emit);
  const sessions = new Sessions({
    leaseMs: resolved.leaseMs,
    follow: (heard, task) => scopes.follow(heard, task),
  });
  const invalidator: Invalidator = {
    get epoch() {
      return invalidations.epoch;
    },
    async invalidate(tags, cause, committed) {
      const position = await invalidations.invalidate(tags, cause, committed);
      if (position) scopes.invalidated(position);
      return position;
    },
    mark: (tags) => invalidations.mark(tags),
    unmark: (mark) => invalidations.unmark(mark),
  };
  const typeorm = new TypeormPlugin({ invalidator, transactions: scopes, marks: resolved.mark, emit, clock });
  /** Invalidations by hand. Those of transactions count from when the store is told. */
  const calls = new Running();
  /** For writes that the plugin has not seen. */
  const invalidateNow = async (tags: readonly string[], cause: string): Promise<void> => {
    const over = calls.begin();
    const lsnEpoch = invalidator.epoch;
    const lsn = await walPosition();
    await invalidator.invalidate(tags, cause, lsn === undefined ? {} : { lsn, lsnEpoch }).finally(over);
  };
  const { namespace, lambdaMs, leaseMs } = resolved;
  const dataSources = new DataSources(typeorm, {
    shared,
    namespace,
    lambdaMs,
    leaseMs,
    maxTtlMs: () => maxTtlMs,
    clock,
    emit,
  });
  const types = new Set(resolved.types.keys());

  const follow = <P extends TypePolicy>(policy: P): P => {
    maxTtlMs = Math.max(maxTtlMs, policy.ttlMs + policy.freshness.graceMs);
    if (policy.consistency === 'barrier') shared?.expectBarrier();
    return policy;
  };
  for (const policy of resolved.types.values()) follow(policy);

  const policyOf = (type: string): TypePolicy => {
    const policy = resolved.types.get(type);
    if (policy === undefined)
      throw new ReportCacheError(
        'ERC_TYPE_UNKNOWN',
        `There is no report type "${type}"; there are ${[...types].join(', ')}.`,
      );
    return policy;
  };

  return {
    cache(type, routeOptions = {}) {
      const policy = follow(parseRoute(routeOptions, policyOf(type)));
      const describe = describeRoute(type, routeOptions, policy, options.identify);
      return createMiddleware({
        reader: cache,
        forms,
        emit,
        clock,
        route: {
          ...policy,
          type,
          storeStatuses: policy.statuses,
          cacheName: resolved.cacheName,
          describe,
          varyKey: variantKey,
          atLeast: (req: Request) => sessions.atLeast(req),
          targetTags: (req: Request) => [tag('report', (routeOptions.report ?? pathOf)(req))],
          invalidate: invalidateNow,
        },
      });
    },

    session: () => (req, res, next) => sessions.handle(req, res, next),

    async connect(dataSource, connectOptions = {}) {
      checkConnectOptions(connectOptions);
      await dataSources.connect(dataSource, connectOptions);
    },

    disconnect: (dataSource) => dataSources.disconnect(dataSource),

    triggers: (dataSource) => dataSources.triggers(dataSource),

    health: () =>
      lookAtHealth({
        store,
        breaker,
        pending: invalidations.pending,
        late: invalidations.late,
        outbox: dataSources.outbox?.sweeper,
        closed,
      }),

    cascade<E>(entity: EntityLike<E>, rule: CascadePaths<E> | CascadeFunction<E>, options?: CascadeOptions) {
      if (typeof rule === 'function') typeorm.cascade(entity, rule, options);
      else typeorm.cascade(entity, rule);
      dataSources.rulesChanged();
    },

    async getOrLoad(request, loader) {
      const policy = follow(parsePolicy(request, policyOf(request.type), 'getOrLoad()'));
      const share = request.share ?? 'user';
      const identity = identitySegment(request.identity, share);
      const { type, report, filters = {}, tables = [] } = request;
      const tags = [tag('report', report), ...tables.map((table) => tableTag(table)), ...(request.tags ?? [])];
      if (identity === undefined) {
        emit({ kind: 'bypass', type, reason: 'no-identity' });
        scopes.computation?.addTags(tags);
        return values.loadAlone(loader);
      }
      return values.getOrLoad(
        {
          key: reportKey({ type, report, identity, filters }),
          type,
          owner: identity,
          tags: [tag('type', type), ...viewerTags(request.identity ?? undefined, share), ...tags],
          ttlMs: policy.ttlMs,
          freshness: policy.freshness,
          consistency: policy.consistency,
          coalesce: policy.coalesce,
        },
        loader,
        request.codec ?? structuredCodec,
        policy,
      );
    },

    addTags: (...tags) => scopes.computation?.addTags(tags),

    async invalidate(tags, cause = 'call') {
      const named = typeof tags === 'string' ? [tags] : tags;
      for (const one of named) {
        if (one === EVERYTHING || isTag(one) || (typeof one === 'string' && /^key:\S+$/.test(one))) continue;
        throw new ReportCacheError('ERC_TAG', `${JSON.stringify(one) ?? String(one)} is no tag.`);
      }
      await invalidateNow(named, cause);
    },

    async invalidatePattern(pattern) {
      const found = resolvePattern(pattern, types);
      await invalidateNow(found.tags, 'pattern');
      return found;
    },

    async deleteReport(report) {
      await invalidateNow([tag('report', report)], 'delete');
    },

    async clear() {
      await invalidateNow([EVERYTHING], 'clear');
    },

    evict: () => store.evict(),

    async close() {
      closed = true;
      // Loaders still use the database, which the application may close next.
      const under = [cache.drain(), values.drained(), calls.none(), invalidations.drain()];
      await allWithin(BOUNDS.closeMs, under, clock);
      cache.close();
      await claims?.close();
      forms.close();
      await dataSources.close();
      invalidations.close();
      await store.close();
    },
  };
}

/** Several processes without a shared truth: each would serve what another has invalidated. */
function refuse(emit: EventSink): { readonly refusal: 'not-alone' } {
  const message =
    'This is one of several processes and there is no Redis, so every report is computed: pass `redis`, or `alone: true` if it is the only one.';
  emit({ kind: 'advice', code: 'not-alone', message });
  return { refusal: 'not-alone' };
}
