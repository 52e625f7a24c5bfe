// Writes on all processes through every way there is, and tells the oracle what became of each.
import { setTimeout as pause } from 'node:timers/promises';
import { monotonic } from './clock.mjs';
import { readTruth } from './entities.mjs';
import { NOWHERE, UNKNOWN } from './oracle.mjs';
import { Gone } from './processes.mjs';
import { createPlans } from './plans.mjs';

const WRITERS = 8;
const READS_PER_WRITE = 300;
/** However few reads there are, e.g. while processes are paused. More often, most reads would be computations. */
const LONGEST_WITHOUT_A_WRITE_MS = 200;
/** After a write without an answer, before the truth is asked: whatever was sent has arrived by then. */
const SETTLE_MS = 100;

/** @typedef {import('./plans.mjs').Plan} Plan */

/**
 * @param {object} parts
 * @param {readonly import('./processes.mjs').Slot[]} parts.slots
 * @param {import('./oracle.mjs').Oracle} parts.oracle
 * @param {import('./tally.mjs').Tally} parts.tally
 * @param {{ next(): number }} parts.random
 * @param {() => boolean} parts.over
 * @param {import('pg').Pool} parts.database the driver's own way in
 * @param {{ carryOut(write: import('./writes.mjs').Write): Promise<void> } | undefined} parts.foreign writes past the application
 * @param {ReturnType<typeof import('./readers.mjs').createReaders>} parts.readers
 */
export function createWriters({ slots, oracle, tally, random, over, database, foreign, readers }) {
  const plans = createPlans(random, foreign !== undefined);
  let started = 0;
  let lastAt = monotonic();
  let turn = 0;

  const due = () => started * READS_PER_WRITE <= tally.reads || monotonic() - lastAt > LONGEST_WITHOUT_A_WRITE_MS;

  /** Few are left to a process that is paused: they wait there, and the others go on. */
  function nextSlot() {
    for (;;) {
      const slot = /** @type {import('./processes.mjs').Slot} */ (slots[turn++ % slots.length]);
      if (!slot.paused || random.next() < 0.02) return slot;
    }
  }

  /** @param {Plan} plan */
  async function write(plan) {
    const { path, rows, places, kept } = plan;
    const versions = oracle.give(rows, path === 'builder');
    const before = rows.map((row) => plans.where[row] ?? NOWHERE);
    if (plan.leaves) for (const row of rows) oracle.leave(row);
    const moved = rows.map((_, at) => before[at] !== places[at]);
    const order = { path, rows, versions, places, before };
    const slot = nextSlot();
    const sentAt = monotonic();
    try {
      if (plan.foreign) await foreign?.carryOut(order);
      else {
        const answer = await slot.ask({ ask: 'write', write: order });
        if (answer.error !== undefined) throw new Error(answer.error);
      }
    } catch (error) {
      // Never sent.
      if (error instanceof Gone && monotonic() - sentAt < 1 && !slot.alive) {
        for (const [at, row] of rows.entries()) if (plan.leaves) oracle.stay(row, before[at] ?? NOWHERE);
        return pause(20);
      }
      tally.lostWrites += 1;
      if (!(error instanceof Gone)) {
        tally.writeErrors += 1;
        tally.note('write error', {
          path,
          process: slot.name,
          message: error instanceof Error ? error.message : error,
        });
      }
      return settle(plan, versions, before, monotonic());
    }
    const at = monotonic();
    const origin = plan.foreign ? /** @type {const} */ ('foreign') : /** @type {const} */ ('answered');
    for (const [i, row] of rows.entries()) {
      if (!kept[i]) continue;
      const place = places[i] ?? NOWHERE;
      plans.where[row] = place;
      oracle.learn(row, { version: versions[i] ?? 0, at, origin, moved: moved[i] ?? false }, place);
    }
    tally.wrote(path, at - sentAt);
    readers.chase(rows, (row) => [...new Set([before[rows.indexOf(row)] ?? NOWHERE, plans.where[row] ?? NOWHERE])]);
  }

  /**
   * Nobody was answered: what the database has counts from here on, but its readers may have to wait for the sweeper.
   * @param {Plan} plan @param {readonly number[]} versions @param {readonly number[]} before @param {number} at
   */
  async function settle({ rows, places }, versions, before, at) {
    await pause(SETTLE_MS);
    const truth = await readTruth(database, rows);
    for (const [i, row] of rows.entries()) {
      const found = truth.get(row);
      const place = found?.place ?? NOWHERE;
      const version = versions[i] ?? 0;
      const committed =
        found === undefined ? places[i] === NOWHERE && before[i] !== NOWHERE : found.version === version;
      plans.where[row] = place;
      if (!committed) oracle.stay(row, before[i] ?? NOWHERE);
      else
        oracle.learn(
          row,
          { version, at, origin: 'found', moved: before[i] !== place },
          before[i] === place ? place : UNKNOWN,
        );
    }
    readers.chase(rows, (row) => [...new Set([before[rows.indexOf(row)] ?? NOWHERE, plans.where[row] ?? NOWHERE])]);
  }

  async function repeat() {
    while (!over()) {
      const plan = due() ? plans.next() : undefined;
      if (plan === undefined) {
        await pause(1 + random.next() * 3);
        continue;
      }
      started += 1;
      lastAt = monotonic();
      try {
        await write(plan);
      } finally {
        plans.release(plan.rows);
      }
    }
  }

  return { run: () => Promise.all(Array.from({ length: WRITERS }, repeat)) };
}
