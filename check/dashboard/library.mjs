// What this check takes from the built library, with the types of its sources.

/** @type {typeof import('../../src/index.js')} */
export const { createReportCache, tableTag, tag } = await import(
  new URL('../../dist/esm/index.js', import.meta.url).href
);
