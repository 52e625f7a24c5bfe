// A path from an entity over its relations to the column whose value names who is concerned.
import { ReportCacheError } from '../contract/errors.js';
import type { ColumnLike, EntityMetadataLike, RelationLike } from './typeorm-like.js';

type Plain = string | number | bigint | boolean | symbol | Date | Uint8Array | null | undefined;
/** What stands behind a property: the resolved value of a lazy relation, the element of an array. */
type Behind<T> =
  NonNullable<T> extends PromiseLike<infer U>
    ? Behind<U>
    : NonNullable<T> extends readonly (infer U)[]
      ? NonNullable<U>
      : NonNullable<T>;
type Depth = [never, 0, 1, 2, 3];

/**
 * Paths such as `'classId'`, `'student.id'` or `'student.parents'`, checked by the compiler four steps deep. Longer
 * paths are a matter for the function form.
 */
export type RelationPath<E, D extends number = 4> = D extends 0
  ? never
  : {
      [K in keyof E & string]: E[K] extends (...args: never[]) => unknown
        ? never
        : Behind<E[K]> extends Plain
          ? K
          : K | `${K}.${RelationPath<Behind<E[K]>, Depth[D]>}`;
    }[keyof E & string];

export interface ResolvedPath {
  /** As it was written. */
  readonly text: string;
  /** Relations to follow. */
  readonly hops: readonly RelationLike[];
  /** The column to read at the end. */
  readonly column: ColumnLike;
}

function fail(metadata: EntityMetadataLike, path: string, why: string): never {
  throw new ReportCacheError('ERC_CASCADE', `"${path}" of ${metadata.name}: ${why}.`);
}

/** Follows `path`; the end may be a column, or a relation and then the key of what it leads to. */
export function resolvePath(metadata: EntityMetadataLike, path: string): ResolvedPath {
  const hops: RelationLike[] = [];
  let here = metadata;
  let prefix = '';
  let column: ColumnLike | undefined;
  for (const part of path.split('.')) {
    if (column) fail(metadata, path, `"${column.propertyPath}" is a column, nothing comes after it`);
    const name = prefix === '' ? part : `${prefix}.${part}`;
    const relation =
      here.findRelationWithPropertyPath(name) ?? here.relationIds.find((one) => one.propertyName === name)?.relation;
    if (relation) {
      hops.push(relation);
      here = relation.inverseEntityMetadata;
      prefix = '';
      continue;
    }
    const found = here.columns.find((one) => one.propertyPath === name && !one.isVirtual);
    if (found) {
      column = found;
      prefix = '';
    } else if (here.hasEmbeddedWithPropertyPath(name)) prefix = name;
    else fail(metadata, path, `${here.name} has no relation or column "${name}"`);
  }
  if (prefix !== '') fail(metadata, path, `"${prefix}" is an embedded object; name one of its columns`);
  if (!column) {
    if (here.primaryColumns.length !== 1) fail(metadata, path, `${here.name} has no single primary key; name a column`);
    column = here.primaryColumns[0] as ColumnLike;
  }
  return shorten({ text: path, hops, column });
}

/** The foreign key columns that a relation keeps in the row itself; empty for every other relation. */
export function keyColumns(relation: RelationLike): readonly ColumnLike[] {
  return relation.isManyToMany ? [] : relation.joinColumns;
}

/** `student.id` needs no look at the student: the row's own foreign key is that value. */
function shorten(path: ResolvedPath): ResolvedPath {
  const last = path.hops.at(-1);
  const key = last && keyColumns(last).find((one) => one.referencedColumn === path.column);
  return key ? { text: path.text, hops: path.hops.slice(0, -1), column: key } : path;
}
