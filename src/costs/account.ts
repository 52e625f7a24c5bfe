// Who keeps account of runs: prices what they tell, and passes it on.
import type { Clock } from '../contract/clock.js';
import type { Cost, Meter, Run, Usage } from '../contract/costs.js';
import type { EventSink } from '../contract/events.js';
import type { CostPolicy } from '../options/costs.js';
import { priced } from './prices.js';

/** Models without a price that are told of. */
const MOST_TOLD = 100;

export class Account implements Meter {
  readonly #unpriced = new Set<string>();

  /** @param spent is told of each run's costs, with whose they are. */
  constructor(
    private readonly policy: CostPolicy,
    private readonly clock: Clock,
    private readonly emit: EventSink,
    private readonly spent: (run: Run, cost: Cost) => void = () => undefined,
  ) {}

  spend({ type, owner }: Run, usage: Usage): Cost {
    const cost = priced(this.policy, usage, this.clock.now());
    if (cost.money === undefined && this.policy.prices.size > 0) this.#tellUnpriced(cost.models[0] ?? '');
    this.emit({ kind: 'spent', type, cost });
    this.spent({ type, owner }, cost);
    return cost;
  }

  #tellUnpriced(model: string): void {
    if (this.#unpriced.has(model) || this.#unpriced.size >= MOST_TOLD) return;
    this.#unpriced.add(model);
    const message = `The model ${JSON.stringify(model)} has no price in \`costs.prices\` today: its tokens are counted, its money is not.`;
    this.emit({ kind: 'advice', code: 'cost-price', message });
  }
}
