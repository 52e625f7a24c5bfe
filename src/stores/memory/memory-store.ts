// Entries in this process: bounded by bytes, with a bounded share for every owner.
import type { Clock } from '../../contract/clock.js';
import type { Dependency, Entry, Form, Position } from '../../contract/entry.js';
import type { InvalidateOptions, Lookup, PutOutcome, Store } from '../../contract/store.js';
import { isSameEntry } from '../../entry/codec.js';
import { keyTag } from '../../entry/tags.js';
import { SharedHeaders } from './shared-headers.js';
import { SlotBag, type Slot } from './slot-bag.js';
import type { TagTable } from './tag-table.js';

export interface MemoryStoreOptions {
  /** Bytes of all entries together, bookkeeping included. */
  readonly maxBytes: number;
  /** Bytes of one owner's entries: a heavy user pushes out his own reports first. */
  readonly maxBytesPerOwner: number;
  /** Kept no longer than this, ms, however long the entry is fresh; `Infinity` where memory is the only layer. */
  readonly maxTtlMs: number;
}

/** Objects, places and map slots of one entry, measured as heap growth per entry with empty bodies and an owner each. */
const ENTRY_OVERHEAD = 590;
/** The same of each further form of its body. */
const FORM_OVERHEAD = 120;
/** What it cost, with the names of its models, most of which are one text for all. */
const COST_OVERHEAD = 160;

function sizeOf(key: string, entry: Entry): number {
  let bytes = ENTRY_OVERHEAD + entry.body.length + 2 * key.length;
  if (entry.cost !== undefined) bytes += COST_OVERHEAD;
  for (const form of Object.values(entry.forms ?? {})) bytes += FORM_OVERHEAD + form.length;
  for (const tag of entry.tags) bytes += 24 + tag.length;
  for (const [name, value] of entry.headers) bytes += 48 + name.length + value.length;
  return bytes;
}

/**
 * What it would cost to lose an entry now: hyperbolic caching (Blankstein, Sen, Freedman, USENIX ATC 2017) by idle time.
 * Judged when room is needed, since it falls with time; a hit only notes when it was. lua/charge.ts judges alike.
 */
function worth({ entry, bytes, usedAt }: Slot, now: number): number {
  return (entry.computeMs + 1) / (bytes * (Math.max(0, now - usedAt) / 1000 + 1));
}

/** V8 keeps a text that was put together as its pieces, 250 bytes for a key; read anew, it is the text alone. */
function inOnePiece(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}

/** A proof of another history is none. */
function seqOfProof({ epoch, asOf }: Entry, proved: Position | undefined): number {
  return proved?.epoch === epoch ? Math.max(asOf, proved.seq) : asOf;
}

/** Few bytes are often a view into a large buffer, which they would keep alive: give them memory of their own. */
function ownBytes(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength <= bytes.length + 64) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** An entry in memory, to be looked at. */
export type Held = Pick<Slot, 'key' | 'entry' | 'bytes' | 'until'>;

/**
 * A complete store over a {@link TagTable}. Where the table is the truth, this is the whole cache of a single process;
 * where it is a replica, it is the first layer in front of a shared store, which then feeds the table.
 */
export class MemoryStore implements Store {
  readonly name = 'memory';
  readonly table: TagTable;
  readonly #slots = new Map<string, Slot>();
  readonly #owners = new Map<string, SlotBag>();
  readonly #headers = new SharedHeaders();
  #all = new SlotBag('inAll');
  readonly #options: MemoryStoreOptions;
  readonly #clock: Clock;

  constructor(table: TagTable, options: MemoryStoreOptions, clock: Clock) {
    this.table = table;
    this.#options = options;
    this.#clock = clock;
  }

  /** Entries held. */
  get size(): number {
    return this.#all.size;
  }

  /** Bytes held, bookkeeping included. */
  get bytes(): number {
    return this.#all.bytes;
  }

  /** Bytes held for one owner. */
  bytesOf(owner: string): number {
    return this.#owners.get(owner)?.bytes ?? 0;
  }

