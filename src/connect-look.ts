// Composition: looks at every layer for those who manage the cache, without reading from it.
import type { Look } from './admin/cache.js';
import type { EntryQuery } from './admin/entry-query.js';
import { listEntries, type EntryPage } from './admin/list-entries.js';
import { watchedBy } from './admin/judge.js';
import type { Facts } from './admin/verdict.js';
import type { Clock } from './contract/clock.js';
import type { Position } from './contract/entry.js';
import { errorText } from './contract/errors.js';
import type { EntryAt, EntrySource, IndexedEntry, TableView } from './contract/look.js';
import type { Lookup, MaybePromise, MissReason } from './contract/store.js';
import type { Held, MemoryStore } from './stores/memory/memory-store.js';
import type { RedisEntries } from './stores/redis/redis-entries.js';
import type { RedisLook } from './stores/redis/redis-look.js';

export interface LookingParts {
  readonly memory: Pick<MemoryStore, 'held' | 'peek' | 'table'>;
  /** Absent: this process is alone, and its own table is the truth. */
  readonly redis: { readonly entries: RedisEntries; readonly look: RedisLook } | undefined;
  /** As readers ask it: behind the breaker. */
  readonly position: () => MaybePromise<Position>;
  /** In the database; undefined: nothing is persisted. */
  readonly persisted: (key: string) => Promise<Lookup> | undefined;
  /** Whether this process has an invalidation of it that is not in force yet. */
  readonly touches: (tags: readonly string[], key: string) => boolean;
  readonly closed: () => boolean;
  readonly clock: Clock;
}

/** What one answer may take; then it is told that it is not complete. */
const PATIENCE_MS = 2000;
const PAGE = 500;

export class Looking implements Omit<Look, 'url' | 'policy'> {
  constructor(private readonly parts: LookingParts) {}

  now(): number {
    return this.parts.clock.now();
  }

  async entries(query: EntryQuery): Promise<EntryPage> {
    const { redis, memory, clock } = this.parts;
    const until = clock.monotonic() + PATIENCE_MS;
    const isOver = () => clock.monotonic() >= until;
    const own = new MemorySource(memory);
    if (redis === undefined) return listEntries(own, query, isOver);
    try {
      return await listEntries(inRedis(redis), query, isOver);
    } catch {
      // A place in the index of Redis is none in this process's memory.
      const { after: _, ...anew } = query;
      const { next: __, ...page } = await listEntries(own, anew, isOver);
      return { ...page, complete: false };
    }
  }

  isInMemory(key: string): boolean {
    return this.#inMemory(key) !== undefined;
  }

  async facts(key: string, tags: readonly string[]): Promise<Facts> {
    const { redis, touches, closed } = this.parts;
    const local = this.#inMemory(key);
    const inMemory: readonly EntryAt[] = local === undefined ? [] : [entryIn('memory', local.entry)];
    const [shared, behind] = await Promise.all([
      redis === undefined ? this.#ownTruth(key, inMemory, tags) : this.#sharedTruth(redis.look, key, inMemory, tags),
      this.#inDatabase(key),
    ]);
    const found = [...shared.found, ...behind.found];
    const all = found.flatMap(({ entry }) => entry.tags);
    return {
      key,
      tags,
      ...shared,
      found,
      ...(behind.database !== undefined && { database: behind.database }),
      pending: touches([...tags, ...all], key),
      ...(closed() && { bypass: { reason: 'closed' as const } }),
    };
  }

  #ownTruth(key: string, found: readonly EntryAt[], tags: readonly string[]) {
    const { table } = this.parts.memory;
    return { found, table: viewOf(table, watched(key, found, tags)), flux: false };
  }

  async #sharedTruth(
    look: RedisLook,
    key: string,
    inMemory: readonly EntryAt[],
    tags: readonly string[],
  ): Promise<Pick<Facts, 'found' | 'table' | 'flux' | 'unavailable'>> {
    try {
      // First: it begins a history where there is none, and stands behind the breaker.
      const { live } = await this.parts.position();
      const inRedis = await look.entry(key);
      const found = inRedis === undefined ? inMemory : [...inMemory, inRedis];
      const named = watched(key, found, tags);
      const [table, flux] = await Promise.all([look.table(named), look.isInFlux(key, named, this.now())]);
      return { found, table, flux, ...(live === false && { unavailable: 'watermark' }) };
    } catch (error) {
      return { found: inMemory, table: undefined, flux: false, unavailable: errorText(error) };
    }
  }

  async #inDatabase(key: string): Promise<{ readonly found: readonly EntryAt[]; readonly database?: MissReason }> {
    const found = key === '' ? undefined : await this.parts.persisted(key);
    if (found?.outcome === 'hit') return { found: [entryIn('database', found.entry)] };
    return { found: [], ...(found?.outcome === 'miss' && { database: found.reason }) };
  }

  /** Past the time that it has here alone it is as good as absent. */
  #inMemory(key: string): Held | undefined {
    const held = this.parts.memory.peek(key);
    const isLeft = held !== undefined && this.now() >= held.until && held.until < held.entry.deleteAt;
    return isLeft ? undefined : held;
  }
}

function watched(key: string, found: readonly EntryAt[], tags: readonly string[]): readonly string[] {
  return watchedBy(key, [...tags, ...found.flatMap(({ entry }) => entry.tags)]);
}

function entryIn(layer: EntryAt['layer'], entry: Held['entry']): EntryAt {
  const { body, forms: _, ...rest } = entry;
  return { layer, entry: rest, bytes: body.length };
}

function viewOf(table: MemoryStore['table'], tags: readonly string[]): TableView {
  const { epoch, seq } = table.position;
  const seqs = new Map<string, number>();
  for (const tag of tags) {
    const at = table.seqOf(tag);
    if (at !== undefined) seqs.set(tag, at);
  }
  return { epoch, seq, floor: table.floor, seqs };
}

/** Entries of all processes. */
export function inRedis({ entries, look }: NonNullable<LookingParts['redis']>): EntrySource {
  return {
    inOrder: true,
    index: (order, after) => entries.index(order, after),
    size: () => entries.size(),
    guards: (keys) => entries.guards(keys),
    table: (tags) => look.table(tags),
  };
}

/** Entries of this process. */
class MemorySource implements EntrySource {
  readonly inOrder = false;

  constructor(private readonly memory: LookingParts['memory']) {}

  // oxlint-disable-next-line require-await
  async *index(): AsyncGenerator<readonly IndexedEntry[]> {
    let page: IndexedEntry[] = [];
    for (const { key, entry, bytes, until } of this.memory.held()) {
      page.push({ key, bytes, computeMs: Math.round(entry.computeMs), endsAt: until, place: key });
      if (page.length < PAGE) continue;
      yield page;
      page = [];
    }
    yield page;
  }

  async size(): Promise<number> {
    return [...this.memory.held()].length;
  }

  async guards(keys: readonly string[]) {
    return keys.map((key) => this.memory.peek(key)?.entry);
  }

  async table(tags: readonly string[]): Promise<TableView> {
    return viewOf(this.memory.table, tags);
  }
}
