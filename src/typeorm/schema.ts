// One DataSource's tables and the host's rules on them: which tags a write to a table can mean.
import { ReportCacheError } from '../contract/errors.js';
import { tableTag } from '../entry/tags.js';
import type { CoarseTags, CompiledRule } from './compiled-rule.js';
import { entityName, type EntityLike, type Rule } from './cascade-rule.js';
import { resolvePath } from './relation-path.js';
import type { Verb } from './statement.js';
import type { TagBag } from './tag-bag.js';
import type { EntityMetadataLike, ForeignKeyLike } from './typeorm-like.js';

/** The two entities whose many-to-many relation a junction table keeps, with their keys inside it. */
export interface JunctionSide {
  readonly metadata: EntityMetadataLike;
  /** Junction column for each primary column of the entity; undefined when the junction refers to something else. */
  readonly columns: readonly string[] | undefined;
}

const DESTRUCTIVE = ['CASCADE', 'SET NULL', 'SET DEFAULT'];

function isSameEntity(metadata: EntityMetadataLike, entity: EntityLike<unknown>): boolean {
  if (typeof entity === 'function') return metadata.target === entity;
  return metadata.name === entityName(entity) || metadata.target === entityName(entity);
}

/** Rows of one table may be of either class when one extends the other. */
function mayShareRows(a: EntityMetadataLike, b: EntityMetadataLike): boolean {
  if (a === b) return true;
  if (a.tablePath !== b.tablePath) return false;
  const above = (x: EntityMetadataLike, y: EntityMetadataLike): boolean =>
    typeof y.target === 'function' && x.inheritanceTree.includes(y.target);
  return above(a, b) || above(b, a);
}

function ownersOf(junction: EntityMetadataLike): JunctionSide[] {
  return [junction.ownerColumns, junction.inverseColumns].flatMap((columns): JunctionSide[] => {
    const owner = columns[0]?.referencedColumn?.entityMetadata;
    if (!owner) return [];
    const keys = owner.primaryColumns.map(
      (primary) => columns.find((column) => column.referencedColumn === primary)?.databaseName,
    );
    const complete = keys.every((key): key is string => key !== undefined);
    return [{ metadata: owner, columns: complete ? keys : undefined }];
  });
}

export class Schema {
  readonly #tables = new Map<string, EntityMetadataLike[]>();
  readonly #rules = new Map<EntityMetadataLike, CompiledRule[]>();
  readonly #referencing = new Map<string, ForeignKeyLike[]>();
  readonly #compiled = new WeakMap<EntityMetadataLike, readonly CompiledRule[]>();
  readonly #junctions = new WeakMap<EntityMetadataLike, readonly JunctionSide[]>();

  /** @param adviseKinds called when a function rule without declared kinds forces everything to go. */
  constructor(
    metadatas: readonly EntityMetadataLike[],
    rules: readonly Rule[],
    private readonly adviseKinds: (entity: string) => void,
  ) {
    for (const metadata of metadatas) {
      const key = Schema.key(metadata);
      this.#tables.set(key, [...(this.#tables.get(key) ?? []), metadata]);
      for (const foreignKey of metadata.foreignKeys) {
        const to = Schema.key(foreignKey.referencedEntityMetadata);
        this.#referencing.set(to, [...(this.#referencing.get(to) ?? []), foreignKey]);
      }
    }
    for (const rule of rules) this.add(rule);
  }

  /** A table is known by its bare name in lower case: schema, quotes and search_path never make it two tables. */
  static key(metadata: EntityMetadataLike): string {
    return metadata.tableName.toLowerCase();
  }

  holds(entity: EntityLike<unknown>): boolean {
    return this.#metadataOf(entity) !== undefined;
  }

