// Knows what was acknowledged and what was seen, and judges every answer by what its reader could know when asking.

/**
 * @typedef {object} History
 * @property {number} given the last version a grader has sent
 * @property {boolean} grading one grader at a time, so that versions are committed in their order
 * @property {{ version: number, at: number }[]} acked in this order, times of the checker's monotonic clock in ms
 * @property {number} seen the newest version that anybody was answered
 */

/** What a reader may rely on. @typedef {{ index: number, acked: number, seen: number }} Claim */
/** @typedef {{ index: number, version: number }} Shown */

/**
 * @typedef {object} Verdict
 * @property {Staleness | undefined} stale the oldest, where an answer shows several submissions
 * @property {boolean} inverted older than what somebody had been answered before the question was sent
 * @property {boolean} impossible a version that nobody has given
 */

/**
 * @typedef {object} Staleness
 * @property {number} index
 * @property {number} shown
 * @property {number} acked the newest acknowledged version when the question was sent
 * @property {number} ageMs from the acknowledgement that was missed to the answer; too long by up to the read itself
 * @property {number} ageWhenSentMs the same until the question was sent, so never too long
 */

export class Oracle {
  /** @type {History[]} */
  #histories;
  #last;

  /** @param {number} subjects @param {number} lastVersion */
  constructor(subjects, lastVersion) {
    this.#histories = Array.from({ length: subjects }, () => ({ given: 0, grading: false, acked: [], seen: 0 }));
    this.#last = lastVersion;
  }

  /** The version to give now; undefined while another grader is at it, or when there is none left. @param {number} index */
  begin(index) {
    const history = this.#of(index);
    if (history.grading || history.given >= this.#last) return undefined;
    history.grading = true;
    history.given += 1;
    return history.given;
  }

  /** @param {number} index */
  exhausted(index) {
    return this.#of(index).given >= this.#last;
  }

  /** @param {number} index @param {number} version @param {number} at */
  acknowledge(index, version, at) {
    const history = this.#of(index);
    history.grading = false;
    history.acked.push({ version, at });
    history.seen = Math.max(history.seen, version);
  }

  /** The answer did not come: whether the version is there is unknown, so nobody may rely on it. @param {number} index */
  abandon(index) {
    this.#of(index).grading = false;
  }

  /** To be taken immediately before the question is sent. @param {readonly number[]} indices @returns {Claim[]} */
  claims(indices) {
    return indices.map((index) => {
      const { acked, seen } = this.#of(index);
      return { index, acked: acked.at(-1)?.version ?? 0, seen };
    });
  }

  /**
   * @param {readonly Claim[]} claims
   * @param {readonly Shown[]} shown
   * @param {number} sentAt
   * @param {number} answeredAt
   * @returns {Verdict}
   */
  judge(claims, shown, sentAt, answeredAt) {
    /** @type {Staleness | undefined} */
    let stale;
    let inverted = false;
    let impossible = false;
    for (const { index, version } of shown) {
      const history = this.#of(index);
      const claim = claims.find((one) => one.index === index);
      if (claim === undefined) throw new Error(`The answer shows submission ${index}, for which nothing was claimed.`);
      if (version < claim.acked) {
        const missed = history.acked.find((one) => one.version > version);
        const since = missed?.at ?? sentAt;
        const ageMs = answeredAt - since;
        if (stale === undefined || ageMs > stale.ageMs)
          stale = { index, shown: version, acked: claim.acked, ageMs, ageWhenSentMs: sentAt - since };
      }
      if (version < claim.seen) inverted = true;
      if (version > history.given) impossible = true;
      history.seen = Math.max(history.seen, version);
    }
    return { stale, inverted, impossible };
  }

  /** @param {number} index */
  #of(index) {
    const history = this.#histories[index];
    if (history === undefined) throw new Error(`There is no submission ${index}.`);
    return history;
  }
}
