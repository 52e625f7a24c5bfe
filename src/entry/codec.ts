// An entry to and from the fields it is stored in: guard, header and body bytes.
import type { Cost } from '../contract/costs.js';
import type { Coding, DatabasePosition, Entry, HeaderField } from '../contract/entry.js';

interface Header {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly etag: string;
  readonly type: string;
  readonly owner: string;
  /** Releases that do not know the last one read what they know. */
  readonly times: readonly [
    createdAt: number,
    staleAt: number,
    deleteAt: number,
    computeMs: number,
    nextTtlMs?: number,
  ];
  readonly database?: DatabasePosition;
  /** Releases that do not know it read the rest. */
  readonly cost?: Cost;
}

/** Everything but the body, the tags and the position, as JSON. */
export function encodeHeader(entry: Entry): string {
  const { status, headers, etag, type, owner, createdAt, staleAt, deleteAt, computeMs, nextTtlMs, database, cost } =
    entry;
  const lived = [createdAt, staleAt, deleteAt, computeMs] as const;
  const times = nextTtlMs === undefined ? lived : ([...lived, nextTtlMs] as const);
  return JSON.stringify({
    status,
    headers,
    etag,
    type,
    owner,
    times,
    ...(database && { database: { epoch: database.epoch, seq: database.seq } }),
    ...(cost && { cost: inOrder(cost) }),
  } satisfies Header);
}

/** The same bytes for the same cost, whoever has put it together. */
function inOrder({ inputTokens, outputTokens, models, money, currency }: Cost): Cost {
  const priced = money !== undefined && currency !== undefined;
  return { inputTokens, outputTokens, models, ...(priced && { money, currency }) };
}

/** `<epoch> <asOf> <tag> ...`, as the scripts write and read it; tags contain no spaces. */
export function encodeGuard({ epoch, asOf, tags }: Entry): string {
  return `${epoch} ${asOf} ${tags.join(' ')}`;
}

/**
 * Whether both are one computation's entry, whatever form its body is in. The header names its entity-tag, when it was
 * computed and how long that took, to the fraction of a microsecond.
 */
export function isSameEntry(one: Entry, other: Entry): boolean {
  return one === other || (encodeGuard(one) === encodeGuard(other) && encodeHeader(one) === encodeHeader(other));
}

export function parseGuard(guard: string): Pick<Entry, 'epoch' | 'asOf' | 'tags'> {
  const [epoch = '', asOf = '', ...tags] = guard.split(' ');
  return { epoch, asOf: Number(asOf), tags: tags.filter((tag) => tag !== '') };
}

/** @throws SyntaxError or TypeError for bytes that this version did not write; the caller treats them as a miss. */
export function decodeEntry(guard: string, header: string, body: Buffer, coding?: Coding): Entry {
  const { status, headers, etag, type, owner, times, database, cost } = JSON.parse(header) as Header;
  const [createdAt, staleAt, deleteAt, computeMs, nextTtlMs] = times;
  const form = coding === undefined ? { body } : { body, coding };
  const learned = nextTtlMs === undefined ? {} : { nextTtlMs };
  const lived = { createdAt, staleAt, deleteAt, computeMs, ...learned };
  const place = database === undefined ? {} : { database };
  const told = cost === undefined ? {} : { cost };
  return { ...form, status, headers, etag, type, owner, ...lived, ...place, ...told, ...parseGuard(guard) };
}
