// What a pending write will invalidate: tags, whole kinds, everything, and questions still to be asked of the database.
import { EVERYTHING, kindOf, wholeKind, type Tag } from '../entry/tags.js';
import type { CompiledRule } from './schema.js';
import type { EntityMetadataLike } from './typeorm-like.js';
import type { RowId } from './rows.js';

/** More ids of one kind than this in one flush become the whole kind. */
const MOST_IDS = 64;
/** More starting rows of one rule than this are not looked up: the answer would be the whole kind anyway. */
const MOST_STARTS = 500;

/** Rows from which a rule has to be followed in the database. */
export interface Lookup {
  readonly metadata: EntityMetadataLike;
  readonly rows: Map<string, RowId>;
  readonly keys: Map<string, readonly unknown[]>;
  /** Which kind of change to tell a function rule. */
  change: 'link' | 'unlink' | 'insert' | 'update' | 'remove' | 'softRemove' | 'recover';
}

const TAG = /^[A-Za-z][A-Za-z0-9_-]{0,63}:(?:\*|[A-Za-z0-9._%~-]+)$/;

export function isTag(value: unknown): value is Tag {
  return typeof value === 'string' && (value === EVERYTHING || TAG.test(value));
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
  ask(
    rule: CompiledRule,
    metadata: EntityMetadataLike,
    change: Lookup['change'],
    from: { readonly row?: RowId; readonly key?: readonly unknown[] },
  ): boolean {
    if (this.#everything) return true;
    let lookup = this.#lookups.get(rule);
    if (!lookup) {
      lookup = { metadata, rows: new Map(), keys: new Map(), change };
      this.#lookups.set(rule, lookup);
    }
    lookup.change = change;
    const text = (values: readonly unknown[]): string => JSON.stringify(values.map(String));
    if (from.row) lookup.rows.set(text(from.row), from.row);
    if (from.key) lookup.keys.set(text(from.key), from.key);
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
    for (const [rule, lookup] of other.#lookups) {
      for (const row of lookup.rows.values())
        if (!this.ask(rule, lookup.metadata, lookup.change, { row })) rule.coarse(this);
      for (const key of lookup.keys.values())
        if (!this.ask(rule, lookup.metadata, lookup.change, { key })) rule.coarse(this);
    }
  }

  tags(): Tag[] {
    if (this.#everything) return [EVERYTHING];
    return [...this.#kinds].flatMap(([kind, tags]) => (tags === undefined ? [wholeKind(kind)] : [...tags]));
  }
}
