// Puts the library's own parts together over a store of the caller's, as far as the example needs it.
import {
  BackgroundForms,
  BOUNDS,
  Cache,
  createEventLog,
  createMiddleware,
  describeRoute,
  EVERYTHING,
  Invalidations,
  parseOptions,
  parseRoute,
  Scopes,
  systemClock,
  TypeormPlugin,
  variantKey,
} from '../library.mjs';

/** @typedef {import('../../src/report-cache.js').ReportCache} ReportCache */
/** @typedef {import('../../src/options/options.js').ReportCacheOptions} ReportCacheOptions */
/** @typedef {import('../../src/options/parse.js').ResolvedOptions} ResolvedOptions */
/** @typedef {import('../../src/contract/store.js').Store} Store */
/** @typedef {import('../../src/contract/events.js').EventSink} EventSink */

/**
 * Everything but the store is what `createReportCache` would use, so that a control arm differs in nothing else.
 * @param {ReportCacheOptions} options
 * @param {(resolved: ResolvedOptions, emit: EventSink) => Store} makeStore
 * @returns {Pick<ReportCache, 'cache' | 'connect' | 'cascade' | 'clear' | 'close'>}
 */
export function assemble(options, makeStore) {
  const resolved = parseOptions(options);
  const clock = systemClock;
  const emit = createEventLog(options.logger, options.onEvent);
  const store = makeStore(resolved, emit);
  const invalidations = new Invalidations(
    store,
    undefined,
    {
      holdMs: () => resolved.holdMs,
      onError: 'hold',
      marks: false,
      markTtlMs: 0,
      onMarkError: 'proceed',
      maxTagsPerKind: BOUNDS.tagsPerKind,
      maxPending: BOUNDS.pendingTags,
    },
    clock,
    emit,
  );
  const scopes = new Scopes();
  const bounds = { waitMs: resolved.waitMs, maxTags: BOUNDS.tagsPerEntry };
  const cache = new Cache(store, invalidations, scopes, bounds, clock, emit);
  const forms = new BackgroundForms(store, clock, emit);
  const typeorm = new TypeormPlugin({ invalidator: invalidations, transactions: scopes, emit, clock });

  return {
    cache(type, routeOptions = {}) {
      const general = resolved.types.get(type);
      if (general === undefined) throw new Error(`There is no report type "${type}".`);
      const policy = parseRoute(routeOptions, general);
      const route = {
        ...policy,
        type,
        storeStatuses: policy.statuses,
        cacheName: resolved.cacheName,
        describe: describeRoute(type, routeOptions, policy, options.identify),
        varyKey: variantKey,
        atLeast: () => undefined,
        targetTags: () => [],
        invalidate: () => Promise.resolve(),
      };
      return createMiddleware({ reader: cache, forms, emit, clock, route });
    },
    connect: (dataSource) => typeorm.connect(dataSource),
    cascade: (/** @type {[any, any, any?]} */ ...rule) => void typeorm.cascade(...rule),
    async clear() {
      await invalidations.invalidate([EVERYTHING], 'clear');
    },
    async close() {
      cache.close();
      invalidations.close();
      await store.close();
    },
  };
}
