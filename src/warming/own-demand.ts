// The demand of a process that is alone: in its memory, and gone with it.
import type { SharedDemand, Worths } from './demand.js';

interface Hour {
  readonly week: number;
  readonly worths: Map<string, number>;
}

export class OwnDemand implements SharedDemand {
  readonly #hours = new Map<number, Hour>();

  /** @param most of each hour */
  constructor(private readonly most: number) {}

  add(hour: number, week: number, worths: Worths): Promise<void> {
    const known = this.#hours.get(hour);
    const sums = new Map<string, number>();
    // Each week counts half of the next.
    for (const [asked, worth] of known?.worths ?? []) sums.set(asked, worth / 2 ** (week - (known?.week ?? week)));
    for (const [asked, worth] of worths) sums.set(asked, (sums.get(asked) ?? 0) + worth);
    const kept = [...sums].sort(([, a], [, b]) => b - a).slice(0, this.most);
    this.#hours.set(hour, { week, worths: new Map(kept) });
    return Promise.resolve();
  }

  read(hours: readonly number[]): Promise<readonly Worths[]> {
    return Promise.resolve(hours.map((hour) => this.#hours.get(hour)?.worths ?? new Map<string, number>()));
  }
}
