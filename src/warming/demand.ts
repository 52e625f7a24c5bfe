// What readers ask for in each hour of the week, and what that is worth: counted here, told to where all processes are added up.
import type { Clock, TimerHandle } from '../contract/clock.js';
import type { Asked } from '../contract/warming.js';
import { hourOfWeek, hoursFrom, weekOf } from './week.js';

/** By the text of what was asked for: requests × time to compute, ms. */
export type Worths = ReadonlyMap<string, number>;

/** What was asked for in the hours of the week, over weeks; those of the last count most. */
export interface SharedDemand {
  /** @throws where it cannot be told */
  add(hour: number, week: number, worths: Worths): Promise<void>;
  /** The best of each hour. @throws where it does not answer */
  read(hours: readonly number[]): Promise<readonly Worths[]>;
}

export interface DemandParts {
  readonly shared: SharedDemand;
  readonly flushMs: number;
  /** Kept between two flushes: what is worth least is forgotten first. */
  readonly most: number;
  readonly clock: Clock;
}

interface Counted {
  readonly asked: string;
  worth: number;
}

export class Demand {
  #hour = NaN;
  #week = NaN;
  /** By key: what was asked for is put into words once. */
  #counted = new Map<string, Counted>();
  #timer: TimerHandle | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(private readonly parts: DemandParts) {}

  /** Keys that are counted now. */
  get size(): number {
    return this.#counted.size;
  }

  /** On the path of every hit of a declared report. @param asked called where the key is not known yet */
  count(key: string, computeMs: number, asked: () => Asked): void {
    const { clock, flushMs, most } = this.parts;
    const now = clock.now();
    const hour = hourOfWeek(now);
    if (hour !== this.#hour) this.#begin(hour, weekOf(now));
    // What costs next to nothing is asked for all the same.
    const worth = Math.max(computeMs, 1);
    const known = this.#counted.get(key);
    if (known === undefined) this.#counted.set(key, { asked: JSON.stringify(asked()), worth });
    else known.worth += worth;
    if (this.#counted.size > 2 * most) this.#counted = best(this.#counted, most);
    this.#timer ??= clock.after(flushMs, () => void this.flush());
  }

  /** Tells what there is. Never rejects: what cannot be told is forgotten, since it only helps to guess. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const [hour, week, counted] = [this.#hour, this.#week, best(this.#counted, this.parts.most)];
    this.#counted = new Map();
    if (counted.size > 0) {
      const worths = new Map([...counted.values()].map(({ asked, worth }) => [asked, worth] as const));
      this.#turn = this.#turn.then(() => this.parts.shared.add(hour, week, worths)).catch(() => undefined);
    }
    return this.#turn;
  }

  /**
   * What is worth most first, in this hour of the week and those that follow.
   * @param hours how many, this one included
   * @throws where all processes are added up does not answer
   */
  async learned(hours: number): Promise<Asked[]> {
    await this.flush();
    const sums = new Map<string, number>();
    for (const worths of await this.parts.shared.read(hoursFrom(this.parts.clock.now(), hours)))
      for (const [asked, worth] of worths) sums.set(asked, (sums.get(asked) ?? 0) + worth);
    return [...sums].sort(([, a], [, b]) => b - a).map(([asked]) => JSON.parse(asked) as Asked);
  }

  #begin(hour: number, week: number): void {
    if (this.#counted.size > 0) void this.flush();
    this.#hour = hour;
    this.#week = week;
  }
}

function best(counted: ReadonlyMap<string, Counted>, most: number): Map<string, Counted> {
  if (counted.size <= most) return new Map(counted);
  return new Map([...counted].sort(([, a], [, b]) => b.worth - a.worth).slice(0, most));
}
