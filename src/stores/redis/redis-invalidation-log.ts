// The latest invalidations of all processes in a stream of Redis that keeps some two thousand of them, for a month.
import type { LoggedInvalidation, SharedInvalidationLog } from '../../contract/invalidation-log.js';
import { askTogether, type RedisLike } from '../../contract/redis-like.js';

export interface RedisInvalidationLogParts {
  readonly client: RedisLike;
  readonly name: string;
  /** Ends the wait for an answer. */
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

const KEPT = 2000;
const KEPT_MS = 30 * 86_400_000;
/** Of one command, well below a millisecond of Redis. */
const PAGE = 200;
/** Of what is new since somebody asked; who watches looks every two seconds. */
const MOST_NEWS = 1000;

export class RedisInvalidationLog implements SharedInvalidationLog {
  constructor(private readonly parts: RedisInvalidationLogParts) {}

  async add(records: readonly LoggedInvalidation[]): Promise<void> {
    const { client, name, inTime } = this.parts;
    const added = records.map((record) => ['XADD', name, 'MAXLEN', '~', KEPT, '*', 'r', encode(record)] as const);
    await askTogether(client, [...added, ['PEXPIRE', name, KEPT_MS]], inTime);
  }

  async *pages(): AsyncGenerator<readonly LoggedInvalidation[]> {
    // What is trimmed late is not read at all.
    for await (const items of this.#pages('-', KEPT)) yield recordsIn(items);
  }

  async since(after: string | undefined): Promise<{ records: readonly LoggedInvalidation[]; last: string }> {
    if (after === undefined) {
      const [newest] = await this.#page('+', '-', 1);
      return { records: [], last: newest === undefined ? '0-0' : idOf(newest) };
    }
    const records: LoggedInvalidation[] = [];
    let last: string | undefined;
    for await (const items of this.#pages(`(${after}`, MOST_NEWS)) {
      if (last === undefined && items[0] !== undefined) last = idOf(items[0]);
      records.push(...recordsIn(items));
    }
    return { records, last: last ?? after };
  }

  /** The latest first. */
  async *#pages(end: string, most: number): AsyncGenerator<readonly Item[]> {
    let from = '+';
    for (let read = 0; read < most; read += PAGE) {
      const items = await this.#page(from, end, PAGE);
      const last = items.at(-1);
      if (last === undefined) return;
      yield items;
      if (items.length < PAGE) return;
      from = `(${idOf(last)}`;
    }
  }

  async #page(from: string, end: string, count: number): Promise<readonly Item[]> {
    const { client, name, inTime } = this.parts;
    const [answer] = await askTogether(client, [['XREVRANGE', name, from, end, 'COUNT', count]], inTime);
    return (Array.isArray(answer) ? answer : []) as Item[];
  }
}

type Item = [id: unknown, fields: unknown[]];

const idOf = ([id]: Item): string => String(id);

const recordsIn = (items: readonly Item[]): readonly LoggedInvalidation[] =>
  items.flatMap(([, fields]) => decode(String(fields[1])) ?? []);

function encode({ at, ...record }: LoggedInvalidation): string {
  return JSON.stringify({ at: at.getTime(), ...record });
}

/** Undefined for what another release has written in another way. */
function decode(text: string): LoggedInvalidation | undefined {
  try {
    const { at, ...record } = JSON.parse(text) as Omit<LoggedInvalidation, 'at'> & { readonly at: number };
    if (!Number.isFinite(at) || !Array.isArray(record.tags)) return undefined;
    return { at: new Date(at), ...record };
  } catch {
    return undefined;
  }
}
