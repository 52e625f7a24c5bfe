// Batches to as many threads as there are cores.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** @typedef {import('./batch.mjs').Batch} Batch */
/** @typedef {import('./batch.mjs').BatchResult} BatchResult */

/**
 * @param {() => Batch | undefined} next undefined: there is no more
 * @param {(result: BatchResult) => void} done
 */
export async function runBatches(next, done) {
  await Promise.all(Array.from({ length: availableParallelism() }, () => runOne(next, done)));
}

/** @param {() => Batch | undefined} next @param {(result: BatchResult) => void} done */
function runOne(next, done) {
  const worker = new Worker(new URL('batch.mjs', import.meta.url));
  return new Promise((resolve, reject) => {
    const give = () => {
      const batch = next();
      if (batch === undefined) resolve(worker.terminate());
      else worker.postMessage(batch);
    };
    worker.on('error', reject);
    worker.on('message', (/** @type {BatchResult} */ result) => {
      done(result);
      give();
    });
    give();
  });
}
