// Knows what every row's writer was told and what anybody has seen, and judges whole batches of answers by it.
import { monotonic } from './clock.mjs';
import { CLASS, GRADES, isGrade, LIST, OWN, ROWS, rowOfStudent, STUDENT } from './world.mjs';

/**
 * How a version came to be known. `answered`: its writer had his answer. `found`: nobody was answered (the process
 * died, the reply was lost), but the database has it. `foreign`: it was written past the application.
 * @typedef {'answered' | 'found' | 'foreign'} Origin
 */

/** @typedef {{ version: number, at: number, origin: Origin, moved: boolean }} Known times of the monotonic clock, ms */

/**
 * What readers may rely on, sampled immediately before their questions are sent.
 * @typedef {object} Claims
 * @property {number} sentAt
 * @property {Int32Array} known the newest version of each row
 * @property {Int32Array} seen the newest that anybody was shown
 * @property {Int32Array} place where each row must be shown, or NOWHERE, or UNKNOWN
 * @property {Int32Array} moves how often each row was about to go elsewhere
 */

/**
 * @typedef {object} Staleness
 * @property {number} row
 * @property {number} shown -1: the row is not there at all
 * @property {number} known
 * @property {Origin} origin of what was missed
 * @property {number} ageMs from when it was known to the answer
 * @property {number} ageWhenSentMs the same until the question was sent
 */

/** @typedef {{ row: number, shown: number, seen: number }} Inversion seen before the question was sent */
/** @typedef {{ stale: Staleness | undefined, inverted: Inversion | undefined, impossible: number | undefined }} Verdict */

export const NOWHERE = -1;
export const UNKNOWN = -2;

export class Oracle {
  /** The last version that was given out. */
  #given = new Int32Array(ROWS);
  #known = new Int32Array(ROWS);
  #seen = new Int32Array(ROWS);
  #place;
  #moves = new Int32Array(ROWS);
  /** What put the row where it is. @type {Known[]} */
  #arrival;
  /** @type {Known[][]} */
  #histories;
  /** Rows of the answer that is being judged. */
  #met = new Int32Array(ROWS);
  #answer = 0;

  /** @param {(row: number) => number} firstPlace */
  constructor(firstPlace) {
    this.#place = Int32Array.from({ length: ROWS }, (_, row) => firstPlace(row));
    this.#histories = Array.from({ length: ROWS }, () => []);
    this.#arrival = Array.from({ length: ROWS }, () => ({ version: 0, at: 0, origin: 'answered', moved: false }));
  }

