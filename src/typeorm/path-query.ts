// One SELECT per path: from known rows over relations to the values at the end.
import { keyColumns, type ResolvedPath } from './relation-path.js';
import type { ColumnLike, DriverLike, EntityMetadataLike, RelationLike } from './typeorm-like.js';

export interface Starts {
  /** Primary keys of rows of the path's own entity. */
  readonly rows: readonly (readonly unknown[])[];
  /** Foreign key values of the path's first relation. */
  readonly keys: readonly (readonly unknown[])[];
}

export interface Query {
  readonly sql: string;
  readonly parameters: unknown[];
}

class Writer {
  readonly parameters: unknown[] = [];
  constructor(readonly driver: DriverLike) {}

  table(metadata: EntityMetadataLike): string {
    return metadata.tablePath
      .split('.')
      .map((part) => (part === '' ? part : this.driver.escape(part)))
      .join('.');
  }

  column(alias: string, column: ColumnLike): string {
    return `${alias}.${this.driver.escape(column.databaseName)}`;
  }

  equal(alias: string, columns: readonly ColumnLike[], sets: readonly (readonly unknown[])[]): string {
    const rows = sets.map((values) => {
      const parts = columns.map((column, i) => {
        const value = this.driver.preparePersistentValue(values[i], column);
        this.parameters.push(value);
        return `${this.column(alias, column)} = ${this.driver.createParameter('p', this.parameters.length - 1)}`;
      });
      return parts.length === 1 ? (parts[0] as string) : `(${parts.join(' AND ')})`;
    });
    return rows.join(' OR ');
  }

  /** `left.l = right.r AND …` */
  on(left: string, right: string, pairs: readonly (readonly [ColumnLike, ColumnLike])[]): string {
    return pairs.map(([l, r]) => `${this.column(left, l)} = ${this.column(right, r)}`).join(' AND ');
  }
}

type Pair = readonly [ColumnLike, ColumnLike];

function referenced(columns: readonly ColumnLike[]): Pair[] {
  return columns.flatMap((column): Pair[] => (column.referencedColumn ? [[column, column.referencedColumn]] : []));
}

const flip = (pairs: readonly Pair[]): Pair[] => pairs.map(([a, b]) => [b, a]);

/** Writes the joins for `hops` beginning at alias `t0`; returns the alias at the end. */
function joins(writer: Writer, hops: readonly RelationLike[]): { readonly sql: string; readonly end: string } {
  let sql = '';
  let end = 't0';
  for (const [i, hop] of hops.entries()) {
    const next = `t${i + 1}`;
    const target = writer.table(hop.inverseEntityMetadata);
    const junction = hop.junctionEntityMetadata;
    if (hop.isManyToMany && junction) {
      const [near, far] = hop.isManyToManyOwner
        ? [junction.ownerColumns, junction.inverseColumns]
        : [junction.inverseColumns, junction.ownerColumns];
      const middle = `j${i + 1}`;
      sql += ` INNER JOIN ${writer.table(junction)} ${middle} ON ${writer.on(middle, end, referenced(near))}`;
      sql += ` INNER JOIN ${target} ${next} ON ${writer.on(middle, next, referenced(far))}`;
    } else {
      const own = keyColumns(hop);
      const pairs = own.length > 0 ? referenced(own) : flip(referenced(hop.inverseRelation?.joinColumns ?? []));
      sql += ` INNER JOIN ${target} ${next} ON ${writer.on(end, next, pairs)}`;
    }
    end = next;
  }
  return { sql, end };
}

/** The values at the end of `path` for all the starts; soft-deleted rows on the way count, they had readers too. */
export function pathQuery(driver: DriverLike, metadata: EntityMetadataLike, path: ResolvedPath, starts: Starts): Query {
  const writer = new Writer(driver);
  const parts: string[] = [];
  if (starts.rows.length > 0) {
    const { sql, end } = joins(writer, path.hops);
    const where = writer.equal('t0', metadata.primaryColumns, starts.rows);
    parts.push(`SELECT ${writer.column(end, path.column)} AS v FROM ${writer.table(metadata)} t0${sql} WHERE ${where}`);
  }
  const first = path.hops[0];
  if (starts.keys.length > 0 && first) {
    const { sql, end } = joins(writer, path.hops.slice(1));
    const columns = referenced(keyColumns(first)).map(([, column]) => column);
    const where = writer.equal('t0', columns, starts.keys);
    const from = writer.table(first.inverseEntityMetadata);
    parts.push(`SELECT ${writer.column(end, path.column)} AS v FROM ${from} t0${sql} WHERE ${where}`);
  }
  // UNION without ALL drops duplicates; a single part needs the word for it.
  const sql = parts.length === 1 ? (parts[0] as string).replace('SELECT', 'SELECT DISTINCT') : parts.join(' UNION ');
  return { sql, parameters: writer.parameters };
}

/** All columns of the rows with these keys, under the names of the database. */
export function rowQuery(
  driver: DriverLike,
  metadata: EntityMetadataLike,
  ids: readonly (readonly unknown[])[],
): Query {
  const writer = new Writer(driver);
  const real = metadata.columns.filter((column) => !column.isVirtualProperty);
  const columns = real.map((column) => writer.column('t0', column)).join(', ');
  const where = writer.equal('t0', metadata.primaryColumns, ids);
  return { sql: `SELECT ${columns} FROM ${writer.table(metadata)} t0 WHERE ${where}`, parameters: writer.parameters };
}
