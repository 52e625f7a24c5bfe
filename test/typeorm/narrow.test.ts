// What two complete accounts of one write leave to be invalidated.
import { describe, expect, it } from '@jest/globals';
import { narrow } from '../../src/typeorm/narrow.js';

describe('two complete accounts of one write', () => {
  it.each([
    [
      'a whole kind in one, its rows in the other',
      ['table:grade', 'student:*'],
      ['table:grade', 'student:5'],
      ['table:grade', 'student:5'],
    ],
    ['the other way round', ['student:5'], ['student:*'], ['student:5']],
    ['a whole kind in both', ['student:*'], ['student:*', 'student:5'], ['student:*', 'student:5']],
    ['a whole kind of which the other knows nothing', ['class:*'], ['student:5'], ['class:*', 'student:5']],
    ['everything in one', ['*'], ['student:5'], ['student:5']],
    ['everything in the other', ['student:5'], ['*'], ['student:5']],
    ['different rows', ['student:5'], ['student:6'], ['student:5', 'student:6']],
  ])('%s', (_name, one, other, expected) => {
    expect(narrow(one, other).toSorted()).toEqual(expected.toSorted());
  });
});
