// The composition root: options become stores, the core, and the object that applications hold.
import type { Request, RequestHandler } from 'express';
import { assembleStores } from './assemble-stores.js';
import { systemClock, type Clock } from './contract/clock.js';
import { ReportCacheError } from './contract/errors.js';
import type { Invalidator } from './contract/invalidation.js';
import { connectDurable, type DurableConnection } from './connect-durable.js';
import { Cache } from './core/cache.js';
import { lookAtHealth, type Health } from './core/health.js';
import { createEventLog } from './core/event-log.js';
import { getOrLoad, loadAlone, type Loader } from './core/get-or-load.js';
import { Invalidations } from './core/invalidations.js';
import { Scopes } from './core/scope.js';
import { identitySegment, reportKey, variantKey } from './entry/key.js';
import { resolvePattern } from './entry/pattern.js';
import { EVERYTHING, isTag, tag, tableTag } from './entry/tags.js';
import { structuredCodec } from './entry/value-codec.js';
import { describeRoute, pathOf, viewerTags } from './http/describe.js';
import { createMiddleware } from './http/middleware.js';
import { Sessions } from './http/session.js';
import { BOUNDS } from './options/defaults.js';
import type { ConnectOptions, ReportCacheOptions, RouteOptions, ValueRequest } from './options/options.js';
import { checkConnectOptions, parseOptions, parsePolicy, parseRoute, type TypePolicy } from './options/parse.js';
import type { CascadeFunction, CascadeOptions, CascadePaths, EntityLike } from './typeorm/cascade-rule.js';
import { TypeormPlugin } from './typeorm/plugin.js';
import type { DataSourceLike } from './typeorm/typeorm-like.js';

/** For the clocks of several machines, and for the last look before the lease ended, ms. */
const HOLD_MARGIN_MS = 250;

export interface ReportCache {
  /**
   * Middleware for one report route, in front of its handler and behind your authorization: on a hit nothing behind
   * it runs.
   * @throws ERC_TYPE_UNKNOWN, ERC_OPTION, ERC_FILTER
   */
  cache(type: string, options?: RouteOptions): RequestHandler;

  /**
   * Middleware for the whole application, in front of its routes: after a write the browser carries its position (cookie
   * `report-position`, or the header `Report-Position`) for a moment, so that reports read under `lease` show it in
   * whichever process answers. Not needed under `strict` and `barrier`.
   */
  session(): RequestHandler;

  /**
   * Follows the writes of an initialised TypeORM DataSource, also after destroy() and initialize().
   * @throws ERC_DATA_SOURCE, ERC_CASCADE, ERC_OPTION, ERC_OUTBOX
   */
  connect(dataSource: object, options?: ConnectOptions): Promise<void>;

  /** Stops following it. What its open transactions have written is not invalidated any more. */
  disconnect(dataSource: object): Promise<void>;

  /** What is distrusted, pending or failing right now. Asks Redis; never rejects. */
  health(): Promise<Health>;

  /**
   * Says what a change of a row invalidates, beside the tag of its table: kinds of tags with relation paths
   * (`{ student: 'submission.studentId', parent: 'submission.student.parents' }`), or a function of the row. Old and
   * new values count. A rule that fails invalidates coarsely; it never breaks the write.
   * @throws ERC_CASCADE for a path that does not exist, here or in connect(), whichever comes later.
   */
  cascade<E>(entity: EntityLike<E>, rule: CascadePaths<E>): void;
  cascade<E>(entity: EntityLike<E>, rule: CascadeFunction<E>, options?: CascadeOptions): void;

  /**
   * A cached value from a function. Values come back as copies. What the loader throws reaches its caller alone.
   * @throws ERC_TYPE_UNKNOWN, ERC_FILTER_VALUE, ERC_TAG
   */
  getOrLoad<T>(request: ValueRequest, loader: Loader<T>): Promise<T>;

  /** Adds tags to the report that is being computed in this asynchronous context; outside of one it does nothing. */
  addTags(...tags: string[]): void;

  /**
   * Invalidates by tag: every entry that carries one, in every process. Resolves once it is in force, or after `hold`.
   * @throws ERC_TAG for what is no tag.
   */
  invalidate(tags: string | readonly string[], cause?: string): Promise<void>;

  /** Invalidates by pattern, see "Patterns" in the README. @returns the tags it came to. @throws ERC_PATTERN */
  invalidatePattern(pattern: string): Promise<{ tags: readonly string[]; exact: boolean }>;

  /** Every copy of one report. */
  deleteReport(report: string | number | bigint): Promise<void>;

  /** Every entry. */
  clear(): Promise<void>;

  /** Drops this process's memory; invalidates nothing, Redis keeps its entries. */
  evict(): void;

