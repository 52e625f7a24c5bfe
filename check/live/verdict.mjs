// What the figures of a run must be, and in which way they are not.
import { LAMBDA_MS, LEASE_MS } from './levels.mjs';

/** @typedef {ReturnType<typeof import('./figures.mjs').figuresOf>} Figures */
/** @typedef {import('./levels.mjs').Level} Level */
/** @typedef {import('./faults/table.mjs').Fault} Fault */

/** Fewer show nothing, whatever the reason. */
const FEWEST_READS = 1_000;

/**
 * The oldest that an answer may have been when it was asked for, ms, by what it missed. 0: there must be none.
 * Without the outbox nothing but the ttl bounds what nobody has announced.
 * @param {Level} level @param {Fault} fault
 */
export function boundsOf(level, fault) {
  const { answered = 0 } = fault.bound(level);
  // What memory has proved in time it may still serve for a lease.
  const lease = level.consistency === 'strict' ? 0 : LEASE_MS;
  const unannounced = level.durable ? LAMBDA_MS + lease : Infinity;
  return { answered: answered > 0 ? answered + lease : level.leaseMs, found: unannounced, foreign: unannounced };
}

/**
 * Why these figures are not what they must be; empty if they are.
 * @param {Level} level @param {Fault} fault @param {Figures} figures
 */
export function failuresOf(level, fault, figures) {
  const failures = [];
  const { inversions = false, errors = false } = fault.bound(level);
  if (figures.reads < FEWEST_READS) failures.push(`only ${figures.reads} reads, which proves nothing`);
  if (fault.inject !== undefined && figures.injected === 0) failures.push('the fault never happened');
  if (figures.impossible > 0) failures.push(`${figures.impossible} answers that nobody gave, or to somebody else`);
  if (level.what === 'control') {
    if (figures.stale.answered.count === 0) failures.push('a control showed no stale answer: the check is blind');
    return failures;
  }
  if (figures.ways['memory'] === 0) failures.push('no hit in memory: nothing could be stale');
  if (!errors && figures.readErrors > 0) failures.push(`${figures.readErrors} readers got errors`);
  const unmarked = figures.events['markFailed'] ?? 0;
  const refused = level.aborts ? unmarked : 0;
  if (!errors && figures.writeErrors > refused) failures.push(`${figures.writeErrors} writers got errors`);
  for (const [origin, bound] of Object.entries(boundsOf(level, fault))) {
    const { count, oldestWhenSent } = figures.stale[/** @type {keyof Figures['stale']} */ (origin)];
    if (bound === 0 && count > 0) failures.push(`${count} stale answers (${origin})`);
    if (bound > 0 && oldestWhenSent > bound)
      failures.push(
        `stale for ${oldestWhenSent.toFixed(1)} ms when asked for (${origin}), where ${bound} ms are allowed`,
      );
  }
  // A mark that Redis did not take lets the write go on without one, unless the application has it refused.
  const excused = inversions || unmarked > refused;
  if (level.mark && !excused && figures.inversions.answered > 0)
    failures.push(`${figures.inversions.answered} inversions in spite of marks`);
  return failures;
}