  /** Entries that can be served. Looks at all of them, and is no use of any. */
  *held(): Generator<Held> {
    const now = this.#clock.now();
    for (const slot of this.#slots.values()) if (now < slot.until && this.#holds(slot)) yield slot;
  }

  /** What is there under the key, valid or not; no use of it. */
  peek(key: string): Held | undefined {
    return this.#slots.get(key);
  }

  /** Drops what cannot be served any more. Yields after every thousand entries how many of them went; others come first meanwhile. */
  *dropInvalid(): Generator<number> {
    const now = this.#clock.now();
    let looked = 0;
    let dropped = 0;
    for (const slot of this.#slots.values()) {
      if (now >= slot.until || !this.#holds(slot)) {
        this.#drop(slot);
        dropped += 1;
      }
      looked += 1;
      if (looked % 1000 > 0) continue;
      yield dropped;
      dropped = 0;
    }
    yield dropped;
  }

  lookup(key: string): Lookup {
    const slot = this.#slots.get(key);
    const position = this.table.position;
    if (slot === undefined) return { outcome: 'miss', reason: 'absent', position };
    if (!this.#holds(slot)) {
      this.#drop(slot);
      return { outcome: 'miss', reason: 'invalidated', position };
    }
    const now = this.#clock.now();
    if (now >= slot.until) {
      this.#drop(slot);
      return { outcome: 'miss', reason: 'expired', position };
    }
    slot.usedAt = now;
    return { outcome: 'hit', entry: slot.entry, layer: 'memory', position };
  }

  put(key: string, entry: Entry, inherited: readonly Dependency[] = []): PutOutcome {
    if (entry.epoch !== this.table.position.epoch) return 'epoch';
    if (!this.table.holdsEntry(key, entry)) return 'stale';
    for (const dependency of inherited) if (!this.table.holds(dependency)) return 'stale';
    const until = Math.min(entry.deleteAt, this.#clock.now() + this.#options.maxTtlMs);
    return this.#keepUntil(key, entry, until, entry.asOf) ? 'stored' : 'declined';
  }

  /**
   * Keeps an entry that a shared store has already proved, if the local table agrees and it fits; no longer than it is
   * fresh, because after that another process may have put a new one there.
   * @param proved the position at which it was found valid there; absent: that of its computation
   */
  admit(key: string, entry: Entry, proved?: Position): boolean {
    const until = Math.min(entry.staleAt, this.#clock.now() + this.#options.maxTtlMs);
    return this.#keepUntil(key, entry, until, seqOfProof(entry, proved));
  }

  keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): void {
    const slot = this.#slots.get(key);
    if (slot === undefined || !isSameEntry(slot.entry, entry)) return;
    const forms = { ...slot.entry.forms, [form]: ownBytes(bytes) };
    this.#keepUntil(key, { ...slot.entry, forms }, slot.until, slot.provedAt);
  }

  #keepUntil(key: string, entry: Entry, until: number, provedAt: number): boolean {
    const now = this.#clock.now();
    const bytes = sizeOf(key, entry);
    if (until <= now || bytes > this.#options.maxBytesPerOwner || bytes > this.#options.maxBytes) return false;
    if (!this.table.holdsEntry(key, entry, provedAt)) return false;
    this.#forget(key);
    this.#makeRoom(this.#owners.get(entry.owner), this.#options.maxBytesPerOwner - bytes, now);
    this.#makeRoom(this.#all, this.#options.maxBytes - bytes, now);
    const { changes } = this.table;
    const kept = this.#compact(entry);
    this.#add({
      key: inOnePiece(key),
      entry: kept,
      bytes,
      until,
      usedAt: now,
      provedAt,
      checkedAt: changes,
      inAll: 0,
      inOwner: 0,
    });
    return true;
  }

  refutes(key: string, entry: Entry, proved: Position): boolean {
    return !this.table.holdsEntry(key, entry, seqOfProof(entry, proved));
  }

  invalidate(tags: readonly string[], options: InvalidateOptions = {}): Position {
    const position = this.table.invalidate(tags, options.lsn);
    // Not needed for correctness: the table already refuses the entry. It returns the memory at once.
    for (const tag of tags) if (tag.startsWith(KEY_PREFIX)) this.#forget(tag.slice(KEY_PREFIX.length));
    return position;
  }

  position(): Position {
    return this.table.position;
  }

  evict(): void {
    this.#slots.clear();
    this.#owners.clear();
    this.#all = new SlotBag('inAll');
  }

  close(): void {
    this.evict();
  }

  #add(slot: Slot): void {
    const { owner } = slot.entry;
    const owned = this.#owners.get(owner) ?? new SlotBag('inOwner');
    this.#owners.set(owner, owned);
    owned.add(slot);
    this.#all.add(slot);
    this.#slots.set(slot.key, slot);
  }

  /** With bytes of its own, and fields in common. */
  #compact(entry: Entry): Entry {
    const body = ownBytes(entry.body);
    const headers = this.#headers.of(entry.headers);
    return body === entry.body && headers === entry.headers ? entry : { ...entry, body, headers };
  }

  #forget(key: string): void {
    const slot = this.#slots.get(key);
    if (slot !== undefined) this.#drop(slot);
  }

  #drop(slot: Slot): void {
    const { owner } = slot.entry;
    const owned = this.#owners.get(owner);
    owned?.remove(slot);
    if (owned?.size === 0) this.#owners.delete(owner);
    this.#all.remove(slot);
    this.#slots.delete(slot.key);
  }

  /** The worst of a sample goes, until no more than `most` bytes are left in the bag. */
  #makeRoom(bag: SlotBag | undefined, most: number, now: number): void {
    while (bag !== undefined && bag.bytes > most) {
      let least = Infinity;
      let victim: Slot | undefined;
      for (const slot of bag.sample()) {
        const worthNow = this.#worthNow(slot, now);
        if (victim !== undefined && worthNow >= least) continue;
        least = worthNow;
        victim = slot;
      }
      if (victim === undefined) return;
      this.#drop(victim);
    }
  }

  /** Nothing, for what cannot be served any more. */
  #worthNow(slot: Slot, now: number): number {
    return now < slot.until && this.#holds(slot) ? worth(slot, now) : 0;
  }

  /** Between two changes of the table nothing becomes invalid: usually one number is compared. */
  #holds(slot: Slot): boolean {
    if (slot.checkedAt === this.table.changes) return true;
    if (!this.table.holdsEntry(slot.key, slot.entry, slot.provedAt)) return false;
    slot.checkedAt = this.table.changes;
    return true;
  }
}

const KEY_PREFIX = keyTag('');
