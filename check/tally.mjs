// The figures of one arm.

/** Enough to see what happened; more of the same would not be read. */
const KEPT_DETAILS = 5;

/**
 * @typedef {object} Detail
 * @property {string} what
 * @property {Record<string, unknown>} facts
 */

export class Tally {
  reads = 0;
  grades = 0;
  notModified = 0;
  inversions = 0;
  errors = 0;
  /** Times until the answer of the stale read. @type {number[]} */
  ages = [];
  /** The oldest that was stale already when it was asked for, ms. */
  oldestWhenSent = 0;
  /** How answers came about: `memory`, `redis`, `collapsed`, `miss.<reason>`, `bypass.<reason>`. @type {Map<string, number>} */
  ways = new Map();
  /** @type {Detail[]} */
  details = [];

  get stale() {
    return this.ages.length;
  }

  get hits() {
    return this.#sum((way) => !way.startsWith('miss') && !way.startsWith('bypass'));
  }

  get misses() {
    return this.#sum((way) => way.startsWith('miss'));
  }

  get bypasses() {
    return this.#sum((way) => way.startsWith('bypass'));
  }

  /** @param {string} way */
  of(way) {
    return this.ways.get(way) ?? 0;
  }

  /** @param {import('./http.mjs').Answer} answer */
  came(answer) {
    const way = wayOf(answer);
    this.ways.set(way, this.of(way) + 1);
    if (answer.status === 304) this.notModified += 1;
  }

  /** @param {string} what @param {Record<string, unknown>} facts */
  note(what, facts) {
    if (this.details.length < KEPT_DETAILS) this.details.push({ what, facts });
  }

  /** @param {(way: string) => boolean} test */
  #sum(test) {
    return [...this.ways].reduce((sum, [way, times]) => (test(way) ? sum + times : sum), 0);
  }
}

/** From the two headers of the cache. @param {import('./http.mjs').Answer} answer */
function wayOf({ xCache, cacheStatus }) {
  const detail = /; detail=([\w-]+)/.exec(cacheStatus)?.[1];
  if (/; collapsed/.test(cacheStatus)) return 'collapsed';
  if (xCache === 'HIT') return detail ?? 'hit';
  const reason = detail ?? /; fwd=([\w-]+)/.exec(cacheStatus)?.[1] ?? 'unknown';
  return `${xCache.toLowerCase()}.${reason}`;
}

/** The value below which `share` of them lie. @param {readonly number[]} values @param {number} share */
export function quantile(values, share) {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
