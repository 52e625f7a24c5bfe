// Where routes are mounted, learnt from their requests, and URLs read with that.
import { describe, expect, it } from '@jest/globals';
import { parsePattern } from '../../src/http/path-pattern.js';

describe('a pattern', () => {
  it.each<[string, string, Record<string, string> | undefined]>([
    ['/students/:id', '/students/7', { id: '7' }],
    ['/students/:id', '/Students/7/', { id: '7' }],
    ['/students/:id', '/students/a%2Fb', { id: 'a/b' }],
    ['/students/:id', '/students', undefined],
    ['/students/:id', '/students/7/grades', undefined],
    ['/students/:id', '/teachers/7', undefined],
    ['/students/:id', '/students/%zz', undefined],
    ['/', '/', {}],
    ['/api//reports/', '/api/reports', {}],
  ])('%s of %s', (pattern, path, params) => {
    expect(parsePattern(pattern)?.match(path)).toEqual(params);
  });

  it.each(['/a/*rest', '/a/:id?', '/a/(b|c)', '/a/:from-:to', '/a{/:b}', '/a/:id(\\d+)', '/a+'])(
    '%s is not understood',
    (pattern) => {
      expect(parsePattern(pattern)).toBeUndefined();
    },
  );

  it('says how much of it is fixed', () => {
    expect(parsePattern('/students/:id/grades')?.literals).toBe(2);
  });
});
