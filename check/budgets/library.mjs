// What the checks of the budgets take from the built library, with the types of its sources.
const esm = new URL('../../dist/esm/', import.meta.url);

/** @param {string} path */
const load = (path) => import(new URL(path, esm).href);

/** @type {typeof import('../../src/create-report-cache.js')} */
export const { createReportCache } = await load('create-report-cache.js');
/** @type {typeof import('../../src/contract/clock.js')} */
export const { systemClock } = await load('contract/clock.js');
/** @type {typeof import('../../src/stores/memory/memory-store.js')} */
export const { MemoryStore } = await load('stores/memory/memory-store.js');
/** @type {typeof import('../../src/stores/memory/tag-table.js')} */
export const { TagTable } = await load('stores/memory/tag-table.js');
/** @type {typeof import('../../src/stores/redis/redis-store.js')} */
export const { RedisStore } = await load('stores/redis/redis-store.js');
