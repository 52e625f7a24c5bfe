// What a write to each table means, in terms that a database can follow: columns, joins and whole kinds.
import { EVERYTHING, kindOf, wholeKind } from '../../entry/tags.js';
import type { CompiledRule } from '../compiled-rule.js';
import { keyColumns } from '../relation-path.js';
import type { JunctionSide, Schema } from '../schema.js';
import { TagBag } from '../tag-bag.js';
import type { EntityMetadataLike } from '../typeorm-like.js';
import { latePlans, type LatePlan } from './late-plan.js';
import { after, distinct, farWay, join, referenced, sourceOf, wayOf, type Source } from './source.js';

export interface TablePlan {
  readonly metadata: EntityMetadataLike;
  /** Written for every change. */
  readonly tags: readonly string[];
  /** Kinds that `tags` do not cover already. */
  readonly sources: readonly Source[];
  /** What a change of unknown rows means. */
  readonly whole: readonly string[];
  /** Undefined: no path of another row leads over this table. */
  readonly late: LatePlan | undefined;
}

type PathRule = CompiledRule & { form: 'path' };

/** A rule of the table's own entity. */
function ownSources({ kind, path }: PathRule): (Source | undefined)[] {
  const [first] = path.hops;
  // What a junction loses with this row, its own trigger tells.
  const inverse = first !== undefined && !first.isManyToMany && keyColumns(first).length === 0;
  return [sourceOf(kind, wayOf(path), inverse)];
}

/**
 * A rule of an entity that a junction row links: what it means for the entity as it is now, and for the row at the
 * other end of this very link. An entity that is gone has told what concerns it by its own trigger.
 */
function sideSources(
  { kind, path }: PathRule,
  junction: EntityMetadataLike,
  side: JunctionSide,
): (Source | undefined)[] {
  const near = [...junction.ownerColumns, ...junction.inverseColumns].filter((column) =>
    side.columns?.includes(column.databaseName),
  );
  if (side.columns === undefined || near.length === 0) return [undefined];
  const own = path.hops.length === 0 && near.find((column) => column.referencedColumn === path.column);
  if (own) return [sourceOf(kind, { joins: [], end: own })];
  const around = sourceOf(kind, after(join(side.metadata, referenced(near), false), wayOf(path)));
  const [first, ...hops] = path.hops;
  if (first?.junctionEntityMetadata !== junction) return [around];
  return [around, sourceOf(kind, farWay(first, junction, { hops, column: path.column }))];
}

/** All entities of one table together. */
function planOf(
  schema: Schema,
  metadatas: readonly EntityMetadataLike[],
  late: LatePlan | undefined,
  advise: (text: string) => void,
): TablePlan {
  const metadata = metadatas[0] as EntityMetadataLike;
  const bag = new TagBag();
  const whole = new TagBag();
  const sources: Source[] = [];
  const take = (rule: CompiledRule, of: (rule: PathRule) => (Source | undefined)[]): void => {
    rule.coarse(whole);
    if (rule.form === 'function') {
      rule.coarse(bag);
      const kinds = rule.kinds ? [...rule.kinds].sort().map((kind) => wholeKind(kind)) : [EVERYTHING];
      advise(
        `A database cannot run the function rule of ${rule.entity}: each write to "${metadata.tableName}" invalidates ` +
          `${kinds.length === 0 ? 'nothing more than its table' : kinds.join(' ')}.`,
      );
      return;
    }
    const found = of(rule);
    sources.push(...found.filter((source) => source !== undefined));
    if (!found.includes(undefined)) return;
    rule.coarse(bag);
    advise(
      `The database cannot follow "${rule.path.text}" of ${rule.entity} exactly: each write to ` +
        `"${metadata.tableName}" invalidates ${wholeKind(rule.kind)}.`,
    );
  };
  for (const one of metadatas) {
    for (const into of [bag, whole]) schema.addTableTags(one, into);
    for (const rule of schema.rulesOf(one)) take(rule, ownSources);
    for (const side of schema.sidesOf(one))
      for (const rule of schema.rulesOf(side.metadata)) take(rule, (path) => sideSources(path, one, side));
  }
  const open = distinct(sources).filter(({ kind }) => !bag.covers(kind));
  return { metadata, tags: bag.tags().sort(), sources: open, whole: whole.tags().sort(), late };
}

/**
 * The plans of all tables that entities are kept in, in the order of their names.
 * @param except tables by bare name in lower case that concern no report.
 */
export function plansFor(
  metadatas: readonly EntityMetadataLike[],
  schema: Schema,
  except: ReadonlySet<string>,
  advise: (text: string) => void,
): TablePlan[] {
  const tables = new Map<string, EntityMetadataLike[]>();
  for (const metadata of metadatas) {
    if (metadata.tableType === 'view' || except.has(metadata.tableName.toLowerCase())) continue;
    tables.set(metadata.tablePath, [...(tables.get(metadata.tablePath) ?? []), metadata]);
  }
  const late = latePlans(metadatas, schema);
  return [...tables]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, group]) => planOf(schema, group, late.get(path), advise));
}

/** Tags that say the same and no more: `*` alone, no id beside its whole kind. */
export function joined(...lists: readonly (readonly string[])[]): string {
  const bag = new TagBag();
  for (const tag of lists.flat()) {
    if (tag === EVERYTHING) bag.addEverything();
    else if (tag === wholeKind(kindOf(tag))) bag.addWhole(kindOf(tag));
    else bag.add(tag as Parameters<TagBag['add']>[0]);
  }
  return bag.tags().sort().join(' ');
}
