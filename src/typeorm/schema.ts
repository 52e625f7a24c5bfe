// One DataSource's tables and the host's rules on them: which tags a write to a table can mean.
import { ReportCacheError } from '../contract/errors.js';
import { tableTag } from '../entry/tags.js';
import type { CoarseTags, CompiledRule } from './compiled-rule.js';
import { entityName, type EntityLike, type Rule } from './cascade-rule.js';
import { resolvePath } from './relation-path.js';
import type { Verb } from './statement.js';
import type { TagBag } from './tag-bag.js';
import type { EntityMetadataLike } from './typeorm-like.js';
import type { Catalogue } from './catalogue.js';
import { ForeignKeys, type ForeignKey } from './foreign-keys.js';

/** The two entities whose many-to-many relation a junction table keeps, with their keys inside it. */
export interface JunctionSide {
  readonly metadata: EntityMetadataLike;
  /** Junction column for each primary column of the entity; undefined when the junction refers to something else. */
  readonly columns: readonly string[] | undefined;
}

/** Whether this is the metadata of that entity. */
export function isSameEntity(metadata: EntityMetadataLike, entity: EntityLike<unknown>): boolean {
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

function foreignKeyOf(key: EntityMetadataLike['foreignKeys'][number]): ForeignKey {
  return {
    from: Schema.key(key.entityMetadata),
    to: Schema.key(key.referencedEntityMetadata),
    onDelete: key.onDelete,
    onUpdate: key.onUpdate,
    referencedColumns: key.referencedColumns.map((column) => column.databaseName),
  };
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
  readonly #foreignKeys: ForeignKeys;
  readonly #compiled = new WeakMap<EntityMetadataLike, readonly CompiledRule[]>();
  readonly #junctions = new WeakMap<EntityMetadataLike, readonly JunctionSide[]>();

  /**
   * @param adviseKinds called when a function rule without declared kinds forces everything to go.
   * @param catalogue what the database adds to the entities' own account of it.
   */
  constructor(
    metadatas: readonly EntityMetadataLike[],
    rules: readonly Rule[],
    private readonly adviseKinds: (entity: string) => void,
    private readonly catalogue?: Catalogue,
  ) {
    for (const metadata of metadatas) {
      const key = Schema.key(metadata);
      this.#tables.set(key, [...(this.#tables.get(key) ?? []), metadata]);
    }
    const declared = metadatas.flatMap((metadata) => metadata.foreignKeys.map(foreignKeyOf));
    this.#foreignKeys = new ForeignKeys([...declared, ...(catalogue?.foreignKeys ?? [])]);
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
    const key = table.toLowerCase();
    this.#addWholly(key, bag);
    for (const reached of this.#foreignKeys.reach(key, verb, cascade)) this.#addWholly(reached, bag);
  }

  /** What the database itself changes after a write to known rows. */
  addReach(metadata: EntityMetadataLike, verb: Verb, bag: TagBag, except?: ReadonlySet<string>): void {
    for (const key of this.#foreignKeys.reach(Schema.key(metadata), verb, false, except)) this.#addWholly(key, bag);
  }

  #addWholly(key: string, bag: TagBag): void {
    if (this.catalogue?.views.has(key)) return bag.addEverything();
    const entities = this.entitiesOf(key);
    if (entities.length === 0) bag.add(tableTag(key));
    for (const metadata of entities) {
      if (metadata.tableType === 'view') return bag.addEverything();
      this.addTableTags(metadata, bag);
      for (const rule of this.rulesOf(metadata)) rule.coarse(bag);
      for (const side of this.sidesOf(metadata)) for (const rule of this.rulesOf(side.metadata)) rule.coarse(bag);
    }
    // Rows of a partition are rows of its table.
    for (const parent of this.catalogue?.parents.get(key) ?? []) this.#addWholly(parent, bag);
  }

  /** Whether an update of these columns is passed on by foreign keys; unknown columns count as all. */
  passesOn(metadata: EntityMetadataLike, columns: ReadonlySet<string> | undefined): boolean {
    return this.#foreignKeys.passesOn(Schema.key(metadata), columns);
  }
}
