// All entries in Redis, page by page: by the index of the budget, so that the key space is never scanned.
import type { Guard, IndexedEntry } from '../../contract/look.js';
import { askTogether, pairsOf, type RedisLike } from '../../contract/redis-like.js';
import { parseGuard } from '../../entry/codec.js';
import type { RedisKeys } from './redis-keys.js';

export interface RedisEntriesParts {
  readonly client: RedisLike;
  readonly keys: RedisKeys;
  /** Ends the wait for an answer. */
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

/** Entries of one page: what Redis is busy with at a time, well below a millisecond. */
const PAGE = 250;

/** Of this release of the application. What is stored or goes meanwhile may be missed. Throws where Redis does not answer. */
export class RedisEntries {
  readonly #release: string;

  constructor(private readonly parts: RedisEntriesParts) {
    const prefix = parts.keys.entry('');
    this.#release = prefix.slice(prefix.lastIndexOf(':', prefix.length - 2) + 1);
  }

  /** About how many: those of other releases, and what is gone before its time, included. */
  async size(): Promise<number> {
    const [all] = await this.#ask([['ZCARD', this.parts.keys.budget]]);
    return Math.max(0, Number(all) - 1);
  }

  /** What the budget counts, and of how many entries; as exact as it is. */
  async use(): Promise<{ readonly bytes: number; readonly entries: number }> {
    const { budget } = this.parts.keys;
    const [sum, all] = await this.#ask([
      ['ZSCORE', budget, '!'],
      ['ZCARD', budget],
    ]);
    return { bytes: Math.max(0, -Number(sum ?? 0)), entries: Math.max(0, Number(all) - 1) };
  }

  /** By the end of their time. A page may be empty where other releases have theirs. @param after where to go on */
  async *index(
    order: 'asc' | 'desc' = 'asc',
    after?: Pick<IndexedEntry, 'endsAt' | 'place'>,
  ): AsyncGenerator<readonly IndexedEntry[]> {
    const { budget } = this.parts.keys;
    // The sum has a negative score.
    const page = (from: string, skip: number) =>
      order === 'asc'
        ? (['ZRANGEBYSCORE', budget, from, '+inf', 'WITHSCORES', 'LIMIT', skip, PAGE] as const)
        : (['ZREVRANGEBYSCORE', budget, from, 0, 'WITHSCORES', 'LIMIT', skip, PAGE] as const);
    // Entries that end in the same millisecond are one after the other, and may be more than a page.
    let from = after === undefined ? (order === 'asc' ? '0' : '+inf') : String(after.endsAt);
    let offset = 0;
    for (;;) {
      const [answer] = await this.#ask([page(from, offset)]);
      const found = pairsOf(answer);
      if (found.length === 0) return;
      const last = found.at(-1)?.[1] ?? '';
      const same = found.filter(([, score]) => score === last).length;
      offset = last === from ? offset + found.length : same;
      from = last;
      yield found.flatMap((one) => this.#indexed(one) ?? []).filter((one) => isBehind(one, after, order));
    }
  }

  /** Of each key; undefined: the entry is gone. */
  async guards(keys: readonly string[]): Promise<(Guard | undefined)[]> {
    const { entry } = this.parts.keys;
    const answers = await this.#ask(keys.map((key) => ['HMGET', entry(key), 'g'] as const));
    return answers.map((answer) => {
      const [guard] = answer as (string | Buffer | null)[];
      return guard === null || guard === undefined ? undefined : parseGuard(guard.toString());
    });
  }

  #indexed([member, score]: [string, string]): IndexedEntry | undefined {
    const [, bytes, cost, name] = /^\S+ (\d+) (\d+) (.*)$/s.exec(member) ?? [];
    if (!name?.startsWith(this.#release)) return undefined;
    const key = name.slice(this.#release.length);
    return { key, bytes: Number(bytes), computeMs: Number(cost), endsAt: Number(score), place: member };
  }

  #ask(commands: readonly (readonly [string, ...(string | number)[]])[]): Promise<readonly unknown[]> {
    const { client, inTime } = this.parts;
    return askTogether(client, commands, inTime);
  }
}

/** Redis has those that end together in the order of their bytes, which are ASCII. */
function isBehind(
  { endsAt, place }: IndexedEntry,
  after: Pick<IndexedEntry, 'endsAt' | 'place'> | undefined,
  order: 'asc' | 'desc',
): boolean {
  if (endsAt !== after?.endsAt) return true;
  return order === 'asc' ? place > after.place : place < after.place;
}
