// What the application reports, and what its writes invalidate.

export const ROWS = ['r1', 'r2'];

/** @param {string} row */
export const tagOf = (row) => `row:${row}`;

/** What a write to these rows invalidates. @param {readonly string[]} rows */
export const tagsOf = (rows) => [...rows.map(tagOf), 'table:rows'];

/**
 * @typedef {object} Report
 * @property {string} key
 * @property {readonly string[]} rows
 * @property {readonly string[]} tags known before it is computed
 * @property {readonly string[]} later found out while computing
 * @property {string} [inner] key of the cached value inside
 */

/** @type {Readonly<Record<string, Report>>} */
export const REPORTS = {
  one: { key: 'one', rows: ['r1'], tags: [tagOf('r1')], later: [] },
  both: { key: 'both', rows: ['r1', 'r2'], tags: ['table:rows'], later: ROWS.map(tagOf) },
  outer: { key: 'outer', rows: ['r2'], tags: [tagOf('r2')], later: [], inner: 'one' },
};

/** Readable in a trace. @type {import('../src/entry/value-codec.js').ValueCodec} */
export const CODEC = {
  encode: (versions) => Buffer.from(JSON.stringify(versions)),
  decode: (body) => JSON.parse(body.toString()),
};

/** Versions of rows, as a report shows them. @param {Buffer} body @returns {import('./oracle.mjs').Versions} */
export const decode = (body) => /** @type {import('./oracle.mjs').Versions} */ (CODEC.decode(body));
