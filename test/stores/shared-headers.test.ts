// Header fields that entries have in common: one copy, never another entry's fields, and a bound.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { HeaderField } from '../../src/contract/entry.js';
import { SharedHeaders } from '../../src/stores/memory/shared-headers.js';

const json = (): HeaderField[] => [['Content-Type', 'application/json']];

describe('shared header fields', () => {
  it('are one array for all that say the same', () => {
    const shared = new SharedHeaders();
    const first = shared.of(json());
    expect(shared.of(json())).toBe(first);
  });

  it('are always what was given', () => {
    const value = fc.oneof(
      fc.constantFrom('a', 'b', 'a,b', '"a"'),
      fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }),
    );
    const field = fc.tuple(fc.constantFrom('Vary', 'vary', 'X'), value);
    fc.assert(
      fc.property(fc.array(fc.array(field, { maxLength: 3 }), { maxLength: 20 }), (all) => {
        const shared = new SharedHeaders();
        for (const fields of all) expect(shared.of(fields)).toEqual(fields);
      }),
    );
  });

  it('are not kept where they are long, nor all that ever were', () => {
    const shared = new SharedHeaders();
    const long = (): HeaderField[] => [['X-Long', 'x'.repeat(2000)]];
    expect(shared.of(long())).not.toBe(shared.of(long()));
    const first = shared.of(json());
    for (let nth = 0; nth < 300; nth += 1) shared.of([['X', String(nth)]]);
    expect(shared.of(json())).not.toBe(first);
  });
});
