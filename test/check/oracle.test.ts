// The judge of the freshness check: what counts as stale, how old it is, and what an arm must show.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Arm } from '../../check/arms.mjs';
import { Oracle } from '../../check/oracle.mjs';
import { faultsOf, figuresOf } from '../../check/result.mjs';
import { Tally } from '../../check/tally.mjs';

const FIRST = 0;
const SECOND = 1;

let oracle: Oracle;
beforeEach(() => {
  oracle = new Oracle(2, 3);
});

function grade(index: number, at: number): void {
  const version = oracle.begin(index);
  if (version === undefined) throw new Error('There is no version left.');
  oracle.acknowledge(index, version, at);
}

describe('a reader', () => {
  it('must see what was acknowledged before he asked', () => {
    grade(FIRST, 100);
    const claims = oracle.claims([FIRST]);
    expect(oracle.judge(claims, [{ index: FIRST, version: 0 }], 110, 130)).toEqual({
      stale: { index: FIRST, shown: 0, acked: 1, ageMs: 30, ageWhenSentMs: 10 },
      inverted: true,
      impossible: false,
    });
  });

  it('need not see what was acknowledged after he asked', () => {
    const claims = oracle.claims([FIRST]);
    grade(FIRST, 100);
    expect(oracle.judge(claims, [{ index: FIRST, version: 0 }], 90, 130)).toEqual({
      stale: undefined,
      inverted: false,
      impossible: false,
    });
  });

  it('may see a grade before its grader is answered, and no later reader may then miss it', () => {
    expect(oracle.begin(FIRST)).toBe(1);
    expect(oracle.judge(oracle.claims([FIRST]), [{ index: FIRST, version: 1 }], 10, 11)).toMatchObject({
      stale: undefined,
      inverted: false,
      impossible: false,
    });
    expect(oracle.judge(oracle.claims([FIRST]), [{ index: FIRST, version: 0 }], 12, 13)).toMatchObject({
      stale: undefined,
      inverted: true,
    });
  });

  it('has missed the first grade that the answer lacks, however many followed', () => {
    for (const at of [100, 200, 300]) grade(FIRST, at);
    const { stale } = oracle.judge(oracle.claims([FIRST]), [{ index: FIRST, version: 1 }], 350, 360);
    expect(stale).toEqual({ index: FIRST, shown: 1, acked: 3, ageMs: 160, ageWhenSentMs: 150 });
  });

  it('of several submissions is told about the one that is stale longest', () => {
    grade(FIRST, 100);
    grade(SECOND, 50);
    const shown = [FIRST, SECOND].map((index) => ({ index, version: 0 }));
    expect(oracle.judge(oracle.claims([FIRST, SECOND]), shown, 120, 130).stale).toMatchObject({
      index: SECOND,
      ageMs: 80,
    });
  });

  it('cannot see what nobody gave', () => {
    expect(oracle.judge(oracle.claims([FIRST]), [{ index: FIRST, version: 1 }], 1, 2).impossible).toBe(true);
  });
});

describe('graders', () => {
  it('go one at a time, and on after a grade whose fate is unknown', () => {
    expect([oracle.begin(FIRST), oracle.begin(FIRST)]).toEqual([1, undefined]);
    oracle.abandon(FIRST);
    expect(oracle.begin(FIRST)).toBe(2);
    expect(oracle.claims([FIRST])).toEqual([{ index: FIRST, acked: 0, seen: 0 }]);
  });

  it('stop at the last version', () => {
    for (const at of [1, 2, 3]) grade(FIRST, at);
    expect(oracle.begin(FIRST)).toBeUndefined();
    expect([oracle.exhausted(FIRST), oracle.exhausted(SECOND)]).toEqual([true, false]);
  });
});

describe('an arm', () => {
  const LEASE_MS = 250;
  const arm = (stale: Arm['stale']): Arm => ({
    name: stale,
    stale,
    leaseMs: LEASE_MS,
    create: () => undefined,
    reads: 1000,
    seconds: 1,
    quick: { reads: 1, seconds: 1 },
  });

  function faults(stale: Arm['stale'], change: (tally: Tally) => void, refused = 1): string[] {
    const tally = new Tally();
    tally.reads = 1000;
    tally.ways.set('memory', 500);
    change(tally);
    return faultsOf(arm(stale), figuresOf(tally, 1, [{ counts: { 'declined.stale': refused }, stallMs: 1 }]));
  }
  const withStale = (ageMs: number) => (tally: Tally) => {
    tally.ages.push(ageMs);
    tally.oldestWhenSent = ageMs;
  };

  it.each<[Arm['stale'], (tally: Tally) => void]>([
    ['never', () => undefined],
    ['bounded', () => undefined],
    ['bounded', withStale(LEASE_MS)],
    ['must', withStale(1)],
  ])('%s passes', (stale, change) => {
    expect(faults(stale, change)).toEqual([]);
  });

  it.each<[string, Arm['stale'], (tally: Tally) => void]>([
    ['a stale read', 'never', withStale(0.1)],
    ['a stale read after the lease', 'bounded', withStale(LEASE_MS + 0.1)],
    ['a control without a stale read', 'must', () => undefined],
    ['a failed request', 'never', (tally) => (tally.errors = 1)],
    ['hardly any reads', 'never', (tally) => (tally.reads = 299)],
    ['no hit', 'never', (tally) => tally.ways.set('memory', 0)],
  ])('fails for %s', (_what, stale, change) => {
    expect(faults(stale, change)).toHaveLength(1);
  });

  it('fails where no grade overtook a report', () => {
    expect(faults('never', () => undefined, 0)).toHaveLength(1);
  });
});
