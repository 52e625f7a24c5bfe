// All entries in Redis, page by page: by the index of the budget, so that the key space is never scanned.
import { askTogether, type RedisLike } from '../../contract/redis-like.js';
import type { RedisKeys } from './redis-keys.js';

/** What is known of an entry without its body. */
export interface StoredEntry {
  readonly key: string;
  /** `<epoch> <asOf> <tag> ...` */
  readonly guard: string;
}

export interface RedisEntriesParts {
  readonly client: RedisLike;
  readonly keys: RedisKeys;
  /** Ends the wait for an answer. */
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

/** Entries of one page: what Redis is busy with at a time, well below a millisecond. */
const PAGE = 500;

export class RedisEntries {
  constructor(private readonly parts: RedisEntriesParts) {}

  /** Of this release of the application. What is stored or goes meanwhile may be missed. @throws where Redis does not answer */
  async *pages(): AsyncGenerator<readonly StoredEntry[]> {
    const { client, keys, inTime } = this.parts;
    const page = (min: string, skip: number) =>
      ['ZRANGEBYSCORE', keys.budget, min, '+inf', 'WITHSCORES', 'LIMIT', skip, PAGE] as const;
    // Entries that end in the same millisecond are one after the other, and may be more than a page.
    let from = '-inf';
    let offset = 0;
    for (;;) {
      const [member] = await askTogether(client, [page(from, offset)], inTime);
      const found = pairsOf(member);
      if (found.length === 0) return;
      const last = found.at(-1)?.[1] ?? '';
      const same = found.filter(([, score]) => score === last).length;
      offset = last === from ? offset + found.length : same;
      from = last;
      yield await this.#read(found.map(([name]) => name));
    }
  }

  async #read(members: readonly string[]): Promise<StoredEntry[]> {
    const prefix = this.parts.keys.entry('');
    const inNamespace = prefix.slice(0, prefix.lastIndexOf(':', prefix.length - 2) + 1);
    const release = prefix.slice(inNamespace.length);
    const keys = members.flatMap((member) => {
      const name = /^\S+ \d+ \d+ (.*)$/s.exec(member)?.[1];
      return name?.startsWith(release) ? [name.slice(release.length)] : [];
    });
    const { client, inTime } = this.parts;
    const guards = keys.map((key) => ['HMGET', this.parts.keys.entry(key), 'g'] as const);
    const answers = await askTogether(client, guards, inTime);
    return keys.flatMap((key, at) => {
      const [guard] = (answers[at] as (string | Buffer | null)[] | undefined) ?? [];
      return guard === null || guard === undefined ? [] : [{ key, guard: guard.toString() }];
    });
  }
}

/** Members with their scores: flat, or in pairs, as the protocol has it. */
function pairsOf(answer: unknown): [member: string, score: string][] {
  const flat = (Array.isArray(answer) ? answer : []).flat().map(String);
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.push([flat[at] ?? '', flat[at + 1] ?? '']);
  return pairs;
}
