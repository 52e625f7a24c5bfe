// Entries and the truth about them in the application's database: both outlive every process, and Redis.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../contract/clock.js';
import type { Dependency, Entry, Form, Position } from '../../contract/entry.js';
import type { Ask } from '../../contract/outbox.js';
import type { Invalidated, Lookup, MissReason, PutOutcome, Store } from '../../contract/store.js';
import { encodeHeader } from '../../entry/codec.js';
import { EVERYTHING, keyTag } from '../../entry/tags.js';
import { ENTRY_TABLE, OUTBOX_TABLE, POSITION_TABLE, qualified, TAG_TABLE, type Row } from '../../sql/dialect.js';
import type { Lane } from '../../sql/lane.js';
import { DatabaseBudget, type DatabaseLimits } from './database-budget.js';
import { DatabasePrune, type Pruned } from './database-prune.js';
import type { Flavour, Tables } from './flavour.js';
import { Gathered } from './gathered.js';
import { entryOf, fits, nameOf, positionOf, rowOf, sizeOf, tagName } from './rows.js';
import { statementsOf, type Statements } from './statements.js';

export interface DatabaseStoreOptions {
  readonly flavour: Flavour;
  /** Letters, digits, `.`, `_`, `-`. */
  readonly namespace: string;
  /** The application's version: entries of another one are never read. */
  readonly version: string;
  /** Where the tables are; default: where the connection looks first. */
  readonly schema?: string | undefined;
  /** Whether invalidations wait in the outbox of this database: what waits there is not served. */
  readonly outbox: boolean;
  readonly limits: DatabaseLimits;
  /** For readers. */
  readonly reads: Lane;
  /** For everything else: an entry of five megabytes on its way must not keep readers waiting. */
  readonly writes: Lane;
  /** The one connection that everybody shares is in somebody's transaction, which may be rolled back. */
  readonly isInTransaction?: () => boolean;
}

/** Keys of one look-up, so that what comes back stays within some megabytes. */
const MOST_KEYS = 32;
/** After so many tags this process looks after the table of tags. */
const TAGS_BETWEEN_TIDYING = 10_000;

/**
 * Throws on every failure of the database; turning failures into misses is the business of the layer around it. An
 * entry is compared with the tags when it is stored and again whenever it is looked up, so a race between storing and
 * invalidating leaves at worst a row that nobody is served.
 */
export class DatabaseStore implements Store {
  readonly name = 'database';
  readonly #options: DatabaseStoreOptions;
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #budget: DatabaseBudget;
  readonly #prune: DatabasePrune;
  readonly #lookUps: Gathered<string, Lookup>;
  readonly #bumps: Gathered<string, Invalidated>;
  #facts: { readonly incarnation: string; readonly statements: Statements } | undefined;
  /** Invalidated inside somebody else's transaction: should that be undone, they would never have been. */
  #unsettled = new Set<string>();
  #tagsSinceTidying = 0;

  constructor(options: DatabaseStoreOptions, clock: Clock) {
    const { flavour, schema, namespace, limits } = options;
    const table = (name: string): string => qualified(flavour.sql, schema, name);
    this.#options = options;
    this.#tables = { entry: table(ENTRY_TABLE), tag: table(TAG_TABLE), position: table(POSITION_TABLE) };
    this.#clock = clock;
    this.#budget = new DatabaseBudget(flavour, this.#tables, namespace, limits);
    this.#prune = new DatabasePrune(flavour, this.#tables, namespace);
    this.#lookUps = new Gathered(MOST_KEYS, (keys) => this.#read((ask) => this.#lookUpAll(ask, keys)));
    this.#bumps = new Gathered(Infinity, (tags) => this.#write((ask) => this.#bump(ask, tags)));
  }

  lookup(key: string): Promise<Lookup> {
    return this.#lookUps.add([key]).then((answers) => answers.get(key) as Lookup);
  }

