// Keys: no two different inputs meet in one, and the same input always does.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Identity, Share } from '../../src/contract/identity.js';
import { canonical } from '../../src/entry/canonical.js';
import { encodeSegment } from '../../src/entry/encode.js';
import { identitySegment, reportKey, variantKey, type KeyParts } from '../../src/entry/key.js';

const parts = (overrides: Partial<KeyParts> = {}): KeyParts => ({
  type: 'student_progress',
  report: 42,
  identity: '123',
  filters: {},
  scope: '/reports/42',
  ...overrides,
});

/** Strings that a careless key would confuse. */
const awkward = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom(
    '',
    ':',
    '*',
    ' ',
    '%',
    '%3A',
    '!',
    '~',
    'a:b',
    'a%3Ab',
    '\ud800',
    '\udfff',
    '%uD800',
    'é',
    'é',
    '__proto__',
  ),
  fc.stringMatching(/^[:*!~% a]{0,8}$/),
);

describe('encodeSegment', () => {
  it('keeps plain ids readable', () => {
    expect(encodeSegment('u-1_2.3')).toBe('u-1_2.3');
    expect(encodeSegment('a:b*c d')).toBe('a%3Ab%2Ac%20d');
  });

  it('PROPERTY different texts have different encodings, without separators, never longer than 120', () => {
    fc.assert(
      fc.property(awkward, awkward, (a, b) => {
        const [x, y] = [encodeSegment(a), encodeSegment(b)];
        expect(x === y).toBe(a === b);
        expect(x).toMatch(/^[A-Za-z0-9._%~-]*$/);
        expect(x.length).toBeLessThanOrEqual(120);
      }),
      { numRuns: 3000 },
    );
  });

  it('a long text does not meet a short one whose encoding it spells', () => {
    const long = 'x'.repeat(10_000);
    expect(encodeSegment(encodeSegment(long))).not.toBe(encodeSegment(long));
    expect(encodeSegment('%20'.repeat(60))).not.toBe(encodeSegment(' '.repeat(60)));
    expect(encodeSegment('x'.repeat(10_000))).toHaveLength(44);
    expect(encodeSegment('\ud800'.repeat(200))).not.toBe(encodeSegment('\ud801'.repeat(200)));
  });
});

describe('canonical filters', () => {
  it('the order of names never matters, at any depth; the order of arrays does', () => {
    expect(canonical({ b: 1, a: { d: [1, 2], c: 'x' } })).toBe(canonical({ a: { c: 'x', d: [1, 2] }, b: 1 }));
    expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
  });

  it('values of different types differ', () => {
    const values = [
      1,
      '1',
      1n,
      true,
      'true',
      null,
      'null',
      [],
      {},
      [1],
      ['1'],
      new Date(1),
      '',
      [[]],
      [null],
      { a: null },
    ];
    expect(new Set(values.map((value) => canonical(value))).size).toBe(values.length);
  });

  it('an undefined member is an absent one, and minus zero is zero', () => {
    expect(canonical({ a: undefined })).toBe(canonical({}));
    expect(canonical(-0)).toBe(canonical(0));
  });

  it('__proto__ as a name is an ordinary name', () => {
    const polluted = JSON.parse('{"__proto__":{"a":1}}') as object;
    expect(canonical(polluted)).not.toBe(canonical({}));
  });

  it.each([[NaN], [Infinity], [() => 1], [Symbol('s')], [new Map()], [new (class Filter {})()], [new Date(NaN)]])(
    'refuses %p with a code',
    (value) => {
      expect(() => canonical({ value })).toThrow(/ERC_FILTER_VALUE/);
    },
  );

  it('refuses cycles and endless nesting', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(() => canonical(cycle)).toThrow(/ERC_FILTER_VALUE/);
  });

  it('PROPERTY equal exactly if deeply equal', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(value, value, (a, b) => {
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(canonical(a) === canonical(b)).toBe(same);
      }),
      { numRuns: 2000 },
    );
  });
});

/** A second opinion on equality: JSON of a value whose members are sorted and whose -0 is 0. */
function sorted(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return { members: members.map(([name, member]) => [name, sorted(member)]) };
}

describe('reportKey', () => {
  it('has the form report:<report>:<identity>:<hash>', () => {
    expect(reportKey(parts())).toMatch(/^report:42:123:[A-Za-z0-9_-]{43}$/);
  });

  it('PROPERTY keeps that form whatever the report is called: it stands in tags, which are cut at blanks', () => {
    fc.assert(
      fc.property(awkward, (report) => {
        expect(reportKey(parts({ report }))).toMatch(/^report:[^:\s]*:123:[A-Za-z0-9_-]{43}$/);
      }),
    );
  });

  it.each([
    ['type', { type: 'other' }],
    ['report', { report: 43 }],
    ['identity', { identity: '124' }],
    ['scope', { scope: '/reports/43' }],
    ['absence of a scope', { scope: undefined }],
    ['filters', { filters: { term: 'a' } }],
  ])('another %s alone makes another key', (_name, change) => {
    expect(reportKey(parts(change))).not.toBe(reportKey(parts()));
  });

  it('PROPERTY different report, identity, type, scope or filters: different key', () => {
    const input = fc.record({
      type: awkward,
      report: awkward,
      identity: fc.record({
        user: awkward,
        tenant: fc.option(awkward, { nil: undefined }),
        role: fc.option(awkward, { nil: undefined }),
      }),
      scope: fc.option(awkward, { nil: undefined }),
      filters: fc.dictionary(awkward, fc.oneof(awkward, fc.integer(), fc.array(awkward, { maxLength: 3 })), {
        maxKeys: 3,
      }),
    });
    const keyOf = (value: { identity: Identity } & Omit<KeyParts, 'identity'>) => {
      const identity = identitySegment(value.identity, 'user');
      return identity === undefined ? undefined : reportKey({ ...value, identity });
    };
    fc.assert(
      fc.property(input, input, (a, b) => {
        const [x, y] = [keyOf(a), keyOf(b)];
        if (x === undefined || y === undefined) return;
        const same =
          canonical([a.type, a.report, idOf(a.identity), a.scope ?? null, a.filters]) ===
          canonical([b.type, b.report, idOf(b.identity), b.scope ?? null, b.filters]);
        expect(x === y).toBe(same);
      }),
      { numRuns: 2000 },
    );
  });

  it('a filter value of 10 kB stays in the hash', () => {
    const long = (last: string) => reportKey(parts({ filters: { q: 'x'.repeat(10_000) + last } }));
    expect(long('a')).not.toBe(long('b'));
    expect(long('a').length).toBeLessThan(80);
  });
});

