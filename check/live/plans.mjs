// Chooses what to write next, and keeps each row to one writer at a time.
import { NOWHERE } from './oracle.mjs';
import {
  CLASSES,
  FIRST_VISITOR,
  firstPlaceOf,
  GRADES,
  GRADES_OF_A_STUDENT,
  ROWS,
  rowOfStudent,
  STUDENTS,
  visits,
} from './world.mjs';

/**
 * @typedef {object} Plan
 * @property {string} path
 * @property {readonly number[]} rows all that the write touches
 * @property {readonly number[]} places where each will be
 * @property {readonly boolean[]} kept whether the row's change is to last; false: it is rolled back
 * @property {boolean} leaves whether rows go elsewhere, or may be missed in between
 * @property {boolean} foreign past the application
 */

/** Out of a thousand. Ways by which the library learns no rows make whole kinds cold, so they are few. */
const WEIGHTS = {
  save: 340,
  transaction: 130,
  savepoint: 80,
  savepointBack: 50,
  rollback: 60,
  move: 150,
  bulkSave: 60,
  insert: 40,
  remove: 3,
  update: 3,
  builder: 3,
  upsert: 3,
  raw: 3,
  replace: 2,
  insertStudent: 6,
  removeStudent: 3,
};
/** Writes past the application, where the level has triggers. */
const FOREIGN_WEIGHTS = { foreignUpdate: 40, foreignCopy: 20, foreignMove: 20, foreignRemove: 10 };

/** @typedef {{ next(): number }} Random */

/** @param {Random} random @param {boolean} foreign */
export function createPlans(random, foreign) {
  /** Where the database has each row. */
  const where = Int32Array.from({ length: ROWS }, (_, row) => firstPlaceOf(row));
  const busy = new Set();
  const weights = Object.entries({ ...WEIGHTS, ...(foreign ? FOREIGN_WEIGHTS : {}) });
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);

  function choosePath() {
    let left = random.next() * total;
    for (const [path, weight] of weights) if ((left -= weight) < 0) return path;
    return 'save';
  }

  const place = (/** @type {number} */ row) => /** @type {number} */ (where[row]);
  const free = (/** @type {number} */ row) => !busy.has(row);
  const there = (/** @type {number} */ row) => free(row) && place(row) >= 0;

  /** The square makes the first rows popular. @param {(row: number) => boolean} test */
  function pick(test, from = 0, to = ROWS) {
    for (let tries = 0; tries < 20; tries += 1) {
      const row = from + Math.floor(random.next() ** 2 * (to - from));
      if (test(row)) return row;
    }
    return undefined;
  }

  /** @param {number} count */
  function pickSome(count, from = 0, to = ROWS) {
    const rows = new Set();
    for (let i = 0; i < count; i += 1) rows.add(pick((row) => there(row) && !visits(row), from, to));
    rows.delete(undefined);
    return [.../** @type {Set<number>} */ (rows)];
  }

  /** @param {string} path @param {readonly number[]} rows @param {Partial<Plan>} [rest] @returns {Plan | undefined} */
  function plan(path, rows, rest = {}) {
    if (rows.length === 0) return undefined;
    const base = { path, rows, places: rows.map(place), kept: rows.map(() => true), leaves: false, foreign: false };
    return { ...base, ...rest };
  }

  /** @param {string} path @returns {Plan | undefined} */
  function make(path) {
    switch (path) {
      case 'save':
      case 'savepoint':
      case 'update':
      case 'raw':
      case 'upsert':
        return plan(path, pickSome(1));
      case 'foreignUpdate':
        return plan(path, pickSome(1), { foreign: true });
      case 'transaction':
        return plan(path, pickSome(3));
      case 'builder':
        return plan(path, pickSome(4, 0, GRADES));
      case 'bulkSave':
        return plan(path, pickSome(8, 0, GRADES));
      case 'savepointBack': {
        const rows = pickSome(2);
        return plan(path, rows, { kept: rows.map((_, at) => at < rows.length - 1) });
      }
      case 'rollback': {
        const rows = pickSome(2);
        return plan(path, rows, { kept: rows.map(() => false) });
      }
      case 'move':
      case 'foreignMove':
        return makeMove(path);
      case 'replace':
        return plan(path, pickSome(1, 0, GRADES), { leaves: true });
      default:
        return makeVisit(path);
    }
  }

  /** @param {string} path */
  function makeMove(path) {
    const foreign = path === 'foreignMove';
    const grade = random.next() < 0.85;
    const rows = grade ? pickSome(1, 0, GRADES) : pickSome(1, GRADES, ROWS);
    // To a student or class that stays.
    const to = Math.floor(random.next() ** 2 * (grade ? FIRST_VISITOR : CLASSES));
    return plan(path, rows, { places: rows.map(() => to), leaves: true, foreign });
  }

  /** What comes and goes. @param {string} path */
  function makeVisit(path) {
    const student = FIRST_VISITOR + Math.floor(random.next() * (STUDENTS - FIRST_VISITOR));
    const own = rowOfStudent(student);
    const grades = Array.from({ length: GRADES_OF_A_STUDENT }, (_, at) => student * GRADES_OF_A_STUDENT + at);
    if (!free(own) || !grades.every(free)) return undefined;
    const present = grades.filter((row) => place(row) >= 0);
    const absent = grades.filter((row) => place(row) < 0);
    const home = place(own) >= 0;
    switch (path) {
      case 'remove':
      case 'foreignRemove': {
        const rows = home ? present.slice(0, 1) : [];
        return plan(path, rows, { places: [NOWHERE], leaves: true, foreign: path === 'foreignRemove' });
      }
      case 'insert':
      case 'foreignCopy': {
        const rows = home ? absent.slice(0, 3) : [];
        return plan(path, rows, { places: rows.map(firstPlaceOf), leaves: true, foreign: path === 'foreignCopy' });
      }
      case 'removeStudent': {
        const rows = home ? [own, ...present] : [];
        return plan(path, rows, { places: rows.map(() => NOWHERE), leaves: true });
      }
      case 'insertStudent': {
        const rows = home ? [] : [own, ...absent];
        return plan(path, rows, { places: rows.map(firstPlaceOf), leaves: true });
      }
      default:
        throw new Error(`There is no plan for "${path}".`);
    }
  }

  return {
    where,
    /** The next write; its rows are taken until they are released. @returns {Plan | undefined} nothing free */
    next() {
      const chosen = make(choosePath());
      if (chosen === undefined || chosen.rows.some((row) => !free(row))) return undefined;
      // A student who is about to go takes his grades along, so they are his as long as he is being written.
      for (const row of chosen.rows) busy.add(row);
      return chosen;
    },
    /** @param {readonly number[]} rows */
    release(rows) {
      for (const row of rows) busy.delete(row);
    },
  };
}