  async put(key: string, entry: Entry, inherited: readonly Dependency[] = []): Promise<PutOutcome> {
    const now = this.#clock.now();
    if (entry.deleteAt - now < 1 || this.#budget.refuses(sizeOf(key, entry))) return 'declined';
    if (!entry.tags.every(fits)) return 'declined';
    if (inherited.some((dependency) => dependency.epoch !== entry.epoch)) return 'epoch';
    return this.#write(async (ask) => {
      const outcome = await this.#compare(ask, key, entry, inherited);
      if (outcome !== 'stored') return outcome;
      const { put } = await this.#statements(ask);
      const name = nameOf(this.#options.version, key);
      await this.#run(ask, put, [name, ...rowOf(key, entry)]);
      const gone = await this.#budget.makeRoom(ask, entry.owner, sizeOf(key, entry), now);
      return gone.has(name) ? 'declined' : 'stored';
    });
  }

  /** Here a body is kept in one form: the first coding that somebody wanted takes the place of what the handler wrote. */
  async keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    if (form === 'identity' || entry.coding !== undefined) return;
    const saved = entry.body.length - bytes.length;
    const sql =
      `UPDATE ${this.#tables.entry} SET body = $3, coding = $4, bytes = bytes - $5` +
      ' WHERE namespace = $1 AND name = $2 AND coding IS NULL AND header = $6 AND as_of = $7';
    const name = nameOf(this.#options.version, key);
    await this.#write((ask) => this.#run(ask, sql, [name, bytes, form, saved, encodeHeader(entry), entry.asOf]));
  }

  /** Those who come while one is under way go together with the next: there is one lock for all of them. */
  async invalidate(tags: readonly string[]): Promise<Invalidated> {
    const answers = await this.#bumps.add(tags.length === 0 ? [''] : tags);
    return [...answers.values()][0] as Invalidated;
  }

