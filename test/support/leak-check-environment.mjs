// Jest environment that fails a test file which leaves a timer, socket, server or process behind.
import { setTimeout as delay } from 'node:timers/promises';
import { TestEnvironment } from 'jest-environment-node';

/**
 * The process's own output is a pipe that appears with its first use, which may be a warning in the middle of a test. A
 * child process that was left behind still shows as itself.
 */
const OWN = 'PipeWrap';

/** Closing takes a few turns of the event loop; whatever is still there after this will stay. */
const PATIENCE_MS = 3_000;

export default class LeakCheckEnvironment extends TestEnvironment {
  /** @type {string[]} */
  #before = [];

  /** @override */
  async setup() {
    await super.setup();
    this.#before = process.getActiveResourcesInfo();
  }

  /**
   * Called after every hook of the file has run, unlike an afterAll of ours.
   * @param {{ name: string }} event
   */
  async handleTestEvent(event) {
    if (event.name !== 'run_finish') return;
    const deadline = performance.now() + PATIENCE_MS;
    let left = this.#left();
    while (left.length > 0 && performance.now() < deadline) {
      await delay(10);
      left = this.#left();
    }
    if (left.length === 0) return;
    const message = `The file left open: ${left.join(', ')}. Close it in afterEach or afterAll.`;
    // A worker runs many files, and one pays for what an earlier one left reconnecting: in CI, where nobody can run the
    // file by itself to see which, that is told and does not fail the run.
    if (!process.env.CI) throw new Error(message);
    process.stderr.write(`${message}\n`);
  }

  /** What keeps the process alive now and did not before. Unref'd timers do not, and are nobody's concern here. */
  #left() {
    const before = [...this.#before];
    return process.getActiveResourcesInfo().filter((resource) => {
      if (resource === OWN) return false;
      const known = before.indexOf(resource);
      if (known >= 0) before.splice(known, 1);
      return known < 0;
    });
  }
}
