// Tags and patterns: literal ids, whole kinds, and wildcards that come to tags.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { resolvePattern } from '../../src/entry/pattern.js';
import { EVERYTHING, kindOf, tableTag, tag, wholeKind, withWholeKinds } from '../../src/entry/tags.js';

describe('tag', () => {
  it('an id is literal: u1 is not u10, and a star is no wildcard', () => {
    expect(tag('student', 1)).toBe('student:1');
    expect(tag('student', '*')).not.toBe(wholeKind('student'));
    expect(tag('student', 'a b:c')).toBe('student:a%20b%3Ac');
    expect(tag('student', '1')).toBe(tag('student', 1n));
  });

  it.each([
    ['', 1],
    ['a:b', 1],
    ['1a', 1],
    ['student', ''],
    ['student', NaN],
    ['student', undefined],
    ['student', null],
    ['student', {}],
  ])('refuses tag(%p, %p)', (kind, id) => {
    expect(() => tag(kind, id as string)).toThrow(/ERC_TAG/);
  });

  it('PROPERTY no spaces, and different ids differ', () => {
    const id = fc.string({ unit: 'binary', minLength: 1 });
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(tag('k', a) === tag('k', b)).toBe(a === b);
        expect(tag('k', a)).not.toMatch(/\s/);
        expect(kindOf(tag('k', a))).toBe('k');
      }),
    );
  });
});

describe('whole kinds', () => {
  it('every kind of an entry can be addressed as a whole; what every entry has means everything', () => {
    expect(withWholeKinds(['viewer:7', 'student:1', 'student:2', 'type:x'])).toEqual([
      'viewer:7',
      'student:1',
      'student:2',
      'type:x',
      'student:*',
    ]);
    expect(wholeKind('viewer')).toBe(EVERYTHING);
    expect(wholeKind('report')).toBe(EVERYTHING);
    expect(tableTag('public.grade')).toBe('table:public.grade');
  });
});

describe('resolvePattern', () => {
  const types = new Set(['analytics', 'default']);
  it.each([
    ['*', ['*'], true],
    ['report:*', ['*'], true],
    ['report:42:*', ['report:42'], true],
    ['report:42:*:*', ['report:42'], true],
    ['report:*:7:*', ['viewer:7'], true],
    ['report:*:7!a!teacher:*', ['viewer:7'], false],
    ['report:42:7:*', ['report:42'], false],
    ['report:42:7:abc', ['key:report:42:7:abc'], true],
    ['student:456', ['student:456'], true],
    ['student:456:*', ['student:456'], true],
    ['analytics:*', ['type:analytics'], true],
    ['analytics:student:456:*', ['student:456'], false],
    ['analytics:student:*', ['type:analytics'], false],
    ['student:*', ['student:*'], true],
    ['student:a%20b', ['student:a%20b'], true],
    ['student:a b', ['student:a%20b'], true],
  ])('%s', (pattern, tags, exact) => {
    expect(resolvePattern(pattern, types)).toEqual({ tags, exact });
  });

  it.each([
    [''],
    ['report'],
    ['report:'],
    ['rep*'],
    ['student:4*'],
    ['*:7'],
    ['a:b:c:d'],
    ['student'],
    ['report:1:2:3:4'],
  ])('%s means nothing and says so', (pattern) => {
    expect(() => resolvePattern(pattern, types)).toThrow(/ERC_PATTERN/);
  });
});

describe('a pattern that names one entry', () => {
  it('names it also with a trailing *, and has no other wildcard in it', () => {
    expect(resolvePattern('report:42:7:abc', new Set())).toEqual({ tags: ['key:report:42:7:abc'], exact: true });
    expect(resolvePattern('report:42:7:abc:*', new Set())).toEqual({ tags: ['key:report:42:7:abc'], exact: true });
    const shared = 'report:42:*!t1!teacher:abc';
    expect(resolvePattern(shared, new Set())).toEqual({ tags: [`key:${shared}`], exact: true });
    expect(() => resolvePattern('report:*:7:abc', new Set())).toThrow(/ERC_PATTERN/);
  });
});
