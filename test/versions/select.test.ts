// Which version is approved and which one is served, as tables.
import { describe, expect, it } from '@jest/globals';
import type { VersionSummary } from '../../src/options/versions.js';
import { isApproved, selected } from '../../src/versions/select.js';

describe('approval', () => {
  it.each([
    [10, 0, true],
    [9, 0, false],
    [12, 2, true],
    [12, 3, false], // nine more up than down
    [40, 10, true], // exactly four in five
    [39, 10, false],
    [0, 0, false],
    [0, 20, false],
  ])('%i up and %i down: %s', (up, down, approved) => {
    expect(isApproved({ up, down }, { net: 10, share: 0.8 })).toBe(approved);
  });

  it('is what the application says', () => {
    expect(isApproved({ up: 3, down: 3 }, { net: 1, share: 0.5 })).toBe(false);
    expect(isApproved({ up: 4, down: 3 }, { net: 1, share: 0.5 })).toBe(true);
  });
});

const version = (number: number, up = 0, down = 0): VersionSummary => ({
  version: number,
  createdAt: new Date(number),
  up,
  down,
  approved: isApproved({ up, down }, { net: 10, share: 0.8 }),
  views: 0,
});

describe('selection', () => {
  it.each([
    ['best', [version(2), version(1)], 2],
    ['best', [version(2), version(1, 1)], 1],
    ['best', [version(2), version(1, 0, 1)], 2],
    // More votes, but not four in five of them.
    ['best', [version(2, 30, 10), version(1, 11, 0)], 1],
    ['votes', [version(2, 30, 10), version(1, 11, 0)], 2],
    ['votes', [version(3, 5, 1), version(2, 4), version(1, 4)], 3],
    ['newest', [version(3), version(2, 50), version(1)], 3],
  ] as const)('%s of %j is %i', (select, versions, expected) => {
    expect(selected(versions, undefined, select)).toBe(expected);
  });

  it('a pin goes before all of them, unless its version is gone', () => {
    expect(selected([version(2, 50), version(1)], 1, 'best')).toBe(1);
    expect(selected([version(2, 50)], 1, 'best')).toBe(2);
  });

  it('of nothing is nothing, whoever selects', () => {
    const never = () => {
      throw new Error('asked');
    };
    expect(selected([], 1, never)).toBeUndefined();
  });

  it('by a function names one of them', () => {
    expect(selected([version(2), version(1)], undefined, ([, second]) => second?.version ?? 0)).toBe(1);
    expect(() => selected([version(2)], undefined, () => 7)).toThrow('ERC_VERSION');
  });
});
