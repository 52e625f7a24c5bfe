// Seeds one after the other: what a worker thread does, and what it reports.
import { parentPort } from 'node:worker_threads';
import { World } from './simulation.mjs';
import { subjectNamed } from './variant.mjs';

/** @typedef {{ readonly subject: string, readonly from: number, readonly count: number }} Batch */
/**
 * @typedef {object} BatchResult
 * @property {string} subject
 * @property {number} runs
 * @property {number} steps
 * @property {number} ms
 * @property {Record<string, number>} counts
 * @property {{ readonly seed: number, readonly steps: number, readonly invariant: string, readonly detail: string }[]} violations
 */

/** Ends with the first violation. @param {Batch} batch @returns {Promise<BatchResult>} */
export async function runBatch({ subject: name, from, count }) {
  const { settings, variant } = subjectNamed(name);
  /** @type {BatchResult} */
  const result = { subject: name, runs: 0, steps: 0, ms: 0, counts: {}, violations: [] };
  const started = performance.now();
  for (let seed = from; seed < from + count && result.violations.length === 0; seed += 1) {
    const world = await new World(seed, settings, variant).run();
    result.runs += 1;
    result.steps += world.scheduler.steps;
    for (const [what, times] of world.counts) result.counts[what] = (result.counts[what] ?? 0) + times;
    const { violation } = world.oracle;
    // Nothing that was broken on purpose: the simulation itself is.
    if (violation?.invariant === 'error') throw new Error(`${name}, seed ${seed}: ${violation.detail}`);
    if (violation !== undefined) result.violations.push({ seed, steps: world.scheduler.steps, ...violation });
  }
  result.ms = performance.now() - started;
  return result;
}

parentPort?.on('message', (/** @type {Batch} */ batch) => {
  runBatch(batch).then(
    (result) => parentPort?.postMessage(result),
    (error) => {
      throw error;
    },
  );
});
