// Entries in this process: bounded by bytes, with a bounded share for every owner.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../contract/clock.js';
import type { Dependency, Entry, Form, Position } from '../../contract/entry.js';
import type { InvalidateOptions, Lookup, PutOutcome, Store } from '../../contract/store.js';
import { isSameEntry } from '../../entry/codec.js';
import { keyTag } from '../../entry/tags.js';
import type { TagTable } from './tag-table.js';

export interface MemoryStoreOptions {
  /** Bytes of all entries together, bookkeeping included. */
  readonly maxBytes: number;
  /** Bytes of one owner's entries: a heavy user pushes out his own reports first. */
  readonly maxBytesPerOwner: number;
  /** Kept no longer than this, ms, however long the entry is fresh; `Infinity` where memory is the only layer. */
  readonly maxTtlMs: number;
}

interface Slot {
  readonly entry: Entry;
  readonly bytes: number;
  /** Wall clock, ms. */
  readonly until: number;
}

interface Owner {
  bytes: number;
  /** In the order of storing. */
  readonly keys: Set<string>;
}

/** Objects, map slots and list links of one entry, measured as heap growth per entry with empty bodies. */
const ENTRY_OVERHEAD = 600;
/** The same of each further form of its body. */
const FORM_OVERHEAD = 120;

function sizeOf(key: string, entry: Entry): number {
  let bytes = ENTRY_OVERHEAD + entry.body.length + 2 * key.length;
  for (const form of Object.values(entry.forms ?? {})) bytes += FORM_OVERHEAD + form.length;
  for (const tag of entry.tags) bytes += 24 + tag.length;
  for (const [name, value] of entry.headers) bytes += 48 + name.length + value.length;
  return bytes;
}

function ownMemory(entry: Entry): Entry {
  const body = ownBytes(entry.body);
  return body === entry.body ? entry : { ...entry, body };
}

/** Few bytes are often a view into a large buffer, which they would keep alive: give them memory of their own. */
function ownBytes(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.length + 64) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/**
 * A complete store over a {@link TagTable}. Where the table is the truth, this is the whole cache of a single process;
 * where it is a replica, it is the first layer in front of a shared store, which then feeds the table.
 */
export class MemoryStore implements Store {
  readonly name = 'memory';
  readonly table: TagTable;
  readonly #slots: LRUCache<string, Slot>;
  readonly #owners = new Map<string, Owner>();
  readonly #options: MemoryStoreOptions;
  readonly #clock: Clock;

  constructor(table: TagTable, options: MemoryStoreOptions, clock: Clock) {
    this.table = table;
    this.#options = options;
    this.#clock = clock;
    this.#slots = new LRUCache<string, Slot>({
      maxSize: options.maxBytes,
      sizeCalculation: (slot) => slot.bytes,
      dispose: (slot, key) => this.#disown(slot, key),
    });
  }

  /** Entries held. */
  get size(): number {
    return this.#slots.size;
  }

  /** Bytes held, bookkeeping included. */
  get bytes(): number {
    return this.#slots.calculatedSize;
  }

  /** Bytes held for one owner. */
  bytesOf(owner: string): number {
    return this.#owners.get(owner)?.bytes ?? 0;
  }

  lookup(key: string): Lookup {
    const slot = this.#slots.get(key);
    const position = this.table.position;
    if (slot === undefined) return { outcome: 'miss', reason: 'absent', position };
    if (!this.table.holdsEntry(key, slot.entry)) {
      this.#slots.delete(key);
      return { outcome: 'miss', reason: 'invalidated', position };
    }
    const now = this.#clock.now();
    if (now >= slot.until) {
      this.#slots.delete(key);
      return { outcome: 'miss', reason: 'expired', position };
    }
    return { outcome: 'hit', entry: slot.entry, layer: 'memory', position };
  }

  put(key: string, entry: Entry, inherited: readonly Dependency[] = []): PutOutcome {
    if (entry.epoch !== this.table.position.epoch) return 'epoch';
    if (!this.table.holdsEntry(key, entry)) return 'stale';
    for (const dependency of inherited) if (!this.table.holds(dependency)) return 'stale';
    const until = Math.min(entry.deleteAt, this.#clock.now() + this.#options.maxTtlMs);
    return this.#keepUntil(key, entry, until) ? 'stored' : 'declined';
  }

  /**
   * Keeps an entry that a shared store has already proved, if the local table agrees and it fits; no longer than it is
   * fresh, because after that another process may have put a new one there.
   */
  admit(key: string, entry: Entry): boolean {
    return this.#keepUntil(key, entry, Math.min(entry.staleAt, this.#clock.now() + this.#options.maxTtlMs));
  }

  keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): void {
    const slot = this.#slots.peek(key);
    if (slot === undefined || !isSameEntry(slot.entry, entry)) return;
    const forms = { ...slot.entry.forms, [form]: ownBytes(bytes) };
    this.#keepUntil(key, { ...slot.entry, forms }, slot.until);
  }

  #keepUntil(key: string, entry: Entry, until: number): boolean {
    const now = this.#clock.now();
    const bytes = sizeOf(key, entry);
    if (until <= now || bytes > this.#options.maxBytesPerOwner || bytes > this.#options.maxBytes) return false;
    if (!this.table.holdsEntry(key, entry)) return false;
    this.#slots.delete(key);
    const owner = this.#ownerOf(entry.owner);
    for (const oldest of owner.keys) {
      if (owner.bytes + bytes <= this.#options.maxBytesPerOwner) break;
      this.#slots.delete(oldest);
    }
    this.#owners.set(entry.owner, owner);
    owner.bytes += bytes;
    owner.keys.add(key);
    this.#slots.set(key, { entry: ownMemory(entry), bytes, until });
    return true;
  }

  refutes(key: string, entry: Entry): boolean {
    return !this.table.holdsEntry(key, entry);
  }

  invalidate(tags: readonly string[], options: InvalidateOptions = {}): Position {
    const position = this.table.invalidate(tags, options.lsn);
    // Not needed for correctness: the table already refuses the entry. It returns the memory at once.
    for (const tag of tags) if (tag.startsWith(KEY_PREFIX)) this.#slots.delete(tag.slice(KEY_PREFIX.length));
    return position;
  }

  position(): Position {
    return this.table.position;
  }

  evict(): void {
    this.#slots.clear();
    this.#owners.clear();
  }

  close(): void {
    this.evict();
  }

  #ownerOf(name: string): Owner {
    return this.#owners.get(name) ?? { bytes: 0, keys: new Set() };
  }

  #disown(slot: Slot, key: string): void {
    const owner = this.#owners.get(slot.entry.owner);
    if (owner === undefined || !owner.keys.delete(key)) return;
    owner.bytes -= slot.bytes;
    if (owner.keys.size === 0) this.#owners.delete(slot.entry.owner);
  }
}

const KEY_PREFIX = keyTag('');
