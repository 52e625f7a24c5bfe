// Cache-Control: text to directives and back.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { has, parseCacheControl, printCacheControl, secondsOf } from '../../src/http/cache-control.js';

describe('parseCacheControl (RFC 9111 §5.2)', () => {
  it.each([
    ['no-store', [{ name: 'no-store' }]],
    ['No-STORE', [{ name: 'no-store' }]],
    ['private,max-age=60', [{ name: 'private' }, { name: 'max-age', value: '60' }]],
    ['max-age="60"', [{ name: 'max-age', value: '60' }]],
    ['max-age=', [{ name: 'max-age', value: '' }]],
    [' ,, private ,\t,', [{ name: 'private' }]],
    ['no-cache="Set-Cookie, X-A", private', [{ name: 'no-cache', value: 'Set-Cookie, X-A' }, { name: 'private' }]],
    ['ext="no-store"', [{ name: 'ext', value: 'no-store' }]],
    ['ext="a, no-store, b"', [{ name: 'ext', value: 'a, no-store, b' }]],
    ['ext="a\\", no-store"', [{ name: 'ext', value: 'a", no-store' }]],
    ['ext="open, no-store', [{ name: 'ext', value: '"open' }, { name: 'no-store' }]],
    ['x", no-store, y"', [{ name: 'no-store' }]],
    ['no store, private', [{ name: 'private' }]],
    ['="x", private', [{ name: 'private' }]],
    ['', []],
  ])('%j', (line, directives) => {
    expect(parseCacheControl(line)).toEqual(directives);
  });

  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/);
  const value = fc.string({ unit: fc.constantFrom(...Array.from('ab0 ,="\\;-')), maxLength: 8 });
  const directive = fc.record({ name, value }, { requiredKeys: ['name'] });

  it('reads back what it prints', () => {
    fc.assert(
      fc.property(fc.array(directive), (directives) => {
        expect(parseCacheControl(printCacheControl(directives))).toEqual(directives.map((one) => ({ ...one })));
      }),
    );
  });

  it('finds no-store anywhere between other directives, in any case', () => {
    const spelling = fc.constantFrom('no-store', 'No-Store', 'NO-STORE', ' no-store\t');
    fc.assert(
      fc.property(fc.array(directive), spelling, fc.array(directive), (before, noStore, after) => {
        const line = [printCacheControl(before), noStore, printCacheControl(after)].join(',');
        expect(has(parseCacheControl(line), 'no-store')).toBe(true);
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', '\\', ',', '=', ' ', 'a', '0') }), (line) => {
        expect(parseCacheControl(line).every(({ name }) => name !== '')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('secondsOf (RFC 9111 §1.2.2, §4.2.1)', () => {
  it.each([
    ['max-age=60', 60],
    ['max-age="60"', 60],
    ['max-age=60, max-age=30', 30],
    ['MAX-AGE=0', 0],
    ['max-age=99999999999999999999', 2 ** 31],
    ['max-age=-1', 'invalid'],
    ['max-age=1.5', 'invalid'],
    ['max-age=1e3', 'invalid'],
    ['max-age=', 'invalid'],
    ['max-age', 'invalid'],
    ['max-age=60, max-age=x', 'invalid'],
    ['s-maxage=60', undefined],
  ])('%j: %s', (line, seconds) => {
    expect(secondsOf(parseCacheControl(line), 'max-age')).toBe(seconds);
  });
});