  #metadataOf(entity: EntityLike<unknown>): EntityMetadataLike | undefined {
    for (const metadatas of this.#tables.values()) {
      const found = metadatas.find((metadata) => isSameEntity(metadata, entity));
      if (found) return found;
    }
    return undefined;
  }

  /** @throws ERC_CASCADE for a path that does not exist. A rule for an entity of another DataSource is left out. */
  add(rule: Rule): void {
    const metadata = this.#metadataOf(rule.entity);
    if (!metadata) return;
    if (metadata.tableType === 'view')
      throw new ReportCacheError('ERC_CASCADE', `${metadata.name} is a view; rules belong to the tables under it.`);
    const compiled = this.#compile(metadata, rule);
    this.#rules.set(metadata, [...(this.#rules.get(metadata) ?? []), compiled]);
    for (const metadatas of this.#tables.values()) for (const one of metadatas) this.#compiled.delete(one);
  }

  /** @throws ERC_CASCADE as {@link add} would. */
  check(rules: readonly Rule[]): void {
    for (const rule of rules) {
      const metadata = this.#metadataOf(rule.entity);
      if (metadata && rule.form === 'path') resolvePath(metadata, rule.path);
    }
  }

  #compile(metadata: EntityMetadataLike, rule: Rule): CompiledRule {
    if (rule.form === 'path') {
      const { kind } = rule;
      const path = resolvePath(metadata, rule.path);
      return { form: 'path', entity: metadata.name, kind, path, coarse: (bag) => bag.addWhole(kind) };
    }
    const { kinds, run } = rule;
    const coarse = (bag: CoarseTags): void => {
      if (kinds) for (const kind of kinds) bag.addWhole(kind);
      else {
        bag.addEverything();
        this.adviseKinds(metadata.name);
      }
    };
    return { form: 'function', entity: metadata.name, run, kinds, coarse };
  }

  rulesOf(metadata: EntityMetadataLike): readonly CompiledRule[] {
    let rules = this.#compiled.get(metadata);
    if (!rules) {
      rules = [...this.#rules].flatMap(([owner, list]) => (mayShareRows(metadata, owner) ? list : []));
      this.#compiled.set(metadata, rules);
    }
    return rules;
  }

  /** The owners of a junction or closure table; empty for any other. */
  sidesOf(metadata: EntityMetadataLike): readonly JunctionSide[] {
    let sides = this.#junctions.get(metadata);
    if (!sides) {
      const closure = metadata.isClosureJunction ? metadata.parentClosureEntityMetadata : undefined;
      sides = closure ? [{ metadata: closure, columns: undefined }] : metadata.isJunction ? ownersOf(metadata) : [];
      this.#junctions.set(metadata, sides);
    }
    return sides;
  }

  /** The entities kept in a table of this name. */
  entitiesOf(table: string): readonly EntityMetadataLike[] {
    return this.#tables.get(table.toLowerCase()) ?? [];
  }

  addTableTags(metadata: EntityMetadataLike, bag: TagBag): void {
    bag.add(tableTag(metadata.tableName));
    for (const side of this.sidesOf(metadata)) bag.add(tableTag(side.metadata.tableName));
  }

  /** Some rows of the table changed, unknown which. */
  addCoarse(table: string, verb: Verb, bag: TagBag, cascade = false): void {
    for (const key of this.#reach(table.toLowerCase(), verb, cascade)) {
      for (const metadata of this.entitiesOf(key)) {
        this.addTableTags(metadata, bag);
        for (const rule of this.rulesOf(metadata)) rule.coarse(bag);
        for (const side of this.sidesOf(metadata)) for (const rule of this.rulesOf(side.metadata)) rule.coarse(bag);
      }
    }
  }

  /**
   * The tables that the database itself changes after a write, by foreign keys.
   * @param except tables whose changes the ORM announces row by row.
   */
  addReach(metadata: EntityMetadataLike, verb: Verb, bag: TagBag, except: ReadonlySet<string> = new Set()): void {
    const own = Schema.key(metadata);
    for (const key of this.#reach(own, verb, false, except)) if (key !== own) this.addCoarse(key, 'update', bag);
    // A table that refers to itself loses rows nobody announced.
    const selfish = this.#referencing.get(own)?.some((fk) => fk.entityMetadata === metadata && this.#acts(fk, verb));
    if (selfish) this.addCoarse(own, 'update', bag);
  }

  #acts(foreignKey: ForeignKeyLike, verb: Verb): boolean {
    const action = verb === 'delete' ? foreignKey.onDelete : verb === 'update' ? foreignKey.onUpdate : undefined;
    return action !== undefined && DESTRUCTIVE.includes(action);
  }

  #reach(table: string, verb: Verb, cascade: boolean, except: ReadonlySet<string> = new Set()): Set<string> {
    const reached = new Set<string>([table]);
    const todo: [string, Verb][] = [[table, verb]];
    const seen = new Set<string>();
    for (let next = todo.pop(); next; next = todo.pop()) {
      const [here, how] = next;
      if (seen.has(`${how} ${here}`)) continue;
      seen.add(`${how} ${here}`);
      for (const foreignKey of this.#referencing.get(here) ?? []) {
        const there = Schema.key(foreignKey.entityMetadata);
        if (except.has(there)) continue;
        const truncates = how === 'truncate' && cascade;
        if (!truncates && !this.#acts(foreignKey, how)) continue;
        reached.add(there);
        const deletes = how === 'delete' && foreignKey.onDelete === 'CASCADE';
        todo.push([there, truncates ? 'truncate' : deletes ? 'delete' : 'update']);
      }
    }
    return reached;
  }

  /** Whether a referenced column is among those that an update changed; an unknown set counts as yes. */
  changesReferenced(metadata: EntityMetadataLike, columns: ReadonlySet<string> | undefined): boolean {
    const foreignKeys = this.#referencing.get(Schema.key(metadata)) ?? [];
    return foreignKeys.some(
      (fk) =>
        this.#acts(fk, 'update') && (!columns || fk.referencedColumns.some((one) => columns.has(one.databaseName))),
    );
  }
}
