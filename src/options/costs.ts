// Options of costs to resolved ones: what is wrong is said here.
import { toNanos } from '../entry/cost.js';
import type { CostOptions, Price, SpendLimit, SpendLimits } from './cost-options.js';
import { DEFAULTS } from './defaults.js';
import { parseDuration } from './duration.js';
import { onlyKnown, wrong } from './checks.js';

/** In force from `fromMs`; for a million tokens. */
export interface PriceStep {
  readonly fromMs: number;
  readonly input: number;
  readonly output: number;
}

/** Tokens and billionths of the currency. */
export interface ResolvedLimit {
  readonly tokens: number;
  readonly nanos: number;
}

export interface CostPolicy {
  /** By model, oldest first. */
  readonly prices: ReadonlyMap<string, readonly PriceStep[]>;
  /** Empty: there are no prices. */
  readonly currency: string;
  readonly flushMs: number;
  readonly limits: ReadonlyMap<string, { readonly perUser: ResolvedLimit; readonly total: ResolvedLimit }>;
}

const COST_OPTIONS = ['prices', 'flush', 'limits'] as const satisfies readonly (keyof CostOptions)[];
const PRICE_FIELDS = [
  'model',
  'from',
  'inputPerMillion',
  'outputPerMillion',
  'currency',
] as const satisfies readonly (keyof Price)[];

/** @throws ERC_OPTION */
export function parseCosts(options: CostOptions, types: ReadonlySet<string>): CostPolicy {
  if (typeof options !== 'object' || options === null) throw wrong('costs', options, 'its options, or {}');
  onlyKnown(options, COST_OPTIONS, 'costs.');
  const { prices: given = [], limits = {} } = options;
  if (!Array.isArray(given)) throw wrong('costs.prices', given, 'a list of prices');
  const prices = parsePrices(given);
  const currency = given[0]?.currency ?? '';
  const flushMs = parseDuration(options.flush ?? DEFAULTS.costFlush, 'costs.flush');
  if (flushMs === 0) throw wrong('costs.flush', options.flush, 'a duration above 0');
  return { prices, currency, flushMs, limits: parseLimits(limits, types, currency) };
}

function parsePrices(given: readonly Price[]): Map<string, PriceStep[]> {
  const prices = new Map<string, PriceStep[]>();
  for (const [index, price] of given.entries()) {
    const option = `costs.prices[${index}]`;
    if (typeof price !== 'object' || price === null) throw wrong(option, price, 'a price');
    onlyKnown(price, PRICE_FIELDS, `${option}.`);
    const { model, from, inputPerMillion: input, outputPerMillion: output, currency } = price;
    if (typeof model !== 'string' || model === '') throw wrong(`${option}.model`, model, 'the name of a model');
    if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency))
      throw wrong(`${option}.currency`, currency, 'a currency such as USD');
    if (currency !== given[0]?.currency)
      throw wrong(`${option}.currency`, currency, 'the same currency in all rows, since they are added up');
    amount(`${option}.inputPerMillion`, input);
    amount(`${option}.outputPerMillion`, output);
    const steps = prices.get(model) ?? [];
    const fromMs = dayStart(from);
    if (fromMs === undefined) throw wrong(`${option}.from`, from, 'a day such as 2026-01-31');
    if (steps.some((step) => step.fromMs === fromMs))
      throw wrong(`${option}.from`, from, 'one price of a model for a day');
    prices.set(
      model,
      [...steps, { fromMs, input, output }].sort((one, other) => one.fromMs - other.fromMs),
    );
  }
  return prices;
}

function parseLimits(
  given: Readonly<Record<string, SpendLimits>>,
  types: ReadonlySet<string>,
  currency: string,
): CostPolicy['limits'] {
  const limits = new Map<string, { perUser: ResolvedLimit; total: ResolvedLimit }>();
  for (const [type, limit] of Object.entries(given)) {
    const option = `costs.limits.${type}`;
    if (!types.has(type)) throw wrong('costs.limits', type, `report types; there are ${[...types].join(', ')}`);
    if (typeof limit !== 'object' || limit === null) throw wrong(option, limit, '{ perUser, total }');
    onlyKnown(limit, ['perUser', 'total'], `${option}.`);
    limits.set(type, {
      perUser: parseLimit(limit.perUser ?? {}, `${option}.perUser`, currency),
      total: parseLimit(limit.total ?? {}, `${option}.total`, currency),
    });
  }
  return limits;
}

function parseLimit(limit: SpendLimit, option: string, currency: string): ResolvedLimit {
  if (typeof limit !== 'object' || limit === null) throw wrong(option, limit, '{ tokens, money }');
  onlyKnown(limit, ['tokens', 'money'], `${option}.`);
  const { tokens, money } = limit;
  for (const [name, value] of Object.entries(limit)) amount(`${option}.${name}`, value);
  if (money !== undefined && currency === '')
    throw wrong(`${option}.money`, money, 'an amount only where there are `prices`');
  return { tokens: tokens ?? Infinity, nanos: money === undefined ? Infinity : toNanos(money) };
}

function amount(option: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > 1e9)
    throw wrong(option, value, 'a number from 0 to a billion');
}

/** When a day (UTC) begins, ms; undefined: it is none. */
export function dayStart(day: unknown): number | undefined {
  if (typeof day !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(day)) return undefined;
  const at = Date.parse(`${day}T00:00:00Z`);
  // The 31st of February would be one in March.
  return Number.isNaN(at) || !new Date(at).toISOString().startsWith(day) ? undefined : at;
}
