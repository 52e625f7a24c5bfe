// What a pending write will invalidate: tags, whole kinds, everything, and questions still to be asked of the database.
import { EVERYTHING, kindOf, wholeKind, type Tag } from '../entry/tags.js';
import type { CompiledRule } from './compiled-rule.js';
import type { EntityMetadataLike } from './typeorm-like.js';
import type { RowChange } from './cascade-rule.js';
import type { Row, RowId } from './rows.js';

/** More ids of one kind than this in one flush become the whole kind. */
const MOST_IDS = 64;
/** More starting rows of one rule than this are not looked up: the answer would be the whole kind anyway. */
const MOST_STARTS = 500;

/** A row to begin a look-up from. */
export interface RowStart {
  readonly id: RowId;
  /** What a function rule already knew of the row; it goes before what is loaded, which may be newer. */
  readonly known?: Row;
  readonly change?: RowChange;
}

/** Rows from which a rule has to be followed in the database. */
export interface Lookup {
  readonly metadata: EntityMetadataLike;
  readonly rows: Map<string, RowStart>;
  /** Foreign key values of a path's first relation. */
  readonly keys: Map<string, readonly unknown[]>;
}

export type LookupStart = { readonly row: RowStart } | { readonly key: readonly unknown[] };

const textOf = (values: readonly unknown[]): string => JSON.stringify(values.map(String));

function startKey({ id, known, change }: RowStart): string {
  const parts = known ? [...known].map(([name, value]) => textOf([name, value])) : [];
  return textOf([...id, ...parts, change?.version]);
}

export class TagBag {
  #everything = false;
  /** Tags by kind; `undefined` is the whole kind. */
  readonly #kinds = new Map<string, Set<Tag> | undefined>();
  readonly #lookups = new Map<CompiledRule, Lookup>();

  get empty(): boolean {
    return !this.#everything && this.#kinds.size === 0 && this.#lookups.size === 0;
  }

  /** Whether the database has to be asked. */
  get asks(): boolean {
    return this.#lookups.size > 0;
  }

  add(tag: Tag): void {
    if (this.#everything) return;
    if (tag === EVERYTHING) return this.addEverything();
    const kind = kindOf(tag);
    if (tag === `${kind}:*`) return this.addWhole(kind);
    const known = this.#kinds.get(kind);
    if (known === undefined && this.#kinds.has(kind)) return;
    if (known === undefined) this.#kinds.set(kind, new Set([tag]));
    else if (known.add(tag).size > MOST_IDS) this.addWhole(kind);
  }

  addWhole(kind: string): void {
    if (this.#everything) return;
    if (wholeKind(kind) === EVERYTHING) this.addEverything();
    else this.#kinds.set(kind, undefined);
  }

  addEverything(): void {
    this.#everything = true;
    this.#kinds.clear();
    this.#lookups.clear();
  }

  /** Whether a further id of this kind would add nothing. */
  covers(kind: string): boolean {
    return this.#everything || (this.#kinds.has(kind) && this.#kinds.get(kind) === undefined);
  }

  /** Remembers to follow `rule` from a row or from foreign key values. False: too many, use the rule's coarse tags. */
  ask(rule: CompiledRule, metadata: EntityMetadataLike, start: LookupStart): boolean {
    if (this.#everything) return true;
    let lookup = this.#lookups.get(rule);
    if (!lookup) {
      lookup = { metadata, rows: new Map(), keys: new Map() };
      this.#lookups.set(rule, lookup);
    }
    if ('row' in start) lookup.rows.set(startKey(start.row), start.row);
    else lookup.keys.set(textOf(start.key), start.key);
    if (lookup.rows.size + lookup.keys.size <= MOST_STARTS) return true;
    this.#lookups.delete(rule);
    return false;
  }

  takeLookups(): Map<CompiledRule, Lookup> {
    const taken = new Map(this.#lookups);
    this.#lookups.clear();
    return taken;
  }

  merge(other: TagBag): void {
    if (other.#everything) this.addEverything();
    for (const [kind, tags] of other.#kinds) {
      if (tags === undefined) this.addWhole(kind);
      else for (const tag of tags) this.add(tag);
    }
    for (const [rule, { metadata, rows, keys }] of other.#lookups) {
      const starts: LookupStart[] = [...rows.values()].map((row) => ({ row }));
      for (const key of keys.values()) starts.push({ key });
      if (!starts.every((start) => this.ask(rule, metadata, start))) rule.coarse(this);
    }
  }

  tags(): Tag[] {
    if (this.#everything) return [EVERYTHING];
    return [...this.#kinds].flatMap(([kind, tags]) => (tags === undefined ? [wholeKind(kind)] : [...tags]));
  }
}
