// Runs named stages one after the other, one line each with its time; the first failure ends the run.
import { AssertionError } from 'node:assert';
import { CommandFailed, seconds } from './run.mjs';

/**
 * @param {readonly (readonly [name: string, work: () => Promise<string | void>])[]} stages what a stage returns is
 *   shown behind its time
 * @returns {Promise<boolean>} whether all succeeded
 */
export async function runStages(stages) {
  for (const [name, work] of stages) {
    const start = performance.now();
    const label = name.padEnd(10);
    try {
      const note = await work();
      console.log(`${label} ok      ${seconds(start)}${note ? `  ${note}` : ''}`);
    } catch (error) {
      const explains = error instanceof CommandFailed || error instanceof AssertionError;
      console.error(explains ? error.message : error);
      console.log(`${label} FAILED  ${seconds(start)}`);
      return false;
    }
  }
  return true;
}
