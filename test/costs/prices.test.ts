// Prices: which one holds on which day, exact sums, and what is refused.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Cost } from '../../src/contract/costs.js';
import { priced } from '../../src/costs/prices.js';
import { plus, toNanos } from '../../src/entry/cost.js';
import type { Price } from '../../src/options/cost-options.js';
import { parseCosts } from '../../src/options/costs.js';

const price = (from: string, inputPerMillion: number, more: Partial<Price> = {}): Price => ({
  model: 'small',
  from,
  inputPerMillion,
  outputPerMillion: 4 * inputPerMillion,
  currency: 'USD',
  ...more,
});
const TYPES = new Set(['custom']);
const at = (time: string) => Date.parse(time);

describe('a price', () => {
  // In no order: a list grows as people write it.
  const policy = parseCosts({ prices: [price('2026-03-01', 0.1), price('2026-01-01', 0.15)] }, TYPES);
  const usage = { model: 'small', inputTokens: 1000, outputTokens: 500 };

  it.each([
    ['2025-12-31T23:59:59.999Z', undefined],
    ['2026-01-01T00:00:00Z', 0.000_45],
    ['2026-02-28T23:59:59.999Z', 0.000_45],
    ['2026-03-01T00:00:00Z', 0.000_3],
    ['2030-01-01T00:00:00Z', 0.000_3],
  ])('at %s is that of its day: %p', (time, money) => {
    expect(priced(policy, usage, at(time)).money).toBe(money);
  });

  it('of an unknown model, or none, is none: tokens only', () => {
    const now = at('2026-02-01T00:00:00Z');
    expect(priced(policy, { ...usage, model: 'large' }, now)).toEqual({
      inputTokens: 1000,
      outputTokens: 500,
      models: ['large'],
    });
    expect(priced(policy, { outputTokens: 5 }, now)).toEqual({ inputTokens: 0, outputTokens: 5, models: [] });
  });

  it('of what is no count of tokens is that of none', () => {
    for (const inputTokens of [-1, NaN, 1.5, Infinity, '7' as never])
      expect(priced(policy, { model: 'small', inputTokens }, at('2026-02-01T00:00:00Z'))).toMatchObject({
        inputTokens: 0,
        money: 0,
      });
  });
});

it('costs add up exactly, in any order', () => {
  const policy = parseCosts({ prices: [price('2026-01-01', 0.075)] }, TYPES);
  const tokens = fc.integer({ min: 0, max: 2_000_000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(tokens, tokens), { minLength: 1, maxLength: 40 }), (calls) => {
      const costs = calls.map(([inputTokens, outputTokens]) =>
        priced(policy, { model: 'small', inputTokens, outputTokens }, at('2026-01-05T00:00:00Z')),
      );
      const total = (of: readonly Cost[]) => of.reduce<Cost | undefined>((sum, one) => plus(sum, one), undefined);
      const nanos = calls.reduce((sum, [input, output]) => sum + Math.round((input * 0.075 + output * 0.3) * 1000), 0);
      expect(toNanos(total(costs)?.money ?? 0)).toBe(nanos);
      expect(total([...costs].reverse())).toEqual(total(costs));
    }),
  );
});

it('names eight models at most, and no more than 64 letters of each', () => {
  const cost = Array.from({ length: 20 }, (_, index) => ({ model: `${index}`.padEnd(100, 'x') })).reduce<
    Cost | undefined
  >((sum, usage) => plus(sum, priced(parseCosts({}, TYPES), usage, 0)), undefined);
  expect(cost?.models).toHaveLength(8);
  expect(cost?.models[0]).toHaveLength(64);
});

describe('refused with ERC_OPTION', () => {
  it.each<[string, unknown, RegExp]>([
    ['no object', true, /costs is true/],
    ['an unknown option', { price: [] }, /no option "costs.price"/],
    ['no list', { prices: {} }, /costs\.prices/],
    ['no price', { prices: [null] }, /prices\[0\]/],
    ['an unknown field', { prices: [{ ...price('2026-01-01', 1), perToken: 1 }] }, /perToken/],
    ['no model', { prices: [price('2026-01-01', 1, { model: '' })] }, /model/],
    ['no day', { prices: [price('2026-02-31', 1)] }, /from/],
    ['a time', { prices: [price('2026-01-01T00:00:00Z', 1)] }, /from/],
    ['a price below zero', { prices: [price('2026-01-01', -1)] }, /inputPerMillion/],
    ['a text for a price', { prices: [price('2026-01-01', '1' as never)] }, /inputPerMillion/],
    ['no currency', { prices: [price('2026-01-01', 1, { currency: '$' })] }, /currency/],
    [
      'two currencies',
      { prices: [price('2026-01-01', 1), price('2026-02-01', 1, { currency: 'EUR' })] },
      /same currency/,
    ],
    ['two prices of a day', { prices: [price('2026-01-01', 1), price('2026-01-01', 2)] }, /one price/],
    ['a limit of an unknown type', { limits: { insight: {} } }, /costs\.limits is "insight"/],
    ['no limit', { limits: { custom: 5 } }, /costs\.limits\.custom/],
    ['an unknown limit', { limits: { custom: { daily: {} } } }, /custom\.daily/],
    ['an unknown unit', { limits: { custom: { total: { calls: 1 } } } }, /total\.calls/],
    ['tokens below zero', { limits: { custom: { total: { tokens: -1 } } } }, /total\.tokens/],
    ['money without prices', { limits: { custom: { perUser: { money: 1 } } } }, /perUser\.money/],
    ['no time between two flushes', { flush: '0s' }, /costs\.flush/],
  ])('%s', (_name, options, message) => {
    expect(() => parseCosts(options as never, TYPES)).toThrow(message);
    expect(() => parseCosts(options as never, TYPES)).toThrow(/^ERC_OPTION/);
  });
});