function idOf({ user, tenant, role }: Identity) {
  return [String(user), tenant === undefined ? null : String(tenant), role ?? null];
}

function segmentOf(identity: { user: string; tenant: string | null; role: string | null }, share: Share) {
  return identitySegment(identity as unknown as Identity, share);
}

describe('identitySegment', () => {
  it.each([
    [undefined],
    [null],
    [false],
    [''],
    [0],
    [{ user: '' }],
    [{ user: undefined }],
    [{ user: null }],
    [{ user: NaN }],
    [{ user: {} }],
    [{ user: [] }],
    [{ user: true }],
    [{ user: 'undefined' }],
    [{ user: 'null' }],
    [{ user: '[object Object]' }],
    [{ user: 7, tenant: '' }],
    [{ user: 7, role: '' }],
    [{ user: 7, tenant: {} }],
  ] as unknown as [Identity][])('%j is nobody: no key at all, never a shared one', (identity) => {
    expect(identitySegment(identity, 'user')).toBeUndefined();
    expect(identitySegment(identity, 'tenant')).toBeUndefined();
    expect(identitySegment(identity, 'role')).toBeUndefined();
  });

  it('the same id as number, string or bigint is the same user', () => {
    expect(new Set([7, '7', 7n].map((user) => identitySegment({ user }, 'user'))).size).toBe(1);
  });

  it('tenant and role are part of it where given', () => {
    const segments = [
      identitySegment({ user: 7 }, 'user'),
      identitySegment({ user: 7, tenant: 'a' }, 'user'),
      identitySegment({ user: 7, role: 'a' }, 'user'),
      identitySegment({ user: 7, tenant: 'a', role: 'b' }, 'user'),
      identitySegment({ user: 'a!7' }, 'user'),
    ];
    expect(new Set(segments).size).toBe(segments.length);
  });

  it('PROPERTY two people are told apart by user, tenant and role, each of them', () => {
    const word = fc.constantFrom('a', 'b', 'a!', '!a', 'a!b', '*', '~');
    const person = fc.record({ user: word, tenant: fc.option(word), role: fc.option(word) });
    fc.assert(
      fc.property(person, person, (one, other) => {
        const same = one.user === other.user && one.tenant === other.tenant && one.role === other.role;
        expect(segmentOf(one, 'user') === segmentOf(other, 'user')).toBe(same);
      }),
      { numRuns: 3000 },
    );
  });

  it('PROPERTY a shared segment is told apart by exactly what it is shared by', () => {
    const word = fc.constantFrom('a', 'b', 'a!', '!a', '*');
    const person = fc.record({ user: word, tenant: word, role: word });
    fc.assert(
      fc.property(person, person, (one, other) => {
        const sameTenant = one.tenant === other.tenant;
        expect(segmentOf(one, 'tenant') === segmentOf(other, 'tenant')).toBe(sameTenant);
        expect(segmentOf(one, 'role') === segmentOf(other, 'role')).toBe(sameTenant && one.role === other.role);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['', 'undefined', NaN, null])('nobody (%p) is nobody, even among those who share', (user) => {
    const identity = { user, tenant: 'a', role: 'b' } as unknown as Identity;
    for (const share of ['user', 'role', 'tenant'] as const) expect(identitySegment(identity, share)).toBeUndefined();
  });

  it('sharing is explicit, and impossible for who has no tenant or role', () => {
    expect(identitySegment({ user: 7, tenant: 'a' }, 'tenant')).toBe(
      identitySegment({ user: 8, tenant: 'a' }, 'tenant'),
    );
    expect(identitySegment({ user: 7, role: 't' }, 'role')).toBe(identitySegment({ user: 8, role: 't' }, 'role'));
    expect(identitySegment({ user: 7 }, 'tenant')).toBeUndefined();
    expect(identitySegment({ user: 7 }, 'role')).toBeUndefined();
    expect(identitySegment(undefined, 'everyone')).toBe('*');
    const shared = [
      identitySegment({ user: '*' }, 'user'),
      identitySegment(null, 'everyone'),
      identitySegment({ user: 1, tenant: 'a' }, 'tenant'),
    ];
    expect(new Set(shared).size).toBe(3);
  });
});

describe('variantKey', () => {
  it('an absent header differs from an empty one, the order and case of names do not matter', () => {
    expect(variantKey('k', [], [])).toBe('k');
    expect(variantKey('k', ['A'], [undefined])).not.toBe(variantKey('k', ['A'], ['']));
    expect(variantKey('k', ['A', 'B'], ['1', '2'])).toBe(variantKey('k', ['b', 'a'], ['2', '1']));
    expect(variantKey('k', ['A'], ['1'])).not.toBe(variantKey('k', ['B'], ['1']));
  });
});