  /**
   * The versions for a write to these rows, which must be their only one. Where one statement writes the same into all of
   * them, they are the same.
   * @param {readonly number[]} rows @param {boolean} same
   */
  give(rows, same) {
    const newest = Math.max(...rows.map((row) => at(this.#given, row)));
    for (const row of rows) this.#given[row] = (same ? newest : at(this.#given, row)) + 1;
    return rows.map((row) => at(this.#given, row));
  }

  /** From here on nobody can say where the row is. @param {number} row */
  leave(row) {
    this.#moves[row] = at(this.#moves, row) + 1;
    this.#place[row] = UNKNOWN;
  }

  /** The write is known. @param {number} row @param {Known} known @param {number} [place] where it is now, if known */
  learn(row, known, place) {
    this.#known[row] = known.version;
    this.#histories[row]?.push(known);
    if (place === undefined || at(this.#place, row) === place) return;
    this.#place[row] = place;
    this.#arrival[row] = known;
  }

  /** Nothing has come of it after all. @param {number} row @param {number} place */
  stay(row, place) {
    this.#place[row] = place;
  }

  /** @returns {Claims} */
  claims() {
    return {
      sentAt: monotonic(),
      known: this.#known.slice(),
      seen: this.#seen.slice(),
      place: this.#place.slice(),
      moves: this.#moves.slice(),
    };
  }

  /**
   * @param {Claims} claims
   * @param {number} kind
   * @param {number} subject
   * @param {readonly number[]} shown row, version, row, version
   * @param {number} [answeredAt]
   * @returns {Verdict}
   */
  judge(claims, kind, subject, shown, answeredAt = monotonic()) {
    this.#answer += 1;
    /** @type {Staleness | undefined} */
    let stale;
    /** @type {Inversion | undefined} */
    let inverted;
    /** @type {number | undefined} */
    let impossible;
    const worse = (/** @type {Staleness} */ found) => {
      if (stale === undefined || found.ageMs > stale.ageMs) stale = found;
    };
    for (let i = 0; i < shown.length; i += 2) {
      const row = /** @type {number} */ (shown[i]);
      const version = /** @type {number} */ (shown[i + 1]);
      this.#met[row] = this.#answer;
      if (version < at(claims.known, row)) worse(this.#missed(row, version, claims, answeredAt));
      if (version < at(claims.seen, row)) inverted ??= { row, shown: version, seen: at(claims.seen, row) };
      if (version > at(this.#given, row)) impossible ??= row;
      if (version > at(this.#seen, row)) this.#seen[row] = version;
    }
    for (const row of this.#expected(claims, kind, subject)) {
      if (at(this.#met, row) === this.#answer || at(this.#moves, row) !== at(claims.moves, row)) continue;
      const arrival = this.#arrivalIn(kind, row, claims);
      worse(staleness(row, -1, at(claims.known, row), arrival, claims.sentAt, answeredAt));
    }
    return { stale, inverted, impossible };
  }

  /**
   * Rows that this answer must show, as far as they have not begun to leave meanwhile.
   * @param {Claims} claims @param {number} kind @param {number} subject
   */
  *#expected({ place, moves }, kind, subject) {
    switch (kind) {
      case OWN:
        if (at(place, subject) >= 0) yield subject;
        return;
      case STUDENT:
        if (at(place, rowOfStudent(subject)) < 0) return;
        yield rowOfStudent(subject);
        for (let row = 0; row < GRADES; row += 1) if (at(place, row) === subject) yield row;
        return;
      case CLASS:
        for (let row = GRADES; row < ROWS; row += 1) if (at(place, row) === subject) yield row;
        for (let row = 0; row < GRADES; row += 1) {
          const student = at(place, row) < 0 ? -1 : rowOfStudent(at(place, row));
          if (student < 0 || at(place, student) !== subject) continue;
          if (at(moves, student) === at(this.#moves, student)) yield row;
        }
        return;
      case LIST:
        for (let row = 0; row < ROWS; row += 1) if (at(place, row) >= 0) yield row;
        return;
      default:
    }
  }

  /**
   * Of values seen and then not seen, how many were of writes that were answered, in the end, and how many of others.
   * Only now, because at the time nobody may have known what became of them.
   * @param {readonly Inversion[]} inversions
   */
  sort(inversions) {
    const counts = { answered: 0, others: 0 };
    for (const { row, shown, seen } of inversions) {
      const missed = (this.#histories[row] ?? []).filter((one) => one.version > shown && one.version <= seen);
      const all = missed.length > 0 && missed.every((one) => one.origin === 'answered');
      counts[all ? 'answered' : 'others'] += 1;
    }
    return counts;
  }

  /** What put the row into this report: in a class's that may be its student's move. @param {number} kind @param {number} row @param {Claims} claims */
  #arrivalIn(kind, row, { place }) {
    const own = /** @type {Known} */ (this.#arrival[row]);
    if (kind !== CLASS || !isGrade(row)) return own;
    const student = /** @type {Known} */ (this.#arrival[rowOfStudent(at(place, row))]);
    return student.at > own.at ? student : own;
  }

  /**
   * An answered write invalidates all that shows the row. Only if the row was moved before, by a write that nobody was
   * answered, its old place has to wait for that one.
   * @param {number} row @param {number} version @param {Claims} claims @param {number} answeredAt
   */
  #missed(row, version, { known, sentAt }, answeredAt) {
    const history = this.#histories[row] ?? [];
    const newest = at(known, row);
    const missed = history.filter((one) => one.version > version && one.version <= newest);
    const moved = missed.find((one) => one.moved && one.origin !== 'answered');
    const answered = missed.find((one) => one.origin === 'answered');
    const first = moved ?? answered ?? missed[0];
    if (first === undefined) throw new Error(`Row ${row} has no version above ${version}.`);
    return staleness(row, version, newest, first, sentAt, answeredAt);
  }
}

/**
 * @param {number} row @param {number} shown @param {number} known @param {Known} missed
 * @param {number} sentAt @param {number} answeredAt
 * @returns {Staleness}
 */
function staleness(row, shown, known, missed, sentAt, answeredAt) {
  const { origin, at: since } = missed;
  return { row, shown, known, origin, ageMs: answeredAt - since, ageWhenSentMs: sentAt - since };
}

/** @param {Int32Array} values @param {number} index */
function at(values, index) {
  return /** @type {number} */ (values[index]);
}
