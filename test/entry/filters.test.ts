// Typed filters: the only way from a query string into a key.
import { describe, expect, it } from '@jest/globals';
import { checkFilters, parseFilters, type Filters } from '../../src/entry/filters.js';

const FILTERS: Filters = {
  term: 'string',
  subject: ['math', 'english'],
  page: { type: 'integer', default: 1, min: 1, max: 100 },
  ratio: 'number',
  active: 'boolean',
  from: 'date',
  ids: { type: 'array', of: 'integer', max: 3, sort: true },
  range: { type: 'object', fields: { from: 'date', to: 'date' } },
};

const values = (query: unknown) => {
  const result = parseFilters(FILTERS, query);
  if (!result.ok) throw new Error(`${result.parameter}: ${result.expected}`);
  return { ...result.values };
};
const misfit = (query: unknown) => {
  const result = parseFilters(FILTERS, query);
  return result.ok ? undefined : result.parameter;
};

describe('parseFilters', () => {
  it('coerces, so that ways of writing the same value are the same value', () => {
    expect(values({ page: '01' })).toEqual(values({ page: '1' }));
    expect(values({ page: '+7' })['page']).toBe(7);
    expect(values({ ratio: '1.50' })['ratio']).toBe(1.5);
    expect(values({ ratio: '-0' })['ratio']).toBe(0);
    expect(values({ active: '1' })['active']).toBe(true);
    expect(values({ from: '2024-05-31T10:00:00+02:00' })).toEqual(values({ from: '2024-05-31T08:00:00Z' }));
  });

  it('a default makes absent and explicit the same; without one absent stays absent', () => {
    expect(values({})).toEqual({ page: 1 });
    expect(values({ page: '1' })).toEqual({ page: 1 });
    expect(values({ term: '' })).toEqual({ page: 1, term: '' });
  });

  it('arrays: one or many, sorted only where declared', () => {
    expect(values({ ids: '3' })['ids']).toEqual([3]);
    expect(values({ ids: ['3', '1', '2'] })['ids']).toEqual([1, 2, 3]);
    expect(values({ ids: [] })['ids']).toEqual([]);
  });

  it('nested objects', () => {
    expect(values({ range: { from: '2024-01-01' } })['range']).toEqual({ from: new Date('2024-01-01') });
    expect(misfit({ range: { from: 'soon' } })).toBe('range[from]');
    expect(misfit({ range: 'x' })).toBe('range');
  });

  it.each([
    [{ page: 'a' }, 'page'],
    [{ page: '1.5' }, 'page'],
    [{ page: '0' }, 'page'],
    [{ page: '101' }, 'page'],
    [{ page: '' }, 'page'],
    [{ page: ' 1' }, 'page'],
    [{ page: '1e2' }, 'page'],
    [{ page: '99999999999999999999' }, 'page'],
    [{ page: ['1', '2'] }, 'page'],
    [{ page: { a: '1' } }, 'page'],
    [{ ratio: 'NaN' }, 'ratio'],
    [{ ratio: 'Infinity' }, 'ratio'],
    [{ ratio: '0x10' }, 'ratio'],
    [{ ratio: '1e999' }, 'ratio'],
    [{ active: 'yes' }, 'active'],
    [{ subject: 'art' }, 'subject'],
    [{ subject: 'constructor' }, 'subject'],
    [{ from: '2024-02-31' }, 'from'],
    [{ from: '2024-05-31T10:00' }, 'from'],
    [{ from: 'yesterday' }, 'from'],
    [{ ids: ['1', '2', '3', '4'] }, 'ids'],
    [{ ids: ['x'] }, 'ids'],
    [{ term: 'x'.repeat(257) }, 'term'],
  ])('%j does not fit', (query, parameter) => {
    expect(misfit(query)).toBe(parameter);
  });

  it('names what no filter declares, nested names too', () => {
    const result = parseFilters(FILTERS, { utm: '1', range: { until: '2024-01-01' } });
    expect(result.ok && result.unknown).toEqual(['utm', 'range[until]']);
  });

  it('__proto__, constructor and inherited names are ordinary unknown parameters', () => {
    const query = JSON.parse('{"__proto__":"1","constructor":"2","toString":"3"}') as object;
    const result = parseFilters(FILTERS, query);
    expect(result.ok && [...result.unknown].sort()).toEqual(['__proto__', 'constructor', 'toString']);
    const inherited = Object.create({ page: '7' }) as object;
    expect(values(inherited)).toEqual({ page: 1 });
  });

  it('works on the null-prototype objects of Express 5', () => {
    const query = Object.assign(Object.create(null) as object, { page: '2' });
    expect(values(query)).toEqual({ page: 2 });
  });
});

describe('checkFilters', () => {
  it.each([
    [{ a: 'text' }],
    [{ a: [] }],
    [{ a: [1] }],
    [{ a: { type: 'list' } }],
    [{ a: null }],
    [{ a: 5 }],
    [{ a: { type: 'object', fields: { b: 'text' } } }],
    [{ a: { type: 'array', of: 'text' } }],
    [[]],
    [null],
  ])('refuses %j when the route is set up', (filters) => {
    expect(() => checkFilters(filters as unknown as Filters)).toThrow(/ERC_FILTER/);
  });

  it('accepts every documented form', () => {
    expect(() => checkFilters(FILTERS)).not.toThrow();
  });
});
