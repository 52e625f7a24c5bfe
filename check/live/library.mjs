// What the live check takes from the built library, with the types of its sources.

/** @param {string} path */
const built = (path) =>
  import(new URL(`../../dist/esm/${path}`, import.meta.url).href).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error(`dist/esm/${path} is missing; npm run check:fresh builds it.`, { cause: error });
  });

/** @type {typeof import('../../src/index.js')} */
export const { createReportCache, outboxMigrations, tag } = await built('index.js');
/** @type {typeof import('../../src/stores/redis/lua/bump.js')} */
export const { BUMP } = await built('stores/redis/lua/bump.js');
/** @type {typeof import('../../src/stores/redis/lua/mark.js')} */
export const { MARK } = await built('stores/redis/lua/mark.js');
/** @type {typeof import('../../src/typeorm/triggers/triggers.js')} */
export const { triggersOf } = await built('typeorm/triggers/triggers.js');
/** @type {typeof import('../../src/typeorm/cascade-rule.js')} */
export const { parseRules } = await built('typeorm/cascade-rule.js');
