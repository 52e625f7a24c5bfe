// Running computations by key: who leads, who waits, and what those who waited may use.
import type { Entry } from '../contract/entry.js';
import type { Claim } from './own-claims.js';

/** How a computation ended, for those who waited. */
export type Landing =
  /**
   * Stored, so compared with the truth after `offered`: current for everybody who had arrived by then. Not for who came
   * later, because the store's answer may be read long after it was given, and a write may lie between.
   */
  | { readonly kind: 'stored'; readonly entry: Entry; readonly offered: number }
  /** Fit to be shared, but not proved: only for those who had arrived before it began. */
  | { readonly kind: 'unproved'; readonly entry: Entry }
  /** Its reader has left before it was done: one of those who waited begins again, the others wait for him. */
  | { readonly kind: 'abandoned' }
  /** Not fit to be shared: everybody computes for himself. */
  | { readonly kind: 'private' };

export interface Flight {
  /** When its computation began, in the order of arrivals and departures of this process. */
  departure: number;
  readonly landing: Promise<Landing>;
  /** Other processes wait for it too, until it lands. */
  claim: Claim | undefined;
  /** Its computation begins now: so far it has waited for another process. */
  begin(): void;
  /** @param unfit whether other processes, too, had better compute at once than wait for one another */
  land(landing: Landing, unfit?: boolean): void;
  /** Takes too long: nobody else begins to wait for it, and the next reader may begin another. */
  giveUp(): void;
  /** A forced refresh has been stored meanwhile: what began before it must not take its place (RFC 9111 §4). */
  superseded: boolean;
}

export class Flights {
  readonly #running = new Map<string, Flight>();
  #order = 0;

  /** Takes a place in the order. */
  arrive(): number {
    this.#order += 1;
    return this.#order;
  }

  get(key: string): Flight | undefined {
    return this.#running.get(key);
  }

  get size(): number {
    return this.#running.size;
  }

  /** Begins a flight that others may wait for. */
  depart(key: string): Flight {
    let settle: (landing: Landing) => void = () => undefined;
    const landing = new Promise<Landing>((resolve) => {
      settle = resolve;
    });
    const flight: Flight = {
      departure: this.arrive(),
      landing,
      claim: undefined,
      superseded: false,
      begin: () => {
        flight.departure = this.arrive();
        flight.superseded = false;
      },
      land: (result, unfit = result.kind === 'private') => {
        this.#remove(key, flight);
        flight.claim?.end(unfit);
        settle(result);
      },
      giveUp: () => {
        this.#remove(key, flight);
        flight.claim?.end(false);
      },
    };
    this.#running.set(key, flight);
    return flight;
  }

  /** Another one may have begun in its place. */
  #remove(key: string, flight: Flight): void {
    if (this.#running.get(key) === flight) this.#running.delete(key);
  }
}