  /** Stops: requests bypass from now on. Your Redis client stays open. */
  close(): Promise<void>;
}

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
  let durable: { readonly dataSource: object; readonly connection: DurableConnection } | undefined;
  let closed = false;
  let maxTtlMs = 0;
  const { store, shared } = assembleStores(options.redis, resolved, clock, emit);
  const invalidations = new Invalidations(
    store,
    shared?.marks,
    {
      // Later nobody can serve what it touches: no sweeper has vouched for it, and no lease has outlived that.
      holdMs: () => (durable ? resolved.lambdaMs + resolved.leaseMs + HOLD_MARGIN_MS : resolved.holdMs),
      onError: resolved.onInvalidateError,
      marks: resolved.mark,
      markTtlMs: resolved.markTtlMs,
      onMarkError: resolved.onMarkError,
      maxTagsPerKind: BOUNDS.tagsPerKind,
      maxPending: BOUNDS.pendingTags,
    },
    clock,
    emit,
  );
  const scopes = new Scopes();
  const cache = new Cache(
    store,
    invalidations,
    scopes,
    { waitMs: resolved.waitMs, maxTags: BOUNDS.tagsPerEntry },
    clock,
    emit,
  );
  const sessions = new Sessions({
    leaseMs: resolved.leaseMs,
    follow: (heard, task) => scopes.follow(heard, task),
  });
  const invalidator: Invalidator = {
    async invalidate(tags, cause, committed) {
      const position = await invalidations.invalidate(tags, cause, committed);
      if (position) scopes.invalidated(position);
      return position;
    },
    mark: (tags) => invalidations.mark(tags),
    unmark: (mark) => invalidations.unmark(mark),
  };
  const typeorm = new TypeormPlugin({ invalidator, transactions: scopes, marks: resolved.mark, emit, clock });
  const types = new Set(resolved.types.keys());

  const follow = <P extends TypePolicy>(policy: P): P => {
    maxTtlMs = Math.max(maxTtlMs, policy.ttlMs);
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

  const connect = async (dataSource: object, connectOptions: ConnectOptions): Promise<void> => {
    await typeorm.connect(dataSource);
    if (closed) return;
    if (durable !== undefined) {
      if (durable.dataSource === dataSource || connectOptions.durable !== true) return;
      throw new ReportCacheError('ERC_OUTBOX', 'Another DataSource already holds the outbox of this cache.');
    }
    const { namespace, lambdaMs, leaseMs } = resolved;
    const parts = { shared, namespace, lambdaMs, leaseMs, maxTtlMs: () => maxTtlMs, clock, emit };
    const connection = await connectDurable(dataSource as DataSourceLike, connectOptions, parts);
    if (connection === undefined) return;
    durable = { dataSource, connection };
    typeorm.setDurable(dataSource, connection);
  };
  let turn: Promise<unknown> = Promise.resolve();
  /** Two calls at the same time must not begin to sweep twice. */
  const inTurn = (task: () => Promise<void>): Promise<void> => {
    const done = turn.then(task);
    turn = done.catch(() => undefined);
    return done;
  };

  return {
    cache(type, routeOptions = {}) {
      const policy = follow(parseRoute(routeOptions, policyOf(type)));
      const describe = describeRoute(type, routeOptions, policy, options.identify);
      return createMiddleware({
        reader: cache,
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
          invalidate: async (tags, cause) => void (await invalidator.invalidate(tags, cause)),
        },
      });
    },

    session: () => (req, res, next) => sessions.handle(req, res, next),

    async connect(dataSource, connectOptions = {}) {
      checkConnectOptions(connectOptions);
      await inTurn(() => connect(dataSource, connectOptions));
    },

    disconnect: (dataSource) =>
      inTurn(async () => {
        typeorm.disconnect(dataSource);
        if (durable?.dataSource !== dataSource) return;
        const { connection } = durable;
        durable = undefined;
        await connection.close();
      }),

    health: () =>
      lookAtHealth({
        store,
        pending: invalidations.pending,
        late: invalidations.late,
        outbox: durable?.connection.sweeper,
        closed,
      }),

    cascade<E>(entity: EntityLike<E>, rule: CascadePaths<E> | CascadeFunction<E>, options?: CascadeOptions) {
      if (typeof rule === 'function') typeorm.cascade(entity, rule, options);
      else typeorm.cascade(entity, rule);
    },

    async getOrLoad(request, loader) {
      const policy = follow(parsePolicy(pick(request), policyOf(request.type), 'getOrLoad()'));
      const share = request.share ?? 'user';
      const identity = identitySegment(request.identity, share);
      const { type, report, filters = {}, tables = [] } = request;
      const tags = [tag('report', report), ...tables.map((table) => tableTag(table)), ...(request.tags ?? [])];
      if (identity === undefined) {
        emit({ kind: 'bypass', type, reason: 'no-identity' });
        scopes.computation?.addTags(tags);
        return loadAlone(loader, scopes);
      }
      return getOrLoad(
        cache,
        {
          key: reportKey({ type, report, identity, filters }),
          type,
          owner: identity,
          tags: [tag('type', type), ...viewerTags(request.identity ?? undefined, share), ...tags],
          ttlMs: policy.ttlMs,
          consistency: policy.consistency,
        },
        loader,
        request.codec ?? structuredCodec,
        emit,
        scopes,
      );
    },

    addTags: (...tags) => scopes.computation?.addTags(tags),

    async invalidate(tags, cause = 'call') {
      const named = typeof tags === 'string' ? [tags] : tags;
      for (const one of named) {
        if (one === EVERYTHING || isTag(one) || (typeof one === 'string' && /^key:\S+$/.test(one))) continue;
        throw new ReportCacheError('ERC_TAG', `${JSON.stringify(one) ?? String(one)} is no tag.`);
      }
      await invalidator.invalidate(named, cause);
    },

    async invalidatePattern(pattern) {
      const found = resolvePattern(pattern, types);
      await invalidator.invalidate(found.tags, 'pattern');
      return found;
    },

    async deleteReport(report) {
      await invalidator.invalidate([tag('report', report)], 'delete');
    },

    async clear() {
      await invalidator.invalidate([EVERYTHING], 'clear');
    },

    evict: () => store.evict(),

    async close() {
      closed = true;
      cache.close();
      await turn;
      await durable?.connection.close();
      invalidations.close();
      await store.close();
    },
  };
}

function pick({ ttl, consistency }: ValueRequest) {
  return { ...(ttl === undefined ? {} : { ttl }), ...(consistency === undefined ? {} : { consistency }) };
}
