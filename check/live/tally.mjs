// The figures of one run: one level under one fault.
import { quantile } from '../tally.mjs';
import { WAYS } from './world.mjs';

/** Enough to see what happened; more of the same would not be read. */
const KEPT_DETAILS = 8;

/** @typedef {import('./oracle.mjs').Origin} Origin */

export class Tally {
  reads = 0;
  /** Writes whose writer was answered, by path. @type {Record<string, number>} */
  writes = {};
  /** Writes that failed, so that nobody knows whether they are there. */
  lostWrites = 0;
  /** Writers that got an error from a process that lives. */
  writeErrors = 0;
  /** @type {import('./oracle.mjs').Inversion[]} */
  inversions = [];
  readErrors = 0;
  /** Versions that nobody gave, or answers to another question. */
  impossible = 0;
  longestWriteMs = 0;
  /** @type {number[]} */
  writeMs = [];
  ways = WAYS.map(() => 0);
  /** Ages of stale answers, by what they missed, ms. @type {Record<Origin, number[]>} */
  ages = { answered: [], found: [], foreign: [] };
  /** The oldest that was stale already when it was asked for, ms. @type {Record<Origin, number>} */
  oldestWhenSent = { answered: 0, found: 0, foreign: 0 };
  /** How often the fault really happened. */
  injected = 0;
  /** @type {{ what: string, facts: Record<string, any> }[]} */
  details = [];

  get acked() {
    return Object.values(this.writes).reduce((sum, times) => sum + times, 0);
  }

  get stale() {
    return this.ages.answered.length;
  }

  /** @param {number} way */
  came(way) {
    this.ways[way] = (this.ways[way] ?? 0) + 1;
  }

  /** @param {string} path @param {number} ms */
  wrote(path, ms) {
    this.writes[path] = (this.writes[path] ?? 0) + 1;
    this.longestWriteMs = Math.max(this.longestWriteMs, ms);
    if (this.writeMs.length < 200_000) this.writeMs.push(ms);
  }

  /** @param {import('./oracle.mjs').Staleness} stale */
  foundStale({ origin, ageMs, ageWhenSentMs }) {
    this.ages[origin].push(ageMs);
    this.oldestWhenSent[origin] = Math.max(this.oldestWhenSent[origin], ageWhenSentMs);
  }

  /** The first of a kind are kept, and of the stale ones the oldest. @param {string} what @param {Record<string, any>} facts */
  note(what, facts) {
    const alike = this.details.filter((one) => one.what === what);
    if (alike.length < KEPT_DETAILS) return void this.details.push({ what, facts });
    const youngest = alike.toSorted((a, b) => a.facts['ageWhenSentMs'] - b.facts['ageWhenSentMs'])[0];
    if (youngest && facts['ageWhenSentMs'] > youngest.facts['ageWhenSentMs']) youngest.facts = facts;
  }
}

/** @param {readonly number[]} values */
export const spread = (values) => ({
  count: values.length,
  p50: quantile(values, 0.5),
  p99: quantile(values, 0.99),
  max: quantile(values, 1),
});
