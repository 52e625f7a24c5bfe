// JSON as the form in which values are kept for years: what it would change is refused.
import { describe, expect, it } from '@jest/globals';
import { jsonCodec } from '../../src/entry/value-codec.js';

const circle: Record<string, unknown> = {};
circle['self'] = { circle };
const shared = { one: 1 };

describe('jsonCodec', () => {
  it.each([
    [null],
    [true],
    [0],
    [-1.5],
    ['é'],
    [[]],
    [{}],
    [{ a: [1, { b: null }], 'ü"': '\u2028' }],
    [[shared, shared]],
  ])('%j comes back the same', (value) => {
    expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(value);
  });

  it.each([
    ['undefined', undefined],
    ['a member that is undefined', { a: undefined }],
    ['NaN', [Number.NaN]],
    ['a bigint', 1n],
    ['a date', { at: new Date(0) }],
    ['a map', new Map()],
    ['bytes', Buffer.from('x')],
    ['a function', () => 1],
    ['an instance', new (class Lesson {})()],
    ['a circle', circle],
  ])('%s is refused', (_name, value) => {
    expect(() => jsonCodec.encode(value)).toThrow('ERC_VALUE');
  });
});
