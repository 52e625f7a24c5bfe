// Reads in small batches on all processes, and judges every answer by what was known when its batch was sent.
import { setTimeout as pause } from 'node:timers/promises';
import { Gone } from './processes.mjs';
import {
  BY_ROUTE,
  BY_VALUE,
  CLASS,
  CLASSES,
  firstPlaceOf,
  GRADES,
  isGrade,
  LIST,
  OWN,
  STUDENT,
  STUDENTS,
  USERS,
} from './world.mjs';

/** Batches that each process has at once: while some wait for what is slow, others go on. */
const BATCHES = 6;
const BATCH = 40;
/** One read in so many goes through the middleware, over HTTP. */
const ROUTE_ONE_IN = 40;
const LIST_ONE_IN = 400;
/** Share of the reads that go to what was written lately. */
const ABOUT_THE_LATEST = 0.3;
const LATEST = 12;

/** @typedef {{ kind: number, subject: number, user: number, via: number }} Read */

/**
 * @param {object} parts
 * @param {readonly import('./processes.mjs').Slot[]} parts.slots
 * @param {import('./oracle.mjs').Oracle} parts.oracle
 * @param {import('./tally.mjs').Tally} parts.tally
 * @param {{ next(): number }} parts.random
 * @param {() => boolean} parts.over
 */
export function createReaders({ slots, oracle, tally, random, over }) {
  /** @type {{ row: number, places: readonly number[] }[]} */
  const latest = [];
  const skewed = (/** @type {number} */ count) => Math.floor(random.next() ** 2 * count);
  const user = () => Math.floor(random.next() * USERS);
  const via = () => (random.next() * ROUTE_ONE_IN < 1 ? BY_ROUTE : BY_VALUE);

  /** @returns {Read} */
  function choose() {
    const recent = random.next() < ABOUT_THE_LATEST ? latest[Math.floor(random.next() * latest.length)] : undefined;
    if (recent !== undefined) return about(recent.row, recent.places);
    const dice = random.next();
    const rest = { user: user(), via: via() };
    if (dice * LIST_ONE_IN < 1) return { kind: LIST, subject: 0, ...rest };
    if (dice < 0.5) return { kind: OWN, subject: skewed(GRADES), ...rest };
    if (dice < 0.85) return { kind: STUDENT, subject: skewed(STUDENTS), ...rest };
    return { kind: CLASS, subject: skewed(CLASSES), ...rest };
  }

  /** A report that shows the row, or showed it. @param {number} row @param {readonly number[]} places @returns {Read} */
  function about(row, places) {
    const rest = { user: user(), via: via() };
    const at = places[Math.floor(random.next() * places.length)] ?? firstPlaceOf(row);
    if (!isGrade(row)) {
      if (random.next() < 0.5 || at < 0) return { kind: STUDENT, subject: row - GRADES, ...rest };
      return { kind: CLASS, subject: at, ...rest };
    }
    const dice = random.next();
    if (dice < 0.45 || at < 0) return { kind: OWN, subject: row, ...rest };
    if (dice < 0.85) return { kind: STUDENT, subject: at, ...rest };
    return { kind: CLASS, subject: Math.floor(firstPlaceOf(GRADES + at)), ...rest };
  }

  /** @param {import('./processes.mjs').Slot} slot @param {readonly Read[]} reads */
  async function readBatch(slot, reads) {
    const claims = oracle.claims();
    const { incarnation } = slot;
    const numbers = reads.flatMap(({ kind, subject, user: who, via: way }) => [kind, subject, who, way]);
    const answer = await slot.ask({ ask: 'read', reads: numbers });
    tally.impossible += answer.crossed;
    for (const message of answer.errors) {
      tally.readErrors += 1;
      tally.note('read error', { message, process: slot.name });
    }
    for (const [at, shown] of answer.shown.entries()) {
      const read = /** @type {Read} */ (reads[at]);
      if (shown === null) continue;
      tally.reads += 1;
      tally.came(answer.ways[at]);
      const { stale, inverted, impossible } = oracle.judge(claims, read.kind, read.subject, shown, answer.at[at]);
      if (inverted !== undefined) tally.inversions.push(inverted);
      if (impossible !== undefined) tally.impossible += 1;
      if (stale === undefined) continue;
      tally.foundStale(stale);
      const at_ = new Date().toISOString();
      tally.note(`stale (${stale.origin})`, {
        ...stale,
        ...read,
        way: answer.ways[at],
        process: slot.index,
        incarnation,
        at: at_,
      });
    }
  }

  /** @param {import('./processes.mjs').Slot} slot */
  async function repeat(slot) {
    while (!over()) {
      try {
        if (slot.alive) await readBatch(slot, Array.from({ length: BATCH }, choose));
        else await pause(20);
      } catch (error) {
        if (!(error instanceof Gone)) throw error;
      }
    }
  }

  return {
    run: () => Promise.all(slots.flatMap((slot) => Array.from({ length: BATCHES }, () => repeat(slot)))),
    /**
     * Asks everywhere for what has just been written, while news of it may still be on the way.
     * @param {readonly number[]} rows @param {(row: number) => readonly number[]} placesOf where it was and is
     */
    chase(rows, placesOf) {
      const some = rows.slice(0, 4).map((row) => ({ row, places: placesOf(row) }));
      latest.push(...some);
      latest.splice(0, Math.max(0, latest.length - LATEST));
      const reads = () => some.flatMap(({ row, places }) => [about(row, places), about(row, places)]);
      for (const slot of slots)
        if (slot.alive)
          readBatch(slot, reads()).catch((error) => (error instanceof Gone ? undefined : Promise.reject(error)));
    },
    /** A batch about the latest writes, sent now. @param {import('./processes.mjs').Slot} slot @param {number} count */
    burst(slot, count) {
      return readBatch(slot, Array.from({ length: count }, choose));
    },
  };
}
