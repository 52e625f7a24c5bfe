// Whose run it is that goes on beside the cache, for handlers that tell of its cost.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Meter, Run, Usage } from '../contract/costs.js';

export class Payers {
  readonly #storage = new AsyncLocalStorage<Run>();

  constructor(private readonly meter: Meter) {}

  /** What the task and all that follows from it tells is counted for this run. */
  run<T>(run: Run, task: () => T): T {
    return this.#storage.run(run, task);
  }

  /** Outside of a run nobody knows whose it is, and nothing is counted. */
  spend(usage: Usage): void {
    const run = this.#storage.getStore();
    if (run !== undefined) this.meter.spend(run, usage);
  }
}
