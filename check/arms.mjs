// The arms of the check: which cache is under test, and what must come out.
import { createByBroadcast } from './broken/delete-by-broadcast.mjs';
import { createWithoutCompare } from './broken/store-without-compare.mjs';
import { createReportCache } from './library.mjs';

/** @typedef {import('./broken/assemble.mjs').ReportCacheOptions} ReportCacheOptions */

const LEASE_MS = 250;

const TYPES = ['student_progress', 'grade_distribution', 'analytics', 'custom', 'default'];

/** @param {ReportCacheOptions} options */
function createUnderLease(options) {
  const types = Object.fromEntries(TYPES.map((type) => [type, { consistency: /** @type {const} */ ('lease') }]));
  return createReportCache({ ...options, types, lease: `${LEASE_MS}ms` });
}

/**
 * `never`: one stale answer fails the check. `bounded`: none after the lease. `must`: a control, broken on purpose; if
 * it shows no stale answer, the check sees nothing and its other results say nothing.
 * @typedef {object} Arm
 * @property {string} name
 * @property {'never' | 'bounded' | 'must'} stale
 * @property {number} [leaseMs] the bound
 * @property {(options: ReportCacheOptions) => unknown} create
 * @property {number} reads
 * @property {number} seconds at most
 * @property {{ reads: number, seconds: number }} quick
 */

/** @type {readonly Arm[]} */
export const ARMS = [
  {
    name: 'strict',
    stale: 'never',
    create: createReportCache,
    reads: 100_000,
    seconds: 900,
    quick: { reads: 12_000, seconds: 16 },
  },
  {
    name: 'lease',
    stale: 'bounded',
    leaseMs: LEASE_MS,
    create: createUnderLease,
    reads: 100_000,
    seconds: 900,
    quick: { reads: 8_000, seconds: 12 },
  },
  {
    name: 'store-without-compare',
    stale: 'must',
    create: createWithoutCompare,
    reads: 20_000,
    seconds: 300,
    quick: { reads: 3_000, seconds: 8 },
  },
  {
    name: 'delete-by-broadcast',
    stale: 'must',
    create: createByBroadcast,
    reads: 20_000,
    seconds: 300,
    quick: { reads: 3_000, seconds: 8 },
  },
];

/** @param {string} name */
export function armNamed(name) {
  const arm = ARMS.find((one) => one.name === name);
  if (arm === undefined)
    throw new Error(`There is no arm "${name}"; there are ${ARMS.map((one) => one.name).join(', ')}.`);
  return arm;
}
