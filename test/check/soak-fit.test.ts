// The soak's judgement: what grows is seen, what is noise or the filling of a cache is not.
import { describe, expect, it } from '@jest/globals';
import { growthOf } from '../../check/soak/fit.mjs';

const samples = (valueAt: (at: number) => number) =>
  Array.from({ length: 40 }, (_, at) => ({ at, value: valueAt(at) }));

describe('growthOf()', () => {
  it('is what a steady leak has added over the second half', () => {
    expect(growthOf(samples((at) => 100 + 3 * at))).toBeCloseTo(3 * 19);
  });

  it('is nothing where a cache has been filled in the first half', () => {
    expect(growthOf(samples((at) => Math.min(at, 15) * 1000))).toBeCloseTo(0);
  });

  it('is small for what goes up and down', () => {
    expect(Math.abs(growthOf(samples((at) => 100 + (at % 2) * 10)))).toBeLessThan(2);
  });

  it('is nothing where there is nothing to compare', () => {
    expect(growthOf([])).toBe(0);
    expect(growthOf([{ at: 1, value: 5 }])).toBe(0);
  });
});
