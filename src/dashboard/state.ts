// The counts of a day as the page knows them: asked for once, then kept up to date by what it hears.
import type { Api } from './api.js';
import { withLatest } from './series.js';
import type { Bucket, Stats, StatsEvent } from './shapes.js';

export interface Known extends Omit<StatsEvent, 'latest' | 'since' | 'process'> {
  readonly series: readonly Bucket[];
  readonly process?: StatsEvent['process'];
  /** Requests a second, of the last two. */
  readonly pace?: number;
}

export class State {
  readonly #listeners: ((known: Known) => void)[] = [];
  known: Known | undefined;
  #heardAt = 0;

  constructor(private readonly api: Api) {}

  onChange(listener: (known: Known) => void): void {
    this.#listeners.push(listener);
  }

  /** Again after a connection was lost, and when counting began anew. */
  async load(): Promise<void> {
    const stats = await this.api.get<Stats>('stats');
    this.#set({ ...this.known, ...stats });
  }

  hear({ latest, since, ...event }: StatsEvent): void {
    const now = performance.now();
    const seconds = (now - this.#heardAt) / 1000;
    this.#heardAt = now;
    this.#set({
      ...event,
      series: withLatest(this.known?.series ?? [], latest),
      ...(seconds < 30 && { pace: since.requests / seconds }),
    });
  }

  #set(known: Known): void {
    this.known = known;
    for (const listener of this.#listeners) listener(known);
  }
}
