// The composition root: options become stores, the core, and the object that applications hold.
import cluster from 'node:cluster';
import { assembleStores } from './assemble-stores.js';
import { systemClock, type Clock } from './contract/clock.js';
import { ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { Invalidator } from './contract/invalidation.js';
import { Management } from './connect-admin.js';
import { CostKeeping } from './connect-costs.js';
import { Scheduling } from './connect-schedule.js';
import { VersionKeeping } from './connect-versions.js';
import { CachedRoutes } from './connect-routes.js';
import { CachedValues } from './connect-values.js';
import { Warming } from './connect-warming.js';
import { viewHostOf } from './connect-views.js';
import { DataSources } from './data-sources.js';
import { Cache } from './core/cache.js';
import { BackgroundForms } from './core/forms.js';
import { lookAtHealth } from './core/health.js';
import { Values } from './core/get-or-load.js';
import { Invalidations } from './core/invalidations.js';
import type { Usage } from './contract/costs.js';
import { OwnClaims } from './core/own-claims.js';
import { allWithin, Running } from './core/running.js';
import { Scopes } from './core/scope.js';
import { telling } from './core/telling-history.js';
import { answersWithin } from './core/time-limit.js';
import { identitySegment, reportKey } from './entry/key.js';
import { resolvePattern } from './entry/pattern.js';
import { EVERYTHING, isTag, tag, type Tag } from './entry/tags.js';
import { RouteBook } from './http/route-book.js';
import { Sessions } from './http/session.js';
import { parseCosts } from './options/costs.js';
import { BOUNDS } from './options/defaults.js';
import type { ReportCacheOptions } from './options/options.js';
import { parseResources, type ResourceDeclarations } from './options/resources.js';
import { createResources } from './resources/resources.js';
import { selected } from './resources/resource-tags.js';
import { parseVersions, type VersionsOptions } from './options/versions.js';
import { parseView } from './options/views.js';
import { checkConnectOptions, parseOptions } from './options/parse.js';
import { InTime } from './outbox/in-time.js';
import { Policies } from './policies.js';
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
  const isType = (name: string) => policies.has(name);
  const book = new RouteBook();
  const management = new Management({
    namespace,
    version: resolved.version,
    redis: options.redis,
    redisMaxBytes: resolved.redisLimits.maxBytes,
    isType,
    clock,
  });
  const { tracing, correlation, inRequest, emit: tell } = watch(options, management.observers);
  const costs = new CostKeeping(options.costs && parseCosts(options.costs, types), {
    namespace,
    redis: options.redis,
    redisDeadlineMs: resolved.redisDeadlineMs,
    clock,
    emit: tell,
  });
  const { emit, meter } = costs;
  const isAlone = resolved.alone ?? !cluster.isWorker;
  let closed = false;
  const { store, shared, history, breaker, memory, upkeep } = assembleStores(
    options.redis,
    resolved,
    clock,
    emit,
    tracing,
  );
  const policies = new Policies(resolved.types, {
    persists: () => store.expectDatabase(),
    barrier: () => shared?.expectBarrier(),
  });
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
      ...(shared === undefined && !isAlone && refuse(emit)),
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
  const addCost = (usage: Usage) => {
    if (scopes.computation === undefined) costs.spendBeside(usage);
    else scopes.computation.spend(usage);
  };
  const warming = new Warming({
    reader,
    gate: costs.gate,
    identify: options.identify,
    namespace,
    version: resolved.version,
    redis: options.redis,
    inTime: answersWithin(BOUNDS.patienceMs, clock),
    run: { addTags: (tags) => scopes.computation?.addTags(tags), cost: addCost },
    askDatabase: () => typeorm.question,
    watched: (type, making) => tracing.warm(type, making),
    clock,
    emit,
  });
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
  const dataSources = new DataSources(
    typeorm,
    {
      shared,
      history: telling(history, clock, emit),
      namespace,
      lambdaMs,
      leaseMs,
      maxTtlMs: () => policies.maxTtlMs,
      clock,
      emit,
    },
    { layers: store, options: resolved, expected: () => policies.persists, tracing, clock, emit },
  );

  const cachedValues = new CachedValues({ values, policies, views, scopes, tracing, emit });
  const routes = new CachedRoutes({
    reader,
    forms,
    policies,
    costs,
    views,
    warming,
    sessions,
    tracing,
    book,
    identify: options.identify,
    cacheName: resolved.cacheName,
    invalidate: invalidateNow,
    clock,
    emit,
  });

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

  const scheduling = new Scheduling({
    namespace,
    redis: options.redis,
    upkeep,
    keepMs: () => policies.maxTtlMs,
    alone: isAlone,
    warm: (what, signal) => warming.scheduled(what, signal),
    refreshViews: (signal) => views.refresh(signal),
    memory: memory.dropInvalid,
    report: () => management.statistics(),
    flush: async () => {
      await Promise.all([costs.flush(), versions.views.flush()]);
    },
    prune,
    clock,
    emit,
  });

  return {
    cache: (type, routeOptions = {}) => inRequest(routes.cache(type, routeOptions)),

    report(type, reportOptions) {
      const report = routes.report(type, reportOptions);
      return { ...report, route: (reportOf) => inRequest(report.route(reportOf)) };
    },

    warm: (selection, warmOptions) => warming.warm(selection, warmOptions),

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
      return (await cachedValues.answerTo(request, loader)).value;
    },

    getOrLoadAnswer: (request, loader) => cachedValues.answerTo(request, loader),

    resources<M>(declared: ResourceDeclarations<M>) {
      const parsed = parseResources(declared as never, policies.of('default'), types);
      for (const { name, policy } of parsed) policies.addResource(name, policy);
      const { resources, jobs } = createResources(declared, parsed, {
        load: ({ type, policy, organization, filters, tags, codec, warms }, loader) => {
          const identity = { user: organization, tenant: organization };
          const request = { type, report: type, identity, share: 'tenant', filters, tags, warms } as const;
          return cachedValues
            .traced({ ...request, ...(codec && { codec }) }, policy, loader)
            .then(({ value }) => value);
        },
        invalidate: invalidateNow,
      });
      warming.addResources(jobs);
      return resources;
    },

    versions<T>(type: string, versionsOptions: VersionsOptions<T>) {
      const parsed = parseVersions(type, versionsOptions, policies.of(type));
      policies.follow(parsed.policy);
      policies.follow(parsed.generation);
      versioned = true;
      return createVersions(type, versionsOptions, parsed, {
        database: () => versions.database,
        keyOf: ({ report, identity, share, filters }) =>
          reportKey({ type, report, identity: identitySegment(identity, share) ?? '', filters }),
        lookUp: ({ policy, ...request }: VersionRequest, loader) =>
          cachedValues.answer({ ...request, looksUp: true }, policy, loader),
        run: ({ policy, ...request }: VersionRequest, loader) => cachedValues.answer(request, policy, loader),
        viewed: (hash, version) => versions.views.count(hash, version),
        viewsTold: () => versions.views.flush(),
        clock,
        emit,
      });
    },

    addTags: (...tags) => scopes.computation?.addTags(tags),

    addCost,

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

    schedule: (scheduleOptions = {}) => scheduling.start(scheduleOptions),

    tasks: scheduling.tasks,

    admin: (adminOptions) => {
      const handler = management.admin(
        adminOptions,
        {
          memory,
          position: () => store.position(),
          persisted: (key) => dataSources.persisted?.lookup(key),
          touches: (tags, key) => invalidations.touches(tags, key),
          closed: () => closed,
        },
        { url: (asked) => book.read(asked), policy: (type) => policies.look(type) },
        {
          types: () => [...types],
          health,
          memory: memory.use,
          invalidate: (tags, cause) => invalidateNow(checkedTags(tags), cause),
          resourceTags: (organization, resource, semester) => {
            if (resource !== 'all' && !policies.isResource(resource))
              throw new ReportCacheError('ERC_RESOURCE', `There is no resource "${resource.slice(0, 64)}".`);
            return selected(resource, organization, semester);
          },
          resolve: (pattern) => resolvePattern(pattern, types),
          costs: (range) => costs.days(range),
          prune,
          warm: (selection, warmOptions) => warming.warm(selection, warmOptions),
          meant: (typeOrName, target) => warming.declared.meant(typeOrName, target),
          warmable: () => warming.declared.names,
          warmRuns: () => warming.runs,
          schedule: () => scheduling.scheduler,
        },
        { identify: options.identify, emit },
      );
      return inRequest(handler);
    },

    evict: () => store.evict(),

    async close() {
      closed = true;
      // Loaders still use the database, which the application may close next.
      const under = [cache.drain(), values.drained(), warming.drained(), calls.none(), invalidations.drain()];
      await Promise.all([allWithin(BOUNDS.closeMs, under, clock), scheduling.close(), views.close()]);
      cache.close();
      await allWithin(
        BOUNDS.closeMs,
        [costs.close(), versions.close(BOUNDS.closeMs), management.close(), warming.close()],
        clock,
      );
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
