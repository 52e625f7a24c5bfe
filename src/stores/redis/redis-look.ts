// Looks at what Redis holds without being a reader: the tag table, writes under way, and entries without their bodies.
import type { Coding } from '../../contract/entry.js';
import type { EntryAt, TableView } from '../../contract/look.js';
import { askTogether, type RedisLike } from '../../contract/redis-like.js';
import { decodeEntry } from '../../entry/codec.js';
import { CODINGS } from '../../entry/codings.js';
import { EVERYTHING, keyTag } from '../../entry/tags.js';
import type { RedisKeys } from './redis-keys.js';
import { BODY_FIELDS } from './redis-store.js';

export interface RedisLookParts {
  readonly client: RedisLike;
  readonly keys: RedisKeys;
  /** Ends the wait for an answer. */
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

/** Tags of one command. */
const TAGS = 500;
const NO_BODY = Buffer.alloc(0);

/** Throws where Redis does not answer. Nothing is written, begun or unlinked. */
export class RedisLook {
  constructor(private readonly parts: RedisLookParts) {}

  async table(tags: readonly string[]): Promise<TableView> {
    const { keys } = this.parts;
    const named = [...new Set(tags)];
    const commands = [['HMGET', keys.table, '!ep', '!seq', '!floor'] as const];
    const chunks = Array.from({ length: Math.ceil(named.length / TAGS) }, (_, at) =>
      named.slice(at * TAGS, (at + 1) * TAGS),
    );
    const asked = chunks.map((chunk) => ['HMGET', keys.table, ...chunk.map((tag) => `:${tag}`)] as const);
    const [head, ...found] = await this.#ask([...commands, ...asked]);
    const [epoch, seq, floor] = head as (string | null)[];
    const seqs = new Map<string, number>();
    for (const [at, answers] of found.entries())
      for (const [place, one] of (answers as (string | null)[]).entries())
        if (one !== null) seqs.set(chunks[at]?.[place] ?? '', Number(one));
    return { epoch: epoch ?? '', seq: Number(seq ?? 0), floor: Number(floor ?? 0), seqs };
  }

  /** Whether a write to it has announced itself and has not ended. */
  async isInFlux(key: string, tags: readonly string[], now: number): Promise<boolean> {
    const named = [EVERYTHING, keyTag(key), ...tags];
    const [marks] = await this.#ask([['HMGET', this.parts.keys.marks, ...named]]);
    return (marks as (string | null)[]).some((mark) =>
      [...(mark ?? '').matchAll(/\S+ (\d+)/g)].some(([, deadline]) => Number(deadline) > now),
    );
  }

  /** Undefined: there is none, or none that this version can read. */
  async entry(key: string): Promise<EntryAt | undefined> {
    const name = this.parts.keys.entry(key);
    const sizes = BODY_FIELDS.map((field) => ['HSTRLEN', name, field] as const);
    const [fields, ...lengths] = await this.#ask([['HMGET', name, 'g', 'h'], ...sizes]);
    const [guard, header] = fields as (string | null)[];
    const at = lengths.findIndex((length) => Number(length) > 0);
    if (!guard || !header) return undefined;
    const coding: Coding | undefined = at > 0 ? CODINGS[at - 1] : undefined;
    try {
      const entry = decodeEntry(guard, header, NO_BODY, coding);
      return { layer: 'redis', entry, bytes: Math.max(0, ...lengths.map(Number)) };
    } catch {
      return undefined;
    }
  }

  #ask(commands: readonly (readonly [string, ...(string | number)[]])[]): Promise<readonly unknown[]> {
    const { client, inTime } = this.parts;
    return askTogether(client, commands, inTime);
  }
}
