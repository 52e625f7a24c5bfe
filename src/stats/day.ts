// The counts of this process in the last day, and how many of them the others have been told.
import type { Outcome } from '../contract/statistics.js';
import { BUCKETS, type Buckets, type Cell } from './buckets.js';

interface OwnCell extends Cell {
  toldTimes: number;
  toldMicros: number;
}

type Bucket = Map<string, Map<Outcome, OwnCell>>;

/** What there is to tell of one cell, and the cell. */
interface Due {
  readonly bucket: number;
  readonly cell: OwnCell;
  readonly more: Cell;
}

export class Day {
  readonly #buckets = new Map<number, Bucket>();
  #newest = NaN;
  #current: Bucket = new Map();

  /** On the path of every hit: nothing is put together here that is there already. */
  count(bucket: number, type: string, outcome: Outcome, micros: number): void {
    if (bucket !== this.#newest) this.#begin(bucket);
    let outcomes = this.#current.get(type);
    if (outcomes === undefined) this.#current.set(type, (outcomes = new Map()));
    const cell = outcomes.get(outcome);
    if (cell === undefined) outcomes.set(outcome, { type, outcome, times: 1, micros, toldTimes: 0, toldMicros: 0 });
    else {
      cell.times += 1;
      cell.micros += micros;
    }
  }

  /** What is not older than a day, or than so many buckets. */
  read(newest: number, last = BUCKETS): Buckets {
    this.#forget(newest);
    const kept = [...this.#buckets].filter(([number]) => number > newest - last);
    return new Map(kept.map(([number, bucket]) => [number, cellsOf(bucket)]));
  }

  /** What the others have not been told. @param newest older than a day is not told any more */
  due(newest: number): Due[] {
    this.#forget(newest);
    return [...this.#buckets].flatMap(([bucket, types]) =>
      cellsOf(types).flatMap((cell) => {
        const { type, outcome, times, micros, toldTimes, toldMicros } = cell;
        return times === toldTimes
          ? []
          : [{ bucket, cell, more: { type, outcome, times: times - toldTimes, micros: micros - toldMicros } }];
      }),
    );
  }

  told(due: readonly Due[]): void {
    for (const { cell, more } of due) {
      cell.toldTimes += more.times;
      cell.toldMicros += more.micros;
    }
  }

  clear(): void {
    this.#buckets.clear();
    this.#newest = NaN;
  }

  #begin(bucket: number): void {
    const known = this.#buckets.get(bucket) ?? new Map();
    this.#buckets.set(bucket, known);
    this.#newest = bucket;
    this.#current = known;
    this.#forget(bucket);
  }

  #forget(newest: number): void {
    for (const number of this.#buckets.keys()) if (number <= newest - BUCKETS) this.#buckets.delete(number);
  }
}

function cellsOf(bucket: Bucket): OwnCell[] {
  return [...bucket.values()].flatMap((outcomes) => [...outcomes.values()]);
}
