// The levels of consistency that are simulated, what may go wrong in each, and what is promised.

/**
 * @typedef {object} Settings
 * @property {readonly ('strict' | 'lease' | 'barrier')[]} consistency of readers
 * @property {boolean} mark
 * @property {boolean} durable
 * @property {boolean} inversions whether I2 and I3 are promised
 * @property {readonly string[]} faults names in faults.mjs
 * @property {boolean} refusesInfo Redis does not tell its replication id
 * @property {boolean} [focused] all of the faults in every run
 * @property {number} longest most requests of one reader
 * @property {number} leaseMs
 * @property {number} lambdaMs
 * @property {number} overdueMs
 * @property {number} deadlineMs
 * @property {import('../src/core/breaker.js').BreakerRules} breaker
 * @property {number} holdMs
 * @property {number} waitMs
 * @property {number} markTtlMs
 * @property {boolean} fencedAnswers
 * @property {boolean} claims the readers of all processes share one computation
 * @property {number} ttlMs
 * @property {import('../src/contract/reading.js').Freshness} freshness around the end of it
 * @property {number} claimMs
 * @property {number} privateMs
 * @property {number} mostTagsInRedis
 */

const LEASE_MS = 60;
const LAMBDA_MS = 300;

/** Shorter than in life, in the same order: what matters is which comes first. */
const TIMES = {
  longest: 6,
  leaseMs: LEASE_MS,
  lambdaMs: LAMBDA_MS,
  overdueMs: 25,
  deadlineMs: 60,
  breaker: {
    failuresInARow: 3,
    failureShare: 0.5,
    fewest: 6,
    windowMs: 500,
    firstCoolOffMs: 20,
    longestCoolOffMs: 80,
  },
  holdMs: LAMBDA_MS + LEASE_MS + 20,
  waitMs: 500,
  markTtlMs: 150,
  claimMs: 120,
  privateMs: 30,
  mostTagsInRedis: 1000,
};

/** Messages late, lost, twice; processes that die or pause; Redis that forgets. None of them needs the database's help. */
const ANYWHERE = [
  'lose pushes',
  'lose one push',
  'shuffle pushes',
  'drop subscriber',
  'break connection',
  'hold connection',
  'restart Redis empty',
  'restart Redis from a snapshot',
  'promote a replica',
  'promote and come back',
  'evict the table',
  'prune the table',
  'evict an entry',
  'pause a process',
  'crash a process',
  'roll back',
  'lose the commit reply',
  'step the clock of a process',
];

const ONLY_DURABLE = [
  'split',
  'stop the sweepers',
  'cut from the database',
  'fail the database over',
  'step the clock of Redis',
  'write behind the back',
];

/** Where a mark can lose its protection, a window is documented. */
const WITH_MARKS = [
  'lose pushes',
  'lose one push',
  'shuffle pushes',
  'drop subscriber',
  'evict an entry',
  'pause a process',
  'crash a process',
  'roll back',
];

/** @param {Partial<Settings>} own @returns {Settings} */
const level = (own) => ({
  ...TIMES,
  consistency: ['strict'],
  mark: false,
  durable: false,
  inversions: false,
  faults: [...ANYWHERE, ...(own.durable ? ONLY_DURABLE : []), ...(own.mark ? ['evict the marks'] : [])],
  refusesInfo: false,
  fencedAnswers: false,
  claims: false,
  ttlMs: 30_000,
  freshness: { graceMs: 0, jitter: 0, refreshAhead: 0 },
  ...own,
});

/** @type {Readonly<Record<string, Settings>>} */
export const LEVELS = {
  strict: level({}),
  'strict, INFO refused': level({ refusesInfo: true }),
  lease: level({ consistency: ['lease', 'strict'] }),
  'lease+claims': level({ claims: true, consistency: ['lease', 'strict'] }),
  'lease+claims+grace': level({
    claims: true,
    consistency: ['lease', 'strict'],
    ttlMs: 60,
    freshness: { graceMs: 30_000, jitter: 0, refreshAhead: 1 },
  }),
  barrier: level({ consistency: ['barrier', 'strict'] }),
  'strict+mark': level({ mark: true, inversions: true, faults: WITH_MARKS }),
  'strict+mark, all faults': level({ mark: true }),
  'strict+durable': level({ durable: true }),
  'strict+durable, fenced answers': level({ durable: true, fencedAnswers: true }),
  'lease+durable': level({ durable: true, consistency: ['lease', 'strict'] }),
  'barrier+durable': level({ durable: true, consistency: ['barrier', 'strict'] }),
  'strict+mark+durable': level({ durable: true, mark: true }),
};
