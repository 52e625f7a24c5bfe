// What was run and found, by level and broken variant.

/** @typedef {import('./batch.mjs').BatchResult} BatchResult */
/** @typedef {import('./variant.mjs').Subject} Subject */

/** Seeds of one batch: long enough to be worth a message, short enough to stop soon. */
const BATCH = 100;

export class Tally {
  runs = 0;
  steps = 0;
  ms = 0;
  /** @type {Map<string, number>} */
  counts = new Map();
  /** @type {BatchResult['violations']} */
  violations = [];
  /** Seeds that have been given to a worker. */
  given = 0;

  /** @param {Subject} subject @param {number} seed the first @param {number} most */
  constructor(subject, seed, most) {
    this.subject = subject;
    this.seed = seed;
    this.most = most;
  }

  /** A broken variant is done when it is caught; the true protocol goes on, to tell how often. */
  get done() {
    return this.given >= this.most || (this.subject.broken && this.violations.length > 0);
  }

  next() {
    const from = this.seed + this.given;
    const count = Math.min(BATCH, this.most - this.given);
    this.given += count;
    return { subject: this.subject.name, from, count };
  }

  /** @param {BatchResult} result */
  add({ runs, steps, ms, counts, violations }) {
    this.runs += runs;
    this.steps += steps;
    this.ms += ms;
    for (const [what, times] of Object.entries(counts)) this.counts.set(what, (this.counts.get(what) ?? 0) + times);
    this.violations = [...this.violations, ...violations].toSorted((a, b) => a.seed - b.seed);
  }

  /** Interleavings until it was caught. */
  get caughtAfter() {
    const [first] = this.violations;
    return first === undefined ? undefined : first.seed - this.seed + 1;
  }
}
