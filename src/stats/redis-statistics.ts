// Counts of all processes in Redis: a hash for each five minutes, gone after a day.
import { askTogether, pairsOf, type RedisLike } from '../contract/redis-like.js';
import type { Outcome } from '../contract/statistics.js';
import { bucketOf, BUCKET_MS, BUCKETS, type Buckets, type Cell } from './buckets.js';
import type { SharedStatistics } from './statistics.js';

export interface RedisStatisticsParts {
  readonly client: RedisLike;
  readonly nameOf: (bucket: number) => string;
  /** Ends the wait for an answer. */
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

/** A day and an hour, for clocks that differ. */
const KEPT_MS = BUCKETS * BUCKET_MS + 3_600_000;

export class RedisStatistics implements SharedStatistics {
  constructor(private readonly parts: RedisStatisticsParts) {}

  async add(buckets: Buckets): Promise<void> {
    const { client, nameOf, inTime } = this.parts;
    const commands = [...buckets].flatMap(([bucket, cells]) => [
      ...cells.flatMap(({ type, outcome, times, micros }) => [
        ['HINCRBY', nameOf(bucket), `${type} ${outcome}`, times] as const,
        ['HINCRBY', nameOf(bucket), `${type} ${outcome} us`, micros] as const,
      ]),
      ['PEXPIRE', nameOf(bucket), KEPT_MS] as const,
    ]);
    await askTogether(client, commands, inTime);
  }

  async read(now: number, last = BUCKETS): Promise<Buckets> {
    const numbers = latest(now, last);
    const answers = await this.#eachOf(numbers, 'HGETALL');
    const buckets = new Map<number, Cell[]>();
    for (const [at, number] of numbers.entries()) {
      const cells = cellsOf(answers[at]);
      if (cells.length > 0) buckets.set(number, cells);
    }
    return buckets;
  }

  async reset(now: number): Promise<void> {
    await this.#eachOf(latest(now, BUCKETS), 'UNLINK');
  }

  #eachOf(buckets: readonly number[], command: string): Promise<readonly unknown[]> {
    const { client, nameOf, inTime } = this.parts;
    return askTogether(
      client,
      buckets.map((bucket) => [command, nameOf(bucket)] as const),
      inTime,
    );
  }
}

function latest(now: number, length: number): number[] {
  const newest = bucketOf(now);
  return Array.from({ length }, (_, at) => newest - length + 1 + at);
}

function cellsOf(answer: unknown): Cell[] {
  const cells = new Map<string, Cell>();
  for (const [field, value] of pairsOf(answer)) {
    const [type = '', outcome = '', time] = field.split(' ');
    const name = `${type} ${outcome}`;
    const cell = cells.get(name) ?? { type, outcome: outcome as Outcome, times: 0, micros: 0 };
    cell[time === undefined ? 'times' : 'micros'] = Number(value);
    cells.set(name, cell);
  }
  return [...cells.values()];
}