  position(): Promise<Position> {
    return this.#read(async (ask) => {
      const { lookup } = await this.#statements(ask);
      const [row] = await this.#asked(ask, () => this.#run(ask, lookup(1), [this.#clock.now(), '']));
      return positionOf(row as Row);
    });
  }

  /** Deletes what is past its time or was invalidated, and what is known of tags that nothing depends on any more. */
  prune(): Promise<Pruned> {
    return this.#prune.run(
      (task) => this.#write(async (ask) => task(ask, (await this.#statements(ask)).outdated)),
      this.#clock.now(),
    );
  }

  /** Memory belongs to the layers in front. */
  evict(): void {}

  /** The connections belong to who has lent them. */
  async close(): Promise<void> {
    await this.#options.reads.idle();
    await this.#options.writes.idle();
  }

  async #lookUpAll(ask: Ask, keys: readonly string[]): Promise<Map<string, Lookup>> {
    const { lookup } = await this.#statements(ask);
    const names = new Map(keys.map((key) => [key, nameOf(this.#options.version, key)]));
    const rows = await this.#asked(ask, () =>
      this.#run(ask, lookup(names.size), [this.#clock.now(), ...names.values()]),
    );
    const position = positionOf(rows[0] as Row);
    const byName = new Map(rows.map((row) => [row['name'], row]));
    return new Map(keys.map((key) => [key, found(byName.get(names.get(key)), position)]));
  }

  async #compare(ask: Ask, key: string, entry: Entry, inherited: readonly Dependency[]): Promise<PutOutcome> {
    const { compare } = await this.#statements(ask);
    const pairs = new Map<string, number>();
    const watch = (tag: string, asOf: number) => pairs.set(tag, Math.min(asOf, pairs.get(tag) ?? asOf));
    for (const tag of [...entry.tags, tagName(keyTag(key))]) watch(tag, entry.asOf);
    for (const { tags, asOf } of inherited) for (const tag of tags) watch(tag, asOf);
    const [row] = await this.#asked(ask, () => this.#run(ask, compare, [JSON.stringify([...pairs])]));
    const position = positionOf(row as Row);
    if (entry.epoch !== position.epoch) return 'epoch';
    const oldest = inherited.reduce((least, { asOf }) => Math.min(least, asOf), entry.asOf);
    const { newer, floor } = row as Row;
    return Number(newer) > 0 || oldest < Number(floor) ? 'stale' : 'stored';
  }

  async #bump(ask: Ask, tags: readonly string[]): Promise<Map<string, Invalidated>> {
    const { flavour, namespace, isInTransaction } = this.#options;
    const inTransaction = isInTransaction?.() === true;
    const { incarnation } = await this.#prepared(ask);
    const everything = tags.includes(EVERYTHING);
    const named = everything ? [] : tags.filter(fits).map(tagName);
    const bump = { namespace, tags: JSON.stringify(named), everything, now: this.#clock.now(), incarnation };
    const rows = await this.#asked(ask, async () => {
      const reached = await flavour.bump(ask, this.#tables, bump);
      return reached === undefined ? [] : [reached];
    });
    if (inTransaction || isInTransaction?.() === true) for (const tag of tags) this.#unsettled.add(tag);
    this.#tagsSinceTidying += named.length;
    if (this.#tagsSinceTidying >= TAGS_BETWEEN_TIDYING) {
      this.#tagsSinceTidying = 0;
      // Whoever invalidates does not wait for it; where it fails, it comes again after as many tags.
      void this.prune().catch(() => undefined);
    }
    const position = positionOf(rows[0] as Row);
    return new Map(tags.map((tag) => [tag, position]));
  }

  #read<T>(task: (ask: Ask) => Promise<T>): Promise<T> {
    return this.#options.reads.run((ask) => this.#settled(ask, task));
  }

  #write<T>(task: (ask: Ask) => Promise<T>): Promise<T> {
    return this.#options.writes.run((ask) => this.#settled(ask, task));
  }

  /** What was invalidated in a transaction of somebody else is invalidated again before anything else is asked. */
  async #settled<T>(ask: Ask, task: (ask: Ask) => Promise<T>): Promise<T> {
    if (this.#unsettled.size > 0) {
      const tags = [...this.#unsettled];
      this.#unsettled = new Set();
      try {
        await this.#bump(ask, tags);
      } catch (error) {
        for (const tag of tags) this.#unsettled.add(tag);
        throw error;
      }
    }
    return task(ask);
  }

  /** A namespace begins at nought, under a name of its own. */
  async #asked(ask: Ask, statement: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
    const rows = await statement();
    if (rows.length > 0) return rows;
    const { begin } = await this.#statements(ask);
    await this.#run(ask, begin, [randomBytes(9).toString('base64url')]);
    const again = await statement();
    if (again.length === 0) throw new Error('The position cannot be read back: does a replica answer?');
    return again;
  }

  async #statements(ask: Ask): Promise<Statements> {
    return (await this.#prepared(ask)).statements;
  }

  async #prepared(ask: Ask): Promise<{ readonly incarnation: string; readonly statements: Statements }> {
    if (this.#facts === undefined) {
      const { flavour, outbox, schema } = this.#options;
      const incarnation = await flavour.incarnation(ask);
      const waiting = outbox ? qualified(flavour.sql, schema, OUTBOX_TABLE) : undefined;
      this.#facts = { incarnation, statements: statementsOf(flavour, this.#tables, waiting, incarnation) };
    }
    return this.#facts;
  }

  /** Runs a statement whose first parameter is the namespace. */
  async #run(ask: Ask, sql: string, parameters: readonly unknown[] = []): Promise<readonly Row[]> {
    const { flavour, namespace } = this.#options;
    try {
      return (await flavour.sql.run(ask, sql, [namespace, ...parameters])).rows;
    } catch (error) {
      // Another server may answer from now on.
      this.#facts = undefined;
      throw error;
    }
  }
}

function found(row: Row | undefined, position: Position): Lookup {
  const state = row?.['state'];
  if (row === undefined || typeof state !== 'string') return { outcome: 'miss', reason: 'absent', position };
  if (state !== 'valid') return { outcome: 'miss', reason: state as MissReason, position };
  const entry = entryOf(row, position);
  if (entry === undefined) return { outcome: 'miss', reason: 'absent', position };
  return { outcome: 'hit', entry, layer: 'database', position };
}
