// What the checker takes from the built library and the built example, with the types of their sources.

/** @param {string} path */
const built = (path) =>
  import(new URL(`../${path}`, import.meta.url).href).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error(`${path} is missing; npm run check:fresh builds it.`, { cause: error });
  });

/** @type {typeof import('../src/create-report-cache.js')} */
export const { createReportCache } = await built('dist/esm/create-report-cache.js');
/** @type {typeof import('../src/contract/clock.js')} */
export const { systemClock } = await built('dist/esm/contract/clock.js');
/** @type {typeof import('../src/core/cache.js')} */
export const { Cache } = await built('dist/esm/core/cache.js');
/** @type {typeof import('../src/core/event-log.js')} */
export const { createEventLog } = await built('dist/esm/core/event-log.js');
/** @type {typeof import('../src/core/forms.js')} */
export const { BackgroundForms } = await built('dist/esm/core/forms.js');
/** @type {typeof import('../src/core/invalidations.js')} */
export const { Invalidations } = await built('dist/esm/core/invalidations.js');
/** @type {typeof import('../src/core/scope.js')} */
export const { Scopes } = await built('dist/esm/core/scope.js');
/** @type {typeof import('../src/core/tiered-store.js')} */
export const { TieredStore } = await built('dist/esm/core/tiered-store.js');
/** @type {typeof import('../src/entry/key.js')} */
export const { variantKey } = await built('dist/esm/entry/key.js');
/** @type {typeof import('../src/entry/tags.js')} */
export const { EVERYTHING } = await built('dist/esm/entry/tags.js');
/** @type {typeof import('../src/http/describe.js')} */
export const { describeRoute } = await built('dist/esm/http/describe.js');
/** @type {typeof import('../src/http/middleware.js')} */
export const { createMiddleware } = await built('dist/esm/http/middleware.js');
/** @type {typeof import('../src/options/defaults.js')} */
export const { BOUNDS } = await built('dist/esm/options/defaults.js');
/** @type {typeof import('../src/options/parse.js')} */
export const { parseOptions, parseRoute } = await built('dist/esm/options/parse.js');
/** @type {typeof import('../src/stores/memory/memory-store.js')} */
export const { MemoryStore } = await built('dist/esm/stores/memory/memory-store.js');
/** @type {typeof import('../src/stores/memory/tag-table.js')} */
export const { TagTable } = await built('dist/esm/stores/memory/tag-table.js');
/** @type {typeof import('../src/stores/redis/redis-store.js')} */
export const { RedisStore } = await built('dist/esm/stores/redis/redis-store.js');
/** @type {typeof import('../src/typeorm/plugin.js')} */
export const { TypeormPlugin } = await built('dist/esm/typeorm/plugin.js');

// The example's sources name the package, which has no types before it is built: here its modules are untyped.
export const example = {
  ...(await built('example-app/dist/app.js')),
  ...(await built('example-app/dist/cache.js')),
  ...(await built('example-app/dist/config.js')),
  ...(await built('example-app/dist/data-source.js')),
  ...(await built('example-app/dist/data/prepare.js')),
  ...(await built('example-app/dist/data/random.js')),
};
