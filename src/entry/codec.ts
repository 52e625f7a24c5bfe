// An entry to and from the fields it is stored in: guard, header and body bytes.
import type { Coding, Entry, HeaderField } from '../contract/entry.js';

interface Header {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  readonly etag: string;
  readonly type: string;
  readonly owner: string;
  readonly times: readonly [createdAt: number, staleAt: number, deleteAt: number, computeMs: number];
}

/** Everything but the body, the tags and the position, as JSON. */
export function encodeHeader(entry: Entry): string {
  const { status, headers, etag, type, owner, createdAt, staleAt, deleteAt, computeMs } = entry;
  return JSON.stringify({
    status,
    headers,
    etag,
    type,
    owner,
    times: [createdAt, staleAt, deleteAt, computeMs],
  } satisfies Header);
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
  const { status, headers, etag, type, owner, times } = JSON.parse(header) as Header;
  const [createdAt, staleAt, deleteAt, computeMs] = times;
  const form = coding === undefined ? { body } : { body, coding };
  return { ...form, status, headers, etag, type, owner, createdAt, staleAt, deleteAt, computeMs, ...parseGuard(guard) };
}
