// What one run has cost so far.
import type { Cost, Meter, Run, Usage } from '../contract/costs.js';
import { costOf, plus } from '../entry/cost.js';

/** Where nobody keeps account, tokens stand with the entry all the same. */
export const NO_ACCOUNT: Meter = { spend: (_run, usage) => costOf(usage) };

export class Bill {
  #cost: Cost | undefined;

  constructor(
    private readonly meter: Meter,
    private readonly run: Run,
  ) {}

  /** Also after the run has ended: then it is counted, and no entry says so. */
  add(usage: Usage): void {
    this.#cost = plus(this.#cost, this.meter.spend(this.run, usage));
  }

  /** What an earlier run has cost, whose result this one has only looked up: counted then, and not again. */
  carry(cost: Cost): void {
    this.#cost = cost;
  }

  /** Undefined: nothing was told. */
  get cost(): Cost | undefined {
    return this.#cost;
  }
}
