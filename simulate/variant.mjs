// What can be replaced in the true protocol, to see that the simulation notices.
import { Script } from './redis/script.mjs';

/**
 * @typedef {object} Variant
 * @property {string} name
 * @property {string} [level]
 * @property {typeof Script} script
 * @property {Partial<import('./world/process.mjs').Parts>} [parts]
 * @property {typeof import('./workload.mjs').Reading} [reading]
 * @property {typeof import('./workload.mjs').Writing} [writing]
 * @property {typeof import('./world/outbox.mjs').SimOutboxDatabase} [outboxDatabase]
 * @property {Partial<import('./settings.mjs').Settings>} [settings]
 * @property {(history: import('../src/contract/history.js').History) => import('../src/contract/history.js').History} [history] as the sweeper sees it
 */

/** @type {Variant} */
export const TRUE_PROTOCOL = { name: 'the protocol', script: Script };
