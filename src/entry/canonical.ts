// One text for one value: the canonical form of filters, injective over types and independent of key order.
import { ReportCacheError } from '../contract/errors.js';

/** Values that may be filters. Members that are `undefined` count as absent. */
export type FilterValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Date
  | readonly FilterValue[]
  | { readonly [name: string]: FilterValue };

const MAX_DEPTH = 32;

/**
 * Writes `value` so that equal values give equal texts and different values different ones: every type has its own
 * mark (`1`, `"1"`, `1n` and a Date differ), members are sorted by name at every depth, arrays keep their order.
 * @throws ERC_FILTER_VALUE for functions, symbols, class instances, NaN, infinities, cycles and nesting beyond 32.
 */
export function canonical(value: unknown, depth = 0): string {
  if (depth > MAX_DEPTH) throw new ReportCacheError('ERC_FILTER_VALUE', `Filters are nested deeper than ${MAX_DEPTH}.`);
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'T' : 'F';
    case 'number':
      if (!Number.isFinite(value)) throw new ReportCacheError('ERC_FILTER_VALUE', `${value} is not a filter value.`);
      return Object.is(value, -0) ? '0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'undefined':
      return 'U';
    case 'object':
      return value === null ? 'N' : canonicalObject(value, depth);
    default:
      throw new ReportCacheError('ERC_FILTER_VALUE', `A ${typeof value} is not a filter value.`);
  }
}

function canonicalObject(value: object, depth: number): string {
  if (Array.isArray(value)) return `[${value.map((member) => canonical(member, depth + 1)).join(',')}]`;
  if (value instanceof Date) {
    const time = value.getTime();
    if (Number.isNaN(time)) throw new ReportCacheError('ERC_FILTER_VALUE', 'An invalid Date is not a filter value.');
    return `D${time}`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    throw new ReportCacheError('ERC_FILTER_VALUE', 'A class instance is not a filter value.');
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  // Code-unit order: the same on every machine, whatever its locale.
  members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member, depth + 1)}`).join(',')}}`;
}
