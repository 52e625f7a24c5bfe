// The built library, as far as the simulation runs it: exactly what is published.
import './contexts.mjs';

const esm = new URL('../dist/esm/', import.meta.url);

/** @param {string} path */
const load = (path) => import(new URL(path, esm).href);

/** @type {typeof import('../src/core/breaker.js')} */
export const { Breaker } = await load('core/breaker.js');
/** @type {typeof import('../src/core/cache.js')} */
export const { Cache } = await load('core/cache.js');
/** @type {typeof import('../src/core/get-or-load.js')} */
export const { Values } = await load('core/get-or-load.js');
/** @type {typeof import('../src/core/guarded-store.js')} */
export const { GuardedStore } = await load('core/guarded-store.js');
/** @type {typeof import('../src/core/invalidations.js')} */
export const { Invalidations } = await load('core/invalidations.js');
/** @type {typeof import('../src/core/own-claims.js')} */
export const { OwnClaims } = await load('core/own-claims.js');
/** @type {typeof import('../src/core/scope.js')} */
export const { Scopes } = await load('core/scope.js');
/** @type {typeof import('../src/core/tiered-store.js')} */
export const { TieredStore } = await load('core/tiered-store.js');
/** @type {typeof import('../src/entry/value-codec.js')} */
export const { structuredCodec } = await load('entry/value-codec.js');
/** @type {typeof import('../src/stores/memory/memory-store.js')} */
export const { MemoryStore } = await load('stores/memory/memory-store.js');
/** @type {typeof import('../src/stores/memory/tag-table.js')} */
export const { TagTable } = await load('stores/memory/tag-table.js');
/** @type {typeof import('../src/stores/redis/redis-store.js')} */
export const { RedisStore } = await load('stores/redis/redis-store.js');
/** @type {typeof import('../src/stores/redis/scripts.js')} */
export const { CLAIM_SCRIPTS, SCRIPTS } = await load('stores/redis/scripts.js');
/** @type {typeof import('../src/outbox/told.js')} */
export const { Told } = await load('outbox/told.js');
/** @type {typeof import('../src/typeorm/delivery.js')} */
export const { Delivery } = await load('typeorm/delivery.js');
/** @type {typeof import('../src/typeorm/tag-bag.js')} */
export const { TagBag } = await load('typeorm/tag-bag.js');
/** @type {typeof import('../src/outbox/sweeper.js')} */
export const { Sweeper } = await load('outbox/sweeper.js');
