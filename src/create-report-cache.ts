// The composition root: options become stores, the core, and the object that applications hold.
import cluster from 'node:cluster';
import type { Request, RequestHandler } from 'express';
import { assembleStores } from './assemble-stores.js';
import { systemClock, type Clock } from './contract/clock.js';
import { ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { Invalidator } from './contract/invalidation.js';
import { Management } from './connect-admin.js';
import { CostKeeping } from './connect-costs.js';
import { VersionKeeping } from './connect-versions.js';
import { viewHostOf } from './connect-views.js';
import { DataSources } from './data-sources.js';
import { longestTtl } from './core/adaptive-ttl.js';
import { Cache } from './core/cache.js';
import { BackgroundForms } from './core/forms.js';
import { lookAtHealth } from './core/health.js';
import type { Answer } from './core/answer.js';
import { Values } from './core/get-or-load.js';
import { Invalidations } from './core/invalidations.js';
import type { AnyLoader, Loader } from './contract/loader.js';
import { OwnClaims } from './core/own-claims.js';
import { allWithin, Running } from './core/running.js';
import { Scopes } from './core/scope.js';
import { identitySegment, reportKey, variantKey } from './entry/key.js';
import { resolvePattern } from './entry/pattern.js';
import { EVERYTHING, isTag, tag, tableTag, type Tag } from './entry/tags.js';
import { structuredCodec } from './entry/value-codec.js';
import { describedWith, sayingAsOf } from './http/as-of.js';
import { describeRoute, pathOf, viewerTags } from './http/describe.js';
import { createMiddleware } from './http/middleware.js';
import { Sessions } from './http/session.js';
import { parseCosts } from './options/costs.js';
import { BOUNDS } from './options/defaults.js';
import type { ReportCacheOptions, ValueRequest } from './options/options.js';
import { parseResources, type ResourceDeclarations } from './options/resources.js';
import { createResources } from './resources/resources.js';
import { parseVersions, type VersionsOptions } from './options/versions.js';
import { parseView } from './options/views.js';
import { checkConnectOptions, parseOptions, parsePolicy, parseRoute, type TypePolicy } from './options/parse.js';
import { InTime } from './outbox/in-time.js';
import type { CascadeFunction, CascadeOptions, CascadePaths, EntityLike } from './typeorm/cascade-rule.js';
import { TypeormPlugin } from './typeorm/plugin.js';
import type { DataSourceLike, QueryRunnerLike } from './typeorm/typeorm-like.js';
import { Changes } from './views/changes.js';
import { createVersions, type VersionRequest } from './versions/versions.js';
import { Views } from './views/views.js';
import { watch } from './watch.js';
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
  const { namespace, lambdaMs, leaseMs } = resolved;
  const types = new Set(resolved.types.keys());
  const typeNames = new Set(types);
  const isType = (name: string) => typeNames.has(name);
  const management = new Management({ namespace, version: resolved.version, redis: options.redis, isType, clock });
  const { tracing, correlation, inRequest, emit: tell } = watch(options, management.observers);
  const costs = new CostKeeping(options.costs && parseCosts(options.costs, types), {
    namespace,
    redis: options.redis,
    redisDeadlineMs: resolved.redisDeadlineMs,
    clock,
    emit: tell,
  });
  const { emit, meter } = costs;
  let closed = false;
  let maxTtlMs = 0;
  const { store, shared, history, breaker, memory } = assembleStores(options.redis, resolved, clock, emit, tracing);
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
      correlation,
    },
    clock,
    emit,
  );
  const scopes = new Scopes();
  const claims =
    shared && new OwnClaims(shared.claims, { claimMs: BOUNDS.claimMs, privateMs: BOUNDS.privateMs }, clock);
  const cache = new Cache(
    store,
    invalidations,
    scopes,
    {
      waitMs: resolved.waitMs,
      maxTags: BOUNDS.tagsPerEntry,
      limits: resolved.limits,
      claims,
      meter,
      ...(shared === undefined && !(resolved.alone ?? !cluster.isWorker) && refuse(emit)),
    },
    clock,
    emit,
  );
  const reader = tracing.reader(cache);
  const values = new Values(reader, scopes, clock, emit, meter, costs.gate);
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
      const carryOut = () => invalidations.invalidate(tags, cause, committed);
      const position = await tracing.invalidate(cause, tags, carryOut);
      if (position) scopes.invalidated(position);
      views.heard(tags, position !== undefined);
      return position;
    },
    mark: (tags) => invalidations.mark(tags),
    unmark: (mark) => invalidations.unmark(mark),
  };
  const views: Views = new Views({
    changes: new Changes(store, clock),
    invalidator: { invalidate: (tags, cause) => bringIntoForce(tags, cause) },
    clock,
    emit,
  });
  const typeorm = new TypeormPlugin({ invalidator, transactions: scopes, marks: resolved.mark, emit, clock });
  /** Invalidations by hand. Those of transactions count from when the store is told. */
  const calls = new Running();
  /** For what the plugin has not seen. */
  const bringIntoForce: Invalidator['invalidate'] = async (tags, cause) => {
    const over = calls.begin();
    const lsnEpoch = invalidator.epoch;
    const lsn = await walPosition();
    return invalidator.invalidate(tags, cause, lsn === undefined ? {} : { lsn, lsnEpoch }).finally(over);
  };
  const invalidateNow = async (tags: readonly string[], cause: string): Promise<void> => {
    await bringIntoForce(tags, cause);
  };
  let versioned = false;
  const versions = new VersionKeeping({
    namespace,
    expected: () => versioned,
    note: (runner, tags) => typeorm.note(runner, tags),
    clock,
    emit,
  });
  let persists = false;
  const dataSources = new DataSources(
    typeorm,
    { shared, history, namespace, lambdaMs, leaseMs, maxTtlMs: () => maxTtlMs, clock, emit },
    { layers: store, options: resolved, expected: () => persists, tracing, clock, emit },
  );

  const follow = <P extends TypePolicy>(policy: P): P => {
    const { graceMs, adaptive } = policy.freshness;
    const livesMs = longestTtl(policy.ttlMs, adaptive) + graceMs;
    maxTtlMs = Math.max(maxTtlMs, policy.persist ? Math.min(livesMs, BOUNDS.persistedInFrontMs) : livesMs);
    if (policy.persist) {
      persists = true;
      store.expectDatabase();
    }
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

  const answerOf = async <T>(
    request: ValueRequest,
    policy: TypePolicy,
    loader: AnyLoader<T>,
    looksUp = false,
  ): Promise<Answer<T>> => {
    const share = request.share ?? 'user';
    const identity = identitySegment(request.identity, share);
    const { type, report, filters = {}, tables = [] } = request;
    const read = views.of(request.views ?? []);
    const viewTags = read === undefined ? [] : read.tags();
    const tags = [
      tag('report', report),
      ...tables.map((table) => tableTag(table)),
      ...(viewTags ?? []),
      ...(request.tags ?? []),
    ];
    if (viewTags === undefined) {
      emit({ kind: 'bypass', type, reason: 'unavailable', detail: 'a view is not connected' });
      // Nobody knows what would have to invalidate the report around it.
      scopes.readFromThePast();
      return values.loadAlone(loader, { type, owner: identity ?? '', looksUp });
    }
    if (identity === undefined) {
      emit({ kind: 'bypass', type, reason: 'no-identity' });
      scopes.computation?.addTags(tags);
      return values.loadAlone(loader, { type, owner: '', looksUp });
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
        waitMs: policy.waitMs,
        persist: policy.persist,
        looksUp,
      },
      loader,
      request.codec ?? structuredCodec,
      policy,
    );
  };

  const tracedAnswer: typeof answerOf = (request, policy, loader) =>
    tracing.value(request.type, () => answerOf(request, policy, loader));

  const answerTo = async <T>(request: ValueRequest, loader: Loader<T>): Promise<Answer<T>> =>
    tracedAnswer(request, follow(parsePolicy(request, policyOf(request.type), 'getOrLoad()')), loader);

  const health = () =>
    lookAtHealth({
      store,
      breaker,
      database: dataSources.persisted?.breaker,
      pending: invalidations.pending,
      late: invalidations.late,
      outbox: dataSources.outbox?.sweeper,
      views: views.health,
      closed,
    });
  for (const observer of options.observers ?? []) observer.attach?.({ isType, health, memory: memory.use });

  const prune = async () => dataSources.persisted?.prune() ?? {};

  return {
    cache(type, routeOptions = {}) {
      const policy = follow(parseRoute(routeOptions, policyOf(type)));
      const described = describeRoute(type, routeOptions, policy, options.identify);
      const read = views.of(routeOptions.views ?? []);
      const describe = read === undefined ? described : describedWith(read, described);
      const middleware = createMiddleware({
        reader,
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
          ...(costs.on && {
            spending: {
              admit: (owner: string) => costs.gate?.admit({ type, owner }),
              ownerOf: (req: Request) => identitySegment(options.identify(req), policy.share),
              beside: (owner: string, task: () => void) => costs.beside({ type, owner }, task),
            },
          }),
          atLeast: (req: Request) => sessions.atLeast(req),
          targetTags: (req: Request) => [tag('report', (routeOptions.report ?? pathOf)(req))],
          invalidate: invalidateNow,
        },
      });
      const handler: RequestHandler =
        read === undefined ? middleware : (req, res, next) => middleware(req, res, sayingAsOf(read, req, res, next));
      return inRequest(tracing.route(type, handler));
    },

    view: (name, viewOptions) => views.declare(parseView(name, viewOptions)),

    session: () => inRequest((req, res, next) => sessions.handle(req, res, next)),

    correlation: () => inRequest((_req, _res, next) => next()),

    async connect(dataSource, connectOptions = {}) {
      checkConnectOptions(connectOptions);
      await dataSources.connect(dataSource, connectOptions);
      if (closed) return;
      await costs.connect(dataSource as DataSourceLike);
      await versions.connect(dataSource as DataSourceLike);
      await views.connect(dataSource, viewHostOf(dataSource as DataSourceLike, namespace, clock));
    },

    async disconnect(dataSource) {
      await views.disconnect(dataSource);
      await versions.disconnect(dataSource);
      await costs.disconnect(dataSource);
      await dataSources.disconnect(dataSource);
    },

    triggers: (dataSource) => dataSources.triggers(dataSource),

    health,

    cascade<E>(entity: EntityLike<E>, rule: CascadePaths<E> | CascadeFunction<E>, options?: CascadeOptions) {
      if (typeof rule === 'function') typeorm.cascade(entity, rule, options);
      else typeorm.cascade(entity, rule);
      dataSources.rulesChanged();
    },

    async getOrLoad(request, loader) {
      return (await answerTo(request, loader)).value;
    },

    getOrLoadAnswer: (request, loader) => answerTo(request, loader),

    resources<M>(declared: ResourceDeclarations<M>) {
      const policies = parseResources(declared as never, policyOf('default'), types);
      for (const { name, policy } of policies) {
        typeNames.add(name);
        follow(policy);
      }
      return createResources(declared, policies, {
        load: ({ type, policy, organization, filters, tags, codec }, loader) => {
          const identity = { user: organization, tenant: organization };
          const request = { type, report: type, identity, share: 'tenant', filters, tags } as const;
          return tracedAnswer({ ...request, ...(codec && { codec }) }, policy, loader).then(({ value }) => value);
        },
        invalidate: invalidateNow,
      });
    },

    versions<T>(type: string, versionsOptions: VersionsOptions<T>) {
      const parsed = parseVersions(type, versionsOptions, policyOf(type));
      follow(parsed.policy);
      follow(parsed.generation);
      versioned = true;
      return createVersions(type, versionsOptions, parsed, {
        database: () => versions.database,
        keyOf: ({ report, identity, share, filters }) =>
          reportKey({ type, report, identity: identitySegment(identity, share) ?? '', filters }),
        lookUp: ({ policy, ...request }: VersionRequest, loader) => answerOf(request, policy, loader, true),
        run: ({ policy, ...request }: VersionRequest, loader) => answerOf(request, policy, loader),
        viewed: (hash, version) => versions.views.count(hash, version),
        viewsTold: () => versions.views.flush(),
        clock,
        emit,
      });
    },

    addTags: (...tags) => scopes.computation?.addTags(tags),

    addCost(usage) {
      if (scopes.computation === undefined) costs.spendBeside(usage);
      else scopes.computation.spend(usage);
    },

    costs: (range = {}) => costs.days(range),

    async invalidate(tags, cause = 'call') {
      await invalidateNow(checkedTags(tags), cause);
    },

    async invalidateWith(transaction, tags) {
      const runner: unknown = Reflect.get(transaction, 'queryRunner') ?? transaction;
      await typeorm.note(runner as QueryRunnerLike, checkedTags(tags));
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

    prune,

    admin: (adminOptions) =>
      management.admin(
        adminOptions,
        memory,
        {
          types: () => [...types],
          health,
          memory: memory.use,
          invalidate: (tags, cause) => invalidateNow(checkedTags(tags), cause),
          resolve: (pattern) => resolvePattern(pattern, types),
          costs: (range) => costs.days(range),
          prune,
        },
        { identify: options.identify, emit },
      ),

    evict: () => store.evict(),

    async close() {
      closed = true;
      // Loaders still use the database, which the application may close next.
      const under = [cache.drain(), values.drained(), calls.none(), invalidations.drain()];
      await Promise.all([allWithin(BOUNDS.closeMs, under, clock), views.close()]);
      cache.close();
      await allWithin(BOUNDS.closeMs, [costs.close(), versions.close(BOUNDS.closeMs), management.close()], clock);
      await claims?.close();
      forms.close();
      await dataSources.close();
      invalidations.close();
      await store.close();
    },
  };
}

/** @throws ERC_TAG */
function checkedTags(tags: string | readonly string[]): readonly Tag[] {
  const named = typeof tags === 'string' ? [tags] : tags;
  for (const one of named) {
    if (one === EVERYTHING || isTag(one) || (typeof one === 'string' && /^key:\S+$/.test(one))) continue;
    throw new ReportCacheError('ERC_TAG', `${JSON.stringify(one) ?? String(one)} is no tag.`);
  }
  return named as readonly Tag[];
}

/** Several processes without a shared truth: each would serve what another has invalidated. */
function refuse(emit: EventSink): { readonly refusal: 'not-alone' } {
  const message =
    'This is one of several processes and there is no Redis, so every report is computed: pass `redis`, or `alone: true` if it is the only one.';
  emit({ kind: 'advice', code: 'not-alone', message });
  return { refusal: 'not-alone' };
}
