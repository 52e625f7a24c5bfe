// What a write is measured with: every arm is a way of configuring the cache, held against the same write without it.

/** The columns of the row that is written name what its reports are about; with its table that makes five tags. */
export const PATHS = { student: 'studentId', class: 'classId', tutor: 'tutorId', parent: 'parentId' };
export const TAGS = Object.keys(PATHS).length + 1;

export const ROWS = 256;

/** The writes, each in a transaction of its own. */
export const SHAPES = [
  { name: 'save', title: 'save() of a row: BEGIN, SELECT, UPDATE, COMMIT' },
  { name: 'insert', title: 'insert() of a row: BEGIN, INSERT, COMMIT' },
];

/** Invalidations of one process at a time, without a database. */
export const CONCURRENCY = [1, 16, 64];

/**
 * `cache`: options of createReportCache, undefined: no library. `connect`: options of connect(). `holder`: another
 * process holds a lease that writers wait for. `aim`: the ratio to stay below, where one is set.
 * @typedef {object} Arm
 * @property {string} name
 * @property {string} title
 * @property {Partial<import('express-report-cache').ReportCacheOptions>} [cache]
 * @property {import('express-report-cache').ConnectOptions} [connect]
 * @property {boolean} [holder]
 * @property {boolean} [triggers] the tables have triggers, which write the rows of the outbox
 * @property {number} [aim]
 */

/** The first is the floor of all others. The aims are the ratios of a prototype: 0.32 ms became 0.62, 0.77, 0.71, 1.17.
 * @type {readonly Arm[]} */
export const ARMS = [
  { name: 'none', title: 'no library' },
  { name: 'bump', title: 'invalidated after the commit', cache: {}, connect: { durable: false }, aim: 1.94 },
  { name: 'mark', title: 'and marked before it', cache: { mark: true }, connect: { durable: false }, aim: 2.41 },
  {
    name: 'barrier',
    title: 'and another process holds a lease',
    cache: { types: { custom: { consistency: 'barrier' } } },
    connect: { durable: false },
    holder: true,
    aim: 3.19,
  },
  { name: 'outbox', title: 'outbox', cache: {}, connect: { durable: true }, aim: 2.22 },
  {
    name: 'fenced',
    title: 'outbox, fenced answers',
    cache: {},
    connect: { durable: true, fencedAnswers: true },
    aim: 3.66,
  },
  { name: 'triggers', title: 'outbox, written by triggers', cache: {}, connect: { durable: true }, triggers: true },
];
