// The judge of the live check: versions, places, and who was owed what.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { monotonic } from '../../check/live/clock.mjs';
import { NOWHERE, Oracle, UNKNOWN, type Known } from '../../check/live/oracle.mjs';
import { CLASS, firstPlaceOf, LIST, OWN, rowOfStudent, STUDENT } from '../../check/live/world.mjs';

const GRADE = 0;
const HOME = firstPlaceOf(GRADE);
const ELSEWHERE = HOME + 4;

let oracle: Oracle;
beforeEach(() => {
  oracle = new Oracle(firstPlaceOf);
});

function write(row: number, change: Partial<Known> = {}, place = firstPlaceOf(row)): number {
  const [version = 0] = oracle.give([row], false);
  oracle.learn(row, { version, at: monotonic(), origin: 'answered', moved: false, ...change }, place);
  return version;
}

function move(row: number, place: number, change: Partial<Known> = {}): number {
  oracle.leave(row);
  return write(row, { moved: true, ...change }, place);
}

/** The report of a student, with one of its rows changed. */
function studentReport(student: number, change: (row: number) => number | undefined = () => 0): number[] {
  const grades = [0, 1, 2].map((at) => student * 3 + at);
  return [rowOfStudent(student), ...grades].flatMap((row) => {
    const version = change(row);
    return version === undefined ? [] : [row, version];
  });
}

describe('a live answer', () => {
  it('must show what was answered before it was asked for', () => {
    write(GRADE, { at: monotonic() - 50 });
    const { stale } = oracle.judge(oracle.claims(), OWN, GRADE, [GRADE, 0]);
    expect(stale).toMatchObject({ row: GRADE, shown: 0, known: 1, origin: 'answered' });
    expect(stale!.ageWhenSentMs).toBeGreaterThanOrEqual(50);
    expect(stale!.ageMs).toBeGreaterThanOrEqual(stale!.ageWhenSentMs);
  });

  it('need not show what was answered after it was asked for', () => {
    const claims = oracle.claims();
    write(GRADE);
    expect(oracle.judge(claims, OWN, GRADE, [GRADE, 0]).stale).toBeUndefined();
  });

  it('must show the row at all', () => {
    expect(oracle.judge(oracle.claims(), OWN, GRADE, []).stale).toMatchObject({ row: GRADE, shown: -1 });
    const without = studentReport(HOME, (row) => (row === GRADE ? undefined : 0));
    expect(oracle.judge(oracle.claims(), STUDENT, HOME, without).stale).toMatchObject({ row: GRADE, shown: -1 });
    expect(oracle.judge(oracle.claims(), LIST, 0, without).stale).toBeDefined();
  });

  it('need not show a row that has begun to leave since', () => {
    const claims = oracle.claims();
    oracle.leave(GRADE);
    const without = studentReport(HOME, (row) => (row === GRADE ? undefined : 0));
    expect(oracle.judge(claims, STUDENT, HOME, without).stale).toBeUndefined();
  });

  it('of a class must show the grades of its students, also of one who has just come', () => {
    const moved = rowOfStudent(HOME);
    const to = firstPlaceOf(moved) + 1;
    const at = monotonic() - 100;
    move(moved, to, { at });
    const { stale } = oracle.judge(oracle.claims(), CLASS, to, []);
    // Rows that were always there would be older; the oldest miss decides, and those are of the class itself.
    expect(stale?.shown).toBe(-1);
    const others = [4, 5, 6, 7].flatMap((student) => studentReport(student));
    const missing = oracle.judge(oracle.claims(), CLASS, to, others).stale;
    expect(missing).toMatchObject({ origin: 'answered' });
    expect(missing!.ageMs).toBeLessThan(1_000);
  });

  it('of the old place is stale as long as it shows the row as it was', () => {
    const version = move(GRADE, ELSEWHERE);
    const claims = oracle.claims();
    expect(oracle.judge(claims, STUDENT, HOME, studentReport(HOME)).stale).toMatchObject({ shown: 0, known: version });
    const without = studentReport(HOME, (row) => (row === GRADE ? undefined : 0));
    expect(oracle.judge(claims, STUDENT, HOME, without).stale).toBeUndefined();
  });

  it('shows a row that was deleted only if it is back', () => {
    const gone = move(GRADE, NOWHERE);
    expect(oracle.judge(oracle.claims(), OWN, GRADE, [GRADE, 0]).stale).toMatchObject({ known: gone });
    expect(oracle.judge(oracle.claims(), OWN, GRADE, []).stale).toBeUndefined();
    const back = move(GRADE, HOME);
    expect(oracle.judge(oracle.claims(), OWN, GRADE, [GRADE, back]).stale).toBeUndefined();
  });

  it('cannot show what nobody gave', () => {
    expect(oracle.judge(oracle.claims(), OWN, GRADE, [GRADE, 1]).impossible).toBe(GRADE);
  });
});

describe('what was missed', () => {
  it('is the answered write, even if one that nobody was answered came before it', () => {
    write(GRADE, { origin: 'found', at: 1 });
    write(GRADE, { at: monotonic() });
    expect(oracle.judge(oracle.claims(), OWN, GRADE, [GRADE, 0]).stale).toMatchObject({ origin: 'answered' });
    expect(oracle.judge(oracle.claims(), OWN, GRADE, [GRADE, 1]).stale).toMatchObject({ origin: 'answered' });
  });

  it('is the lost move, where the answered write did not concern the old place any more', () => {
    oracle.leave(GRADE);
    write(GRADE, { origin: 'found', moved: true }, UNKNOWN);
    write(GRADE, {}, ELSEWHERE);
    expect(oracle.judge(oracle.claims(), STUDENT, HOME, studentReport(HOME)).stale).toMatchObject({ origin: 'found' });
  });
});

describe('an inversion', () => {
  it('is an older version than one seen before the question was sent', () => {
    const version = write(GRADE);
    const early = oracle.claims();
    oracle.judge(early, OWN, GRADE, [GRADE, version]);
    expect(oracle.judge(early, OWN, GRADE, [GRADE, 0]).inverted).toBeUndefined();
    const { inverted } = oracle.judge(oracle.claims(), OWN, GRADE, [GRADE, 0]);
    expect(inverted).toEqual({ row: GRADE, shown: 0, seen: version });
    expect(oracle.sort([inverted!])).toEqual({ answered: 1, others: 0 });
  });

  it('of a write that nobody was answered is told apart', () => {
    write(GRADE, { origin: 'foreign' });
    expect(oracle.sort([{ row: GRADE, shown: 0, seen: 1 }])).toEqual({ answered: 0, others: 1 });
  });
});
