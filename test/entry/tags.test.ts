// Tags and patterns: literal ids, whole kinds, and wildcards that come to tags.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { resolvePattern } from '../../src/entry/pattern.js';
import { EVERYTHING, isTag, kindOf, tableTag, tag, wholeKind, withWholeKinds } from '../../src/entry/tags.js';

const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 });
const kind = fc.oneof(
  fc.constantFrom('student', 'viewer', 'report', 'table'),
  fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/),
);

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

  it('PROPERTY every tag is recognised, and two meet only if kind and id are the same', () => {
    fc.assert(
      fc.property(kind, id, kind, id, (k, i, l, j) => {
        expect(isTag(tag(k, i))).toBe(true);
        expect(tag(k, i) === tag(l, j)).toBe(k === l && i === j);
        expect(tag(k, i)).not.toBe(wholeKind(k));
        expect(tag(k, i).length).toBeLessThanOrEqual(64 + 1 + 120);
      }),
    );
  });

  it('PROPERTY no spaces, and different ids differ', () => {
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

  it('PROPERTY an entry carries what it was given, the whole of each kind, and nothing of another kind', () => {
    const given = fc.array(fc.tuple(kind, id).map(([k, i]) => tag(k, i)));
    fc.assert(
      fc.property(given, (tags) => {
        const carried = withWholeKinds(tags);
        expect(new Set(carried).size).toBe(carried.length);
        expect(carried).toEqual(expect.arrayContaining(tags));
        const kinds = new Set(tags.map(kindOf));
        for (const one of kinds) expect([EVERYTHING, ...carried]).toContain(wholeKind(one));
        for (const one of carried) expect(kinds).toContain(kindOf(one));
        // What is carried already adds nothing.
        expect(withWholeKinds(carried)).toEqual(carried);
      }),
    );
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

describe('PROPERTY any text as a pattern', () => {
  it('comes to tags or is refused with ERC_PATTERN or ERC_TAG, and never to nothing', () => {
    const types = new Set(['analytics', 'default']);
    const segment = fc.oneof(fc.constantFrom('*', 'report', 'student', 'analytics', '7', '7!a!b'), fc.string());
    const text = fc.oneof(
      fc.string(),
      fc.array(segment, { maxLength: 5 }).map((parts) => parts.join(':')),
    );
    fc.assert(
      fc.property(text, (pattern) => {
        let tags: readonly string[];
        try {
          ({ tags } = resolvePattern(pattern, types));
        } catch (error) {
          expect(String(error)).toMatch(/ERC_(?:PATTERN|TAG)/);
          return;
        }
        expect(tags.length).toBeGreaterThan(0);
        for (const one of tags) expect(one).not.toMatch(/\s/);
      }),
      { numRuns: 1000 },
    );
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
