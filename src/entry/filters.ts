// Typed filters: the only way from a query string into a key.
import { ReportCacheError } from '../contract/errors.js';
import { canonical, type FilterValue } from './canonical.js';

export type FilterKind = 'string' | 'integer' | 'number' | 'boolean' | 'date';

/** A filter with more to say than its kind. */
export type FilterSpec =
  | {
      readonly type: FilterKind;
      /** Taken when the parameter is absent, so that both ways of asking share one entry. */
      readonly default?: FilterValue;
      /** Smallest and largest number or integer, or shortest and longest string (default: at most 256 characters). */
      readonly min?: number;
      readonly max?: number;
    }
  | { readonly type: 'enum'; readonly values: readonly string[]; readonly default?: FilterValue }
  | {
      /** `?subject=math&subject=art`, `?subject[]=math`; order matters unless `sort` is true. */
      readonly type: 'array';
      readonly of: Filter;
      /** Most members. @default 100 */
      readonly max?: number;
      readonly sort?: boolean;
      readonly default?: FilterValue;
    }
  /** `?range[from]=…&range[to]=…`, where the application's query parser nests. */
  | { readonly type: 'object'; readonly fields: Filters };

/** A kind, a list of allowed words, or a {@link FilterSpec}. */
export type Filter = FilterKind | readonly string[] | FilterSpec;

/** The filters of a route, by parameter name. */
export type Filters = { readonly [name: string]: Filter };

export type ParsedFilters = { readonly [name: string]: FilterValue };

export type FilterResult =
  | {
      readonly ok: true;
      readonly values: ParsedFilters;
      /** Parameters that no filter declares. */ readonly unknown: readonly string[];
    }
  | { readonly ok: false; readonly parameter: string; readonly expected: string };

const KINDS: readonly string[] = ['string', 'integer', 'number', 'boolean', 'date'];
const LONGEST_STRING = 256;
const MOST_MEMBERS = 100;

/** A value that does not fit, with what would have. */
class Misfit extends Error {
  readonly parameter: string;
  readonly expected: string;
  constructor(parameter: string, expected: string) {
    super(expected);
    this.parameter = parameter;
    this.expected = expected;
  }
}

/** Checks a declaration when the route is set up. @throws ERC_FILTER naming the filter. */
export function checkFilters(filters: Filters, path = ''): void {
  if (typeof filters !== 'object' || filters === null || Array.isArray(filters)) {
    throw new ReportCacheError('ERC_FILTER', `The filters${path && ` of "${path}"`} are not an object.`);
  }
  for (const [name, filter] of Object.entries(filters)) checkFilter(filter, path ? `${path}[${name}]` : name);
}

function checkFilter(filter: Filter, path: string): void {
  const wrong = (why: string) => new ReportCacheError('ERC_FILTER', `Filter "${path}" ${why}.`);
  if (typeof filter === 'string') {
    if (!KINDS.includes(filter)) throw wrong(`has the unknown kind "${filter}"`);
    return;
  }
  if (isWords(filter)) {
    if (filter.length === 0 || !filter.every((word) => typeof word === 'string')) throw wrong('lists no words');
    return;
  }
  if (typeof filter !== 'object' || filter === null) throw wrong('is not a declaration');
  switch (filter.type) {
    case 'object':
      checkFilters(filter.fields, path);
      return;
    case 'array':
      checkFilter(filter.of, `${path}[]`);
      return;
    case 'enum':
      checkFilter(filter.values, path);
      return;
    case 'string':
    case 'integer':
    case 'number':
    case 'boolean':
    case 'date':
      return;
    default:
      throw wrong(`has the unknown type "${String((filter as { type?: unknown }).type)}"`);
  }
}

/**
 * Reads the declared filters out of a parsed query (`req.query`, whichever parser the application uses). Only the
 * query's own members count, so `__proto__` and inherited names are ordinary unknown parameters. An absent filter
 * takes its default, or stays out of the key.
 */
export function parseFilters(filters: Filters, query: unknown): FilterResult {
  try {
    const { values, unknown } = parseFields(filters, query, '');
    return { ok: true, values, unknown };
  } catch (error) {
    if (error instanceof Misfit) return { ok: false, parameter: error.parameter, expected: error.expected };
    throw error;
  }
}

