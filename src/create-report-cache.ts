// The composition root: options become stores, the core, and the object that applications hold.
import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { systemClock, type Clock } from './contract/clock.js';
import { ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { Store } from './contract/store.js';
import { Cache } from './core/cache.js';
import { createEventLog } from './core/event-log.js';
import { getOrLoad, loadAlone, type Loader } from './core/get-or-load.js';
import { GuardedStore } from './core/guarded-store.js';
import { Invalidations } from './core/invalidations.js';
import { Scopes } from './core/scope.js';
import { TieredStore } from './core/tiered-store.js';
import { identitySegment, reportKey, variantKey } from './entry/key.js';
import { resolvePattern } from './entry/pattern.js';
import { EVERYTHING, isTag, tag, tableTag } from './entry/tags.js';
import { structuredCodec } from './entry/value-codec.js';
import { describeRoute, pathOf, viewerTags } from './http/describe.js';
import { createMiddleware } from './http/middleware.js';
import { BOUNDS } from './options/defaults.js';
import type { ReportCacheOptions, RouteOptions, ValueRequest } from './options/options.js';
import { parseOptions, parsePolicy, parseRoute, type ResolvedOptions, type TypePolicy } from './options/parse.js';
import { MemoryStore } from './stores/memory/memory-store.js';
import { TagTable } from './stores/memory/tag-table.js';
import type { RedisLike } from './contract/redis-like.js';
import { RedisStore } from './stores/redis/redis-store.js';
import type { CascadeFunction, CascadeOptions, CascadePaths, EntityLike } from './typeorm/cascade-rule.js';
import { TypeormPlugin } from './typeorm/plugin.js';

export interface ReportCache {
  /**
   * Middleware for one report route, in front of its handler and behind your authorization: on a hit nothing behind
   * it runs.
   * @throws ERC_TYPE_UNKNOWN, ERC_OPTION, ERC_FILTER
   */
  cache(type: string, options?: RouteOptions): RequestHandler;

  /**
   * Follows the writes of an initialised TypeORM DataSource, also after destroy() and initialize().
   * @throws ERC_DATA_SOURCE, ERC_CASCADE
   */
  connect(dataSource: object): Promise<void>;

  /** Stops following it. */
  disconnect(dataSource: object): void;

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
  const store =
    options.redis === undefined ? memoryAlone(resolved, clock) : overRedis(options.redis, resolved, clock, emit);
  const invalidations = new Invalidations(
    store,
    { holdMs: resolved.holdMs, maxTagsPerKind: BOUNDS.tagsPerKind, maxPending: BOUNDS.pendingTags },
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
  const typeorm = new TypeormPlugin({ invalidator: invalidations, transactions: scopes, emit, clock });
  const types = new Set(resolved.types.keys());

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
      const policy = parseRoute(routeOptions, policyOf(type));
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
          targetTags: (req: Request) => [tag('report', (routeOptions.report ?? pathOf)(req))],
          invalidate: (tags, cause) => invalidations.invalidate(tags, cause),
        },
      });
    },

    connect: (dataSource) => typeorm.connect(dataSource),

    disconnect: (dataSource) => typeorm.disconnect(dataSource),

    cascade<E>(entity: EntityLike<E>, rule: CascadePaths<E> | CascadeFunction<E>, options?: CascadeOptions) {
      if (typeof rule === 'function') typeorm.cascade(entity, rule, options);
      else typeorm.cascade(entity, rule);
    },

    async getOrLoad(request, loader) {
      const policy = parsePolicy(pick(request), policyOf(request.type), 'getOrLoad()');
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
      await invalidations.invalidate(named, cause);
    },

    async invalidatePattern(pattern) {
      const found = resolvePattern(pattern, types);
      await invalidations.invalidate(found.tags, 'pattern');
      return found;
    },

    deleteReport: (report) => invalidations.invalidate([tag('report', report)], 'delete'),

    clear: () => invalidations.invalidate([EVERYTHING], 'clear'),

    evict: () => store.evict(),

    async close() {
      cache.close();
      invalidations.close();
      await store.close();
    },
  };
}

function pick({ ttl, consistency }: ValueRequest) {
  return { ...(ttl === undefined ? {} : { ttl }), ...(consistency === undefined ? {} : { consistency }) };
}

/** One process: its own table is the truth. */
function memoryAlone(options: ResolvedOptions, clock: Clock): Store {
  return new MemoryStore(
    new TagTable(randomBytes(9).toString('base64url'), BOUNDS.tagsPerProcess),
    options.memory,
    clock,
  );
}

/** Many processes: Redis holds the truth, memory follows it. */
function overRedis(redis: RedisLike, options: ResolvedOptions, clock: Clock, emit: EventSink): Store {
  const shared = new RedisStore(
    redis,
    { namespace: options.namespace, version: options.version, maxTags: BOUNDS.tagsInRedis },
    clock,
  );
  // No epoch of Redis is empty, so nothing is believed before Redis has been heard.
  const memory = new MemoryStore(new TagTable('', BOUNDS.tagsPerProcess), options.memory, clock);
  const tiered = new TieredStore(
    memory,
    new GuardedStore(shared, options.redisDeadlineMs, clock, emit),
    { leaseMs: options.leaseMs, overdueMs: BOUNDS.overduePushMs },
    clock,
    emit,
  );
  shared.listen(tiered);
  return tiered;
}
