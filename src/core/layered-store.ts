// What forgets, in front of the database that does not: what memory and Redis have lost is looked up there, and put back.
import type { Clock } from '../contract/clock.js';
import type { DatabasePosition, Dependency, Entry, Form, Position } from '../contract/entry.js';
import type { EventSink } from '../contract/events.js';
import type {
  Consistency,
  Invalidated,
  InvalidateOptions,
  LayerName,
  Lookup,
  MaybePromise,
  PutOutcome,
  Store,
} from '../contract/store.js';
import { EVERYTHING } from '../entry/tags.js';

export interface LayeredStoreOptions {
  /** The longest that an entry stays in front of the database, ms; then it is looked up there again. */
  readonly frontMs: number;
  /** Most tags that wait for a database which is not there yet; above it everything is meant. */
  readonly maxOwed: number;
}

/** An epoch that no history has: what is computed while the front cannot be asked has no place in it. */
const NO_EPOCH = 'database';

/** The front has no say about these, and the database is as good a proof. */
const UNDECIDED: ReadonlySet<PutOutcome> = new Set(['unavailable', 'epoch', 'declined']);

/**
 * Each layer keeps a history of its own. An invalidation reaches the database first: whoever knows the front's position
 * after it finds the database told, too, so what he finds there is as young as that position. Where the front cannot be
 * asked the database alone answers. Types that are not persisted never come here: their calls go straight to the front.
 */
export class LayeredStore implements Store {
  readonly name: LayerName;
  readonly #front: Store;
  readonly #options: LayeredStoreOptions;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  #database: Store | undefined;
  /** Some reports are persisted by this process, as soon as there is a database. */
  #expected = false;
  /** Invalidated before there was one. */
  readonly #owed = new Set<string>();
  /** How far the database has come, as far as this process knows. */
  #reached: DatabasePosition | undefined;

  constructor(front: Store, options: LayeredStoreOptions, clock: Clock, emit: EventSink) {
    this.name = front.name;
    this.#front = front;
    this.#options = options;
    this.#clock = clock;
    this.#emit = emit;
  }

  /** From now on invalidations are remembered for the database. */
  expectDatabase(): void {
    this.#expected = true;
  }