function parseFields(filters: Filters, query: unknown, path: string) {
  if (typeof query !== 'object' || query === null || Array.isArray(query)) throw new Misfit(path, 'an object');
  const values: Record<string, FilterValue> = Object.create(null) as Record<string, FilterValue>;
  const unknown: string[] = [];
  for (const name of Object.keys(query))
    if (!Object.hasOwn(filters, name)) unknown.push(path ? `${path}[${name}]` : name);
  for (const [name, filter] of Object.entries(filters)) {
    const raw: unknown = Object.hasOwn(query, name) ? (query as Record<string, unknown>)[name] : undefined;
    const parsed = parseFilter(filter, raw, path ? `${path}[${name}]` : name, unknown);
    if (parsed !== undefined) values[name] = parsed;
  }
  return { values, unknown };
}

function parseFilter(filter: Filter, raw: unknown, path: string, unknown: string[]): FilterValue {
  if (typeof filter === 'string') return raw === undefined ? undefined : parseKind({ type: filter }, raw, path);
  if (isWords(filter)) return raw === undefined ? undefined : parseWord(filter, raw, path);
  if (filter.type === 'object') {
    if (raw === undefined) return undefined;
    const fields = parseFields(filter.fields, raw, path);
    unknown.push(...fields.unknown);
    return fields.values;
  }
  if (raw === undefined) return filter.default;
  switch (filter.type) {
    case 'enum':
      return parseWord(filter.values, raw, path);
    case 'array': {
      const members = Array.isArray(raw) ? (raw as unknown[]) : [raw];
      const most = filter.max ?? MOST_MEMBERS;
      if (members.length > most) throw new Misfit(path, `at most ${most} values`);
      const parsed = members.map((member) => parseFilter(filter.of, member, path, unknown));
      return filter.sort ? parsed.sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1)) : parsed;
    }
    default:
      return parseKind(filter, raw, path);
  }
}

function parseKind(spec: Extract<FilterSpec, { type: FilterKind }>, raw: unknown, path: string): FilterValue {
  // A repeated parameter arrives as an array; where one value is declared, no guess is made which of them counts.
  if (typeof raw !== 'string') throw new Misfit(path, `one ${spec.type}`);
  switch (spec.type) {
    case 'string': {
      const longest = spec.max ?? LONGEST_STRING;
      if (raw.length > longest || raw.length < (spec.min ?? 0))
        throw new Misfit(path, `a string of ${spec.min ?? 0} to ${longest} characters`);
      return raw;
    }
    case 'integer':
      if (!/^[+-]?\d{1,16}$/.test(raw) || !Number.isSafeInteger(Number(raw))) throw new Misfit(path, 'an integer');
      return within(spec, Number(raw), path);
    case 'number':
      if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(raw) || raw.length > 64 || !Number.isFinite(Number(raw)))
        throw new Misfit(path, 'a number');
      return within(spec, Number(raw), path);
    case 'boolean':
      if (raw === 'true' || raw === '1') return true;
      if (raw === 'false' || raw === '0') return false;
      throw new Misfit(path, 'true or false');
    case 'date':
      return parseDate(raw, path);
  }
}

/** `2024-05-31` or a full ISO 8601 time with a zone; a time without one would mean something else on every machine. */
function parseDate(raw: string, path: string): Date {
  const match = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.exec(raw);
  const date = match ? new Date(raw) : undefined;
  const day = match ? new Date(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`) : undefined;
  // Date rolls 31 February over into March; a rolled date has another day of the month.
  if (!date || !day || Number.isNaN(date.getTime()) || day.getUTCDate() !== Number(match?.[3])) {
    throw new Misfit(path, 'a date such as 2024-05-31 or 2024-05-31T08:00:00Z');
  }
  return date;
}

function within(
  spec: { readonly type: string; readonly min?: number; readonly max?: number },
  value: number,
  path: string,
): number {
  const { min = -Infinity, max = Infinity } = spec;
  if (value < min || value > max)
    throw new Misfit(path, `${spec.type === 'integer' ? 'an integer' : 'a number'} from ${min} to ${max}`);
  return value === 0 ? 0 : value;
}

function parseWord(words: readonly string[], raw: unknown, path: string): string {
  if (typeof raw === 'string' && words.includes(raw)) return raw;
  throw new Misfit(path, `one of ${words.join(', ')}`);
}

function isWords(filter: Filter): filter is readonly string[] {
  return Array.isArray(filter);
}
