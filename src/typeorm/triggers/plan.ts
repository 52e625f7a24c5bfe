// What a write to each table means, in terms that a database can follow: columns, joins and whole kinds.
import { EVERYTHING, kindOf, wholeKind } from '../../entry/tags.js';
import type { CompiledRule } from '../compiled-rule.js';
import { keyColumns, type ResolvedPath } from '../relation-path.js';
import type { JunctionSide, Schema } from '../schema.js';
import { TagBag } from '../tag-bag.js';
import type { ColumnLike, EntityMetadataLike } from '../typeorm-like.js';
import { comparesPlainly, textForm, type TextForm } from './text-form.js';

/** One step from a row to rows of another table. */
export interface Join {
  readonly table: EntityMetadataLike;
  /** Column of the row before → column of `table`. */
  readonly on: readonly (readonly [string, string])[];
  /** The row exists whenever the columns before it are filled; if it does not, it went a moment ago. */
  readonly must: boolean;
}

/** Where the ids of one kind come from. */
export interface Source {
  readonly kind: string;
  readonly joins: readonly Join[];
  /** The column at the end, in the last joined table or in the changed row itself. */
  readonly column: string;
  readonly form: TextForm;
  /** Begins with rows that refer to this one. The database may have taken them away together with it. */
  readonly inverse: boolean;
}

export interface TablePlan {
  readonly metadata: EntityMetadataLike;
  /** Written for every change. */
  readonly tags: readonly string[];
  /** Kinds that `tags` do not cover already. */
  readonly sources: readonly Source[];
  /** What a change of unknown rows means. */
  readonly whole: readonly string[];
}

interface Way {
  readonly joins: Join[];
  readonly end: ColumnLike;
}

type Pair = readonly [ColumnLike, ColumnLike];

function referenced(columns: readonly ColumnLike[]): Pair[] {
  return columns.flatMap((column): Pair[] => (column.referencedColumn ? [[column, column.referencedColumn]] : []));
}

const flip = (pairs: readonly Pair[]): Pair[] => pairs.map(([a, b]) => [b, a]);

function join(table: EntityMetadataLike, pairs: readonly Pair[], must: boolean): Join | undefined {
  if (pairs.length === 0 || !pairs.flat().every(comparesPlainly)) return undefined;
  return { table, on: pairs.map(([l, r]) => [l.databaseName, r.databaseName] as const), must };
}

/** Undefined when a join cannot be made with certainty. */
function wayOf({ hops, column }: Pick<ResolvedPath, 'hops' | 'column'>): Way | undefined {
  const joins: (Join | undefined)[] = [];
  let end = column;
  for (const [i, hop] of hops.entries()) {
    const junction = hop.junctionEntityMetadata;
    const own = keyColumns(hop);
    if (hop.isManyToMany && junction) {
      const [near, far] = hop.isManyToManyOwner
        ? [junction.ownerColumns, junction.inverseColumns]
        : [junction.inverseColumns, junction.ownerColumns];
      joins.push(join(junction, flip(referenced(near)), false));
      // The key of the last row stands in the junction too, and stays readable when that row is gone.
      const key = i === hops.length - 1 && far.find((one) => one.referencedColumn === column);
      if (key) end = key;
      else joins.push(join(hop.inverseEntityMetadata, referenced(far), true));
    } else if (own.length > 0) joins.push(join(hop.inverseEntityMetadata, referenced(own), true));
    else joins.push(join(hop.inverseEntityMetadata, flip(referenced(hop.inverseRelation?.joinColumns ?? [])), false));
  }
  const known = joins.filter((one) => one !== undefined);
  return known.length === joins.length ? { joins: known, end } : undefined;
}

type PathRule = CompiledRule & { form: 'path' };

function sourceOf(kind: string, way: Way | undefined, inverse: boolean): Source | undefined {
  const form = way && textForm(way.end);
  return way && form && { kind, joins: way.joins, column: way.end.databaseName, form, inverse };
}

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
function sideSources({ kind, path }: PathRule, junction: EntityMetadataLike, side: JunctionSide): (Source | undefined)[] {
  const near = [...junction.ownerColumns, ...junction.inverseColumns].filter((column) =>
    side.columns?.includes(column.databaseName),
  );
  if (side.columns === undefined || near.length === 0) return [undefined];
  const own = path.hops.length === 0 && near.find((column) => column.referencedColumn === path.column);
  if (own) return [sourceOf(kind, { joins: [], end: own }, false)];
  const toSide = join(side.metadata, referenced(near), false);
  const rest = wayOf(path);
  const around = sourceOf(kind, toSide && rest && { joins: [toSide, ...rest.joins], end: rest.end }, false);
  const [first, ...hops] = path.hops;
  if (first?.junctionEntityMetadata !== junction) return [around];
  const [from, far] = first.isManyToManyOwner
    ? [junction.ownerColumns, junction.inverseColumns]
    : [junction.inverseColumns, junction.ownerColumns];
  if (from[0] !== near[0]) return [around];
  const key = hops.length === 0 && far.find((column) => column.referencedColumn === path.column);
  if (key) return [around, sourceOf(kind, { joins: [], end: key }, false)];
  const toFar = join(first.inverseEntityMetadata, referenced(far), true);
  const beyond = wayOf({ hops, column: path.column });
  return [around, sourceOf(kind, toFar && beyond && { joins: [toFar, ...beyond.joins], end: beyond.end }, false)];
}

const textOf = (source: Source): string =>
  JSON.stringify({ ...source, joins: source.joins.map(({ table, on, must }) => [table.tablePath, on, must]) });

/** All entities of one table together. */
function planOf(schema: Schema, metadatas: readonly EntityMetadataLike[], advise: (text: string) => void): TablePlan {
  const metadata = metadatas[0] as EntityMetadataLike;
  const bag = new TagBag();
  const whole = new TagBag();
  const sources = new Map<string, Source>();
  const take = (rule: CompiledRule, of: (rule: PathRule) => (Source | undefined)[]): void => {
    rule.coarse(whole);
    if (rule.form === 'function') {
      rule.coarse(bag);
      const what = rule.kinds ? [...rule.kinds].sort().map((kind) => wholeKind(kind)).join(' ') : EVERYTHING;
      advise(
        `A database cannot run the function rule of ${rule.entity}: each write to "${metadata.tableName}" invalidates ` +
          `${what === '' ? 'nothing more than its table' : what}.`,
      );
      return;
    }
    const found = of(rule);
    for (const source of found) if (source) sources.set(textOf(source), source);
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
  const open = [...sources].filter(([, { kind }]) => !bag.covers(kind)).sort(([a], [b]) => (a < b ? -1 : 1));
  return { metadata, tags: bag.tags().sort(), sources: open.map(([, source]) => source), whole: whole.tags().sort() };
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
  return [...tables].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => planOf(schema, group, advise));
}

/** Sources by kind. */
export function byKind(sources: readonly Source[]): ReadonlyMap<string, readonly Source[]> {
  const kinds = new Map<string, Source[]>();
  for (const source of sources) kinds.set(source.kind, [...(kinds.get(source.kind) ?? []), source]);
  return kinds;
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
