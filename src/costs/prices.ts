// What a call costs: pure, at the prices of its day.
import type { Cost, Usage } from '../contract/costs.js';
import { costOf, fromNanos } from '../entry/cost.js';
import type { CostPolicy, PriceStep } from '../options/costs.js';

/** Tokens alone where the model had no price at that time. */
export function priced({ prices, currency }: Pick<CostPolicy, 'prices' | 'currency'>, usage: Usage, now: number): Cost {
  const cost = costOf(usage);
  const step = stepAt(prices.get(usage.model ?? ''), now);
  if (step === undefined) return cost;
  // A price for a million tokens is a thousand times as many billionths for one.
  const nanos = Math.round((cost.inputTokens * step.input + cost.outputTokens * step.output) * 1000);
  return { ...cost, money: fromNanos(nanos), currency };
}

function stepAt(steps: readonly PriceStep[] = [], now: number): PriceStep | undefined {
  return steps.findLast(({ fromMs }) => fromMs <= now);
}
