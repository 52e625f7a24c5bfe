// All faults: what each does, which row of the fault table it is, and what must come out.
import { DATABASE_FAULTS } from './database.mjs';
import { FAILOVER_FAULTS } from './failover.mjs';
import { NETWORK_FAULTS } from './network.mjs';
import { PROCESS_FAULTS } from './processes.mjs';
import { REDIS_FAULTS } from './redis.mjs';

/**
 * What answers may be, beyond what the level itself allows: by how much they may be older than what they miss.
 * @typedef {object} Bound
 * @property {number} [answered] ms; 0 if not given, Infinity where nothing is promised
 * @property {boolean} [inversions] whether a mark can be lost with whoever made or kept it, so that a value may be seen
 *   before it is invalidated
 * @property {boolean} [errors] whether readers and writers may get errors, because the database itself is away
 */

/**
 * @typedef {object} Fault
 * @property {string} name
 * @property {string} rows of the fault table
 * @property {string} what
 * @property {(level: import('../levels.mjs').Level) => boolean} [levels] where it means something; everywhere if not given
 * @property {(level: import('../levels.mjs').Level) => Bound} bound
 * @property {number} [everyMs] between one and the next
 * @property {readonly ('redis' | 'database')[]} [proxies] what each process reaches through a proxy
 * @property {readonly string[]} [redisArgs]
 * @property {(stage: import('../run.mjs').Stage) => Promise<unknown>} [begin] once, before the traffic
 * @property {(stage: import('../run.mjs').Stage) => Promise<unknown>} [inject] the fault and its end, again and again
 * @property {(stage: import('../run.mjs').Stage) => Promise<unknown>} [end]
 */

/** @type {readonly Fault[]} */
export const FAULTS = [
  { name: 'none', rows: '1 to 5, 29, 33, 37', what: 'no fault', bound: () => ({}) },
  ...PROCESS_FAULTS,
  ...REDIS_FAULTS,
  ...FAILOVER_FAULTS,
  ...NETWORK_FAULTS,
  ...DATABASE_FAULTS,
];

/** @param {string} name @returns {Fault} */
export function faultNamed(name) {
  const fault = FAULTS.find((one) => one.name === name);
  if (fault === undefined)
    throw new Error(`There is no fault "${name}"; there are ${FAULTS.map((one) => one.name).join(', ')}.`);
  return fault;
}