  /** Rejects where the database does not take what was invalidated before it was there. */
  async attach(database: Store): Promise<void> {
    while (this.#owed.size > 0) {
      const tags = [...this.#owed];
      await database.invalidate(tags);
      for (const tag of tags) this.#owed.delete(tag);
    }
    this.#database = database;
  }

  /** It is looked at no more. What is invalidated meanwhile waits for the next one. */
  detach(): void {
    this.#database = undefined;
    this.#reached = undefined;
  }

  lookup(key: string, consistency?: Consistency, atLeast?: Position, persist?: boolean): MaybePromise<Lookup> {
    const found = this.#front.lookup(key, consistency, atLeast);
    if (persist !== true || this.#database === undefined) return found;
    if (found instanceof Promise) return found.then((later) => this.#lookBehind(key, later));
    return this.#lookBehind(key, found);
  }

  put(key: string, entry: Entry, inherited: readonly Dependency[] = []): MaybePromise<PutOutcome> {
    if (entry.database === undefined || this.#database === undefined) return this.#front.put(key, entry, inherited);
    return this.#putBoth(this.#database, key, entry, entry.database, inherited);
  }

  refutes(key: string, entry: Entry, proved: Position): boolean {
    return this.#front.refutes?.(key, entry, proved) ?? false;
  }

  /** In front only: the database looks after its own space. */
  keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): MaybePromise<void> {
    return this.#front.keepForm(key, entry, form, bytes);
  }

  invalidate(tags: readonly string[], options?: InvalidateOptions): MaybePromise<Invalidated> {
    if (this.#database !== undefined) return this.#invalidateBoth(this.#database, tags, options);
    if (this.#expected) this.#owe(tags);
    return this.#front.invalidate(tags, options);
  }

  position(leaseMs?: number): MaybePromise<Position> {
    return this.#front.position(leaseMs);
  }

  refill(key: string): Promise<void> {
    return this.#front.refill?.(key) ?? Promise.resolve();
  }

  evict(): void {
    this.#front.evict();
  }

  async close(): Promise<void> {
    await this.#front.close();
    await this.#database?.close();
  }

  #lookBehind(key: string, found: Lookup): MaybePromise<Lookup> {
    const database = this.#database;
    if (database === undefined || (found.outcome === 'miss' && found.reason === 'flux')) return found;
    if (found.outcome !== 'hit') return this.#lookupDatabase(database, key, found);
    // Valid until now, so what is computed in its place may be compared from where it was computed itself.
    return { ...found, position: this.#withDatabase(found.position, found.entry.database) };
  }

  async #lookupDatabase(database: Store, key: string, front: Exclude<Lookup, { outcome: 'hit' }>): Promise<Lookup> {
    const behind = await database.lookup(key);
    if (behind.outcome === 'unavailable') {
      return front.outcome === 'miss' ? { ...front, position: this.#withDatabase(front.position) } : front;
    }
    const { epoch, seq } = behind.position;
    const reached = { epoch, seq };
    this.#reach(reached);
    // Noted before the database was asked: what has been invalidated since then refuses the entry.
    const inFront = front.outcome === 'miss' ? front.position : { epoch: NO_EPOCH, seq: 0 };
    const position = { ...inFront, database: reached };
    if (behind.outcome === 'miss') {
      const told = front.outcome === 'miss' && behind.reason === 'absent' ? front.reason : behind.reason;
      return { outcome: 'miss', reason: told, position };
    }
    // The very entry that goes into the front, so that it is known again there.
    const place = { epoch: position.epoch, asOf: position.seq, database: reached };
    const entry = this.#forFront({ ...behind.entry, ...place });
    const hit: Lookup = { outcome: 'hit', entry, layer: behind.layer, position };
    if (front.outcome !== 'miss' || entry.coding !== undefined) return hit;
    // A write that has announced itself stops what the database cannot know of yet.
    const filled = await this.#front.put(key, entry);
    return filled === 'flux' ? { outcome: 'miss', reason: 'flux', position } : hit;
  }

  async #putBoth(
    store: Store,
    key: string,
    entry: Entry,
    database: DatabasePosition,
    inherited: readonly Dependency[],
  ): Promise<PutOutcome> {
    const [inFront, behind] = await Promise.all([
      this.#front.put(key, this.#forFront(entry), inherited),
      this.#persist(store, key, entry, database, inherited),
    ]);
    if (behind !== 'stored') this.#emit({ kind: 'notPersisted', key, type: entry.type, reason: behind });
    return behind === 'stored' && UNDECIDED.has(inFront) ? behind : inFront;
  }

  #persist(
    store: Store,
    key: string,
    entry: Entry,
    { epoch, seq }: DatabasePosition,
    inherited: readonly Dependency[],
  ): MaybePromise<PutOutcome | 'unproved'> {
    const there: Dependency[] = [];
    for (const { tags, database } of inherited) {
      if (database === undefined) return 'unproved';
      there.push({ tags, epoch: database.epoch, asOf: database.seq });
    }
    const { database: _, ...rest } = entry;
    return store.put(key, { ...rest, epoch, asOf: seq }, there);
  }

  async #invalidateBoth(
    database: Store,
    tags: readonly string[],
    options: InvalidateOptions = {},
  ): Promise<Invalidated> {
    let failure: { readonly error: unknown } | undefined;
    try {
      const { epoch, seq } = await database.invalidate(tags);
      this.#reach({ epoch, seq });
    } catch (error) {
      failure = { error };
    }
    if (failure === undefined) return this.#front.invalidate(tags, options);
    // In front at once, all the same; the mark stays, so that nobody is served from the database what he put there before.
    const { mark: _, ...unmarked } = options;
    await this.#front.invalidate(tags, unmarked);
    throw failure.error;
  }

  #owe(tags: readonly string[]): void {
    if (this.#owed.has(EVERYTHING)) return;
    for (const tag of tags) this.#owed.add(tag);
    if (this.#owed.size <= this.#options.maxOwed) return;
    this.#owed.clear();
    this.#owed.add(EVERYTHING);
  }

  #forFront(entry: Entry): Entry {
    const until = this.#clock.now() + this.#options.frontMs;
    return entry.deleteAt <= until ? entry : { ...entry, deleteAt: until };
  }

  /** The latest that is known will do: a position from before the computation, however old, refuses more and never less. */
  #withDatabase(position: Position, known?: DatabasePosition): Position {
    const reached = this.#reached;
    const isLater = reached === undefined || (known?.epoch === reached.epoch && known.seq > reached.seq);
    const database = isLater ? known : reached;
    return database === undefined ? position : { ...position, database };
  }

  #reach(position: DatabasePosition): void {
    const before = this.#reached;
    if (before?.epoch !== position.epoch || before.seq < position.seq) this.#reached = position;
  }
}
