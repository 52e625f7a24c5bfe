// Counts of all processes in Redis: a hash for each five minutes, gone after a day.
import { askTogether, type RedisLike } from '../contract/redis-like.js';
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

  async read(now: number): Promise<Buckets> {
    const numbers = lastDay(now);
    const answers = await this.#eachOf(numbers, 'HGETALL');
    const buckets = new Map<number, Cell[]>();
    for (const [at, number] of numbers.entries()) {
      const cells = cellsOf(answers[at]);
      if (cells.length > 0) buckets.set(number, cells);
    }
    return buckets;
  }

  async reset(now: number): Promise<void> {
    await this.#eachOf(lastDay(now), 'UNLINK');
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

function lastDay(now: number): number[] {
  const last = bucketOf(now);
  return Array.from({ length: BUCKETS }, (_, at) => last - BUCKETS + 1 + at);
}

/** @param answer pairs one after the other, as Redis gives them to `call`; RESP3: an object or a map of them */
function cellsOf(answer: unknown): Cell[] {
  const flat: readonly unknown[] = Array.isArray(answer)
    ? answer.flat()
    : answer instanceof Map
      ? [...(answer as Map<unknown, unknown>)].flat()
      : Object.entries(answer ?? {}).flat();
  const cells = new Map<string, Cell>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [type = '', outcome = '', time] = String(flat[at]).split(' ');
    const name = `${type} ${outcome}`;
    const cell = cells.get(name) ?? { type, outcome: outcome as Outcome, times: 0, micros: 0 };
    cell[time === undefined ? 'times' : 'micros'] = Number(flat[at + 1]);
    cells.set(name, cell);
  }
  return [...cells.values()];
}
