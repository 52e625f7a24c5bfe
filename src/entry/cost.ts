// Arithmetic of costs: pure, and exact to the billionth of a currency.
import type { Cost, Usage } from '../contract/costs.js';

/** Names of models that are kept with an entry, and letters of each. */
const MOST_MODELS = 8;
const LONGEST_MODEL = 64;

/** Sums are made of these, because fractions do not add up. */
export function toNanos(money: number): number {
  return Math.round(money * 1e9);
}

export function fromNanos(nanos: number): number {
  return nanos / 1e9;
}

/** What is no count of tokens counts as none: a loader's slip is no reason to lose its result. */
export function tokens(count: unknown): number {
  return Number.isSafeInteger(count) && (count as number) > 0 ? (count as number) : 0;
}

/** Without money. */
export function costOf({ model, inputTokens, outputTokens }: Usage): Cost {
  const models = typeof model === 'string' && model !== '' ? [model.slice(0, LONGEST_MODEL)] : [];
  return { inputTokens: tokens(inputTokens), outputTokens: tokens(outputTokens), models };
}

/** Two currencies do not add up: then the money of the first stands. */
export function plus(one: Cost | undefined, other: Cost): Cost {
  if (one === undefined) return other;
  const sameCurrency = one.currency === undefined || other.currency === undefined || one.currency === other.currency;
  const currency = one.currency ?? other.currency;
  const money = fromNanos(toNanos(one.money ?? 0) + (sameCurrency ? toNanos(other.money ?? 0) : 0));
  return {
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    models: [...new Set([...one.models, ...other.models])].slice(0, MOST_MODELS),
    ...(currency !== undefined && { money, currency }),
  };
}
