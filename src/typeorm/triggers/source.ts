// Where the ids of one kind come from: a column of the changed row, or one at the end of joins that begin there.
import { keyColumns, type ResolvedPath } from '../relation-path.js';
import type { ColumnLike, EntityMetadataLike, RelationLike } from '../typeorm-like.js';
import { comparesPlainly, textForm, type TextForm } from './text-form.js';

/** One step from a row to rows of another table. */
export interface Join {
  readonly table: EntityMetadataLike;
  /** Column of the row before → column of `table`. */
  readonly on: readonly (readonly [string, string])[];
  /** The row exists whenever the columns before it are filled; if it does not, it went a moment ago. */
  readonly must: boolean;
}

export interface Source {
  readonly kind: string;
  readonly joins: readonly Join[];
  /** The column at the end, in the last joined table or in the changed row itself. */
  readonly column: string;
  readonly form: TextForm;
  /** Begins with rows that refer to this one. The database may have taken them away together with it. */
  readonly inverse: boolean;
}

export interface Way {
  readonly joins: readonly Join[];
  readonly end: ColumnLike;
}

/** What is left of a path. */
export type Rest = Pick<ResolvedPath, 'hops' | 'column'>;

type Pair = readonly [ColumnLike, ColumnLike];

export function referenced(columns: readonly ColumnLike[]): Pair[] {
  return columns.flatMap((column): Pair[] => (column.referencedColumn ? [[column, column.referencedColumn]] : []));
}

const flip = (pairs: readonly Pair[]): Pair[] => pairs.map(([a, b]) => [b, a]);

export function join(table: EntityMetadataLike, pairs: readonly Pair[], must: boolean): Join | undefined {
  if (pairs.length === 0 || !pairs.flat().every(comparesPlainly)) return undefined;
  return { table, on: pairs.map(([l, r]) => [l.databaseName, r.databaseName] as const), must };
}

export function after(first: Join | undefined, way: Way | undefined): Way | undefined {
  return first && way && { joins: [first, ...way.joins], end: way.end };
}

/** The columns of a junction that hold the keys of this end of a relation, and of the other. */
export function endsOf(
  hop: RelationLike,
  junction: EntityMetadataLike,
): readonly [readonly ColumnLike[], readonly ColumnLike[]] {
  return hop.isManyToManyOwner
    ? [junction.ownerColumns, junction.inverseColumns]
    : [junction.inverseColumns, junction.ownerColumns];
}

/**
 * From a junction row over the far end of its relation. The key of the last row stands in the junction too, and stays
 * readable when that row is gone.
 */
export function farWay(hop: RelationLike, junction: EntityMetadataLike, rest: Rest): Way | undefined {
  const [, far] = endsOf(hop, junction);
  const key = rest.hops.length === 0 && far.find((one) => one.referencedColumn === rest.column);
  if (key) return { joins: [], end: key };
  return after(join(hop.inverseEntityMetadata, referenced(far), true), wayOf(rest));
}

/** Undefined when a join cannot be made with certainty. */
export function wayOf({ hops: [hop, ...hops], column }: Rest): Way | undefined {
  if (hop === undefined) return { joins: [], end: column };
  const rest = { hops, column };
  const junction = hop.junctionEntityMetadata;
  if (hop.isManyToMany && junction) {
    const [near] = endsOf(hop, junction);
    return after(join(junction, flip(referenced(near)), false), farWay(hop, junction, rest));
  }
  const own = keyColumns(hop);
  const pairs = own.length > 0 ? referenced(own) : flip(referenced(hop.inverseRelation?.joinColumns ?? []));
  return after(join(hop.inverseEntityMetadata, pairs, own.length > 0), wayOf(rest));
}

/** Undefined where the database cannot write the id with certainty. */
export function sourceOf(kind: string, way: Way | undefined, inverse = false): Source | undefined {
  const form = way && textForm(way.end);
  return way && form && { kind, joins: way.joins, column: way.end.databaseName, form, inverse };
}

const textOf = (source: Source): string =>
  JSON.stringify({ ...source, joins: source.joins.map(({ table, on, must }) => [table.tablePath, on, must]) });

/** Each once, in an order that does not depend on that of the rules. */
export function distinct(sources: readonly Source[]): Source[] {
  const known = new Map(sources.map((source) => [textOf(source), source]));
  return [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source);
}

export function byKind(sources: readonly Source[]): ReadonlyMap<string, readonly Source[]> {
  const kinds = new Map<string, Source[]>();
  for (const source of sources) kinds.set(source.kind, [...(kinds.get(source.kind) ?? []), source]);
  return kinds;
}
