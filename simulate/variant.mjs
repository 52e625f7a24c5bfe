// What can be replaced in the true protocol, to see that the simulation notices.
import { BROKEN_MEMORIES } from './broken/memory.mjs';
import { BROKEN_READERS } from './broken/readers.mjs';
import { BROKEN_SCRIPTS } from './broken/scripts.mjs';
import { BROKEN_SWEEPERS } from './broken/sweepers.mjs';
import { BROKEN_WRITERS } from './broken/writers.mjs';
import { LEVELS } from './settings.mjs';

/**
 * @typedef {object} Variant what stands in the place of the shipped parts
 * @property {typeof import('./redis/script.mjs').Script} [script]
 * @property {Partial<import('./world/process.mjs').Parts>} [parts]
 * @property {typeof import('./reading.mjs').Reading} [reading]
 * @property {typeof import('./writing.mjs').Writing} [writing]
 * @property {typeof import('./world/outbox.mjs').SimOutboxDatabase} [outboxDatabase]
 * @property {WatchedHistory} [history] as the sweeper sees it
 */

/** @typedef {(history: import('../src/contract/history.js').History, process: import('./world/process.mjs').SimProcess) => import('../src/contract/history.js').History} WatchedHistory */
/** @typedef {Variant & { readonly name: string, readonly level: string, readonly only: readonly string[] }} Broken only: the faults that matter here, so that it is caught soon */

/** @type {readonly Broken[]} */
export const BROKEN = [...BROKEN_SCRIPTS, ...BROKEN_WRITERS, ...BROKEN_READERS, ...BROKEN_MEMORIES, ...BROKEN_SWEEPERS];

/**
 * @typedef {object} Subject what is run: a level of the true protocol, or a broken variant in one
 * @property {string} name
 * @property {Variant} variant
 * @property {import('./settings.mjs').Settings} settings
 * @property {boolean} broken
 */

/** @type {readonly Subject[]} */
export const SUBJECTS = [
  ...Object.entries(LEVELS).map(([name, settings]) => ({ name, settings, variant: {}, broken: false })),
  ...BROKEN.map((variant) => {
    const level = LEVELS[variant.level];
    if (level === undefined) throw new Error(`No level ${variant.level}`);
    return {
      name: variant.name,
      settings: { ...level, faults: variant.only, focused: true, longest: level.durable ? 14 : 8 },
      variant,
      broken: true,
    };
  }),
];

/** @param {string} name */
export function subjectNamed(name) {
  const subject = SUBJECTS.find((one) => one.name === name);
  if (subject === undefined)
    throw new Error(`There is no "${name}"; there are: ${SUBJECTS.map((one) => one.name).join(', ')}.`);
  return subject;
}
