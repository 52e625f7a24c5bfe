// Reads what an event really tells about a row: copies values at once and leaves out what may be invented.
import { isPostgresLike, type ColumnLike, type EntityMetadataLike } from './typeorm-like.js';

/** Known values by column name in the database; a column that is absent is unknown. */
export type Row = ReadonlyMap<string, unknown>;

/** Stands for a value that was overwritten before anyone could read it. */
export const LOST: unique symbol = Symbol('lost');

/** One state of a row, as far as it is known. */
export interface RowVersion {
  readonly row: Map<string, unknown>;
  readonly version: 'old' | 'new';
}

/** Primary key values in the order of the metadata's primary columns. */
export type RowId = readonly unknown[];

const INTEGER = /^(?:tiny|small|medium|big)?int(?:eger)?$|^int\d$|^(?:small|big)?serial$|^number$/;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const EXACT_TEXT = /^(?:text|varchar|character varying|varchar2|nvarchar2|string)$/;

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function typeName(type: unknown): string {
  return typeof type === 'function' ? type.name.toLowerCase() : String(type);
}

/**
 * The form that the database will give back for a value that the host supplied, or undefined when that is not
 * certain: `5`, `'5'` and `' 5'` are one integer, upper and lower case are one uuid, and a transformer may do anything.
 */
export function canonical(value: unknown, column: ColumnLike, driverType: string): unknown {
  if (value === null) return null;
  if (column.transformer !== undefined || column.isArray) return undefined;
  const type = typeName(column.type);
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'string') return undefined;
  if (INTEGER.test(type)) return /^\s*[+-]?\d{1,30}\s*$/.test(value) ? BigInt(value.replace('+', '')) : undefined;
  if (type === 'uuid') return UUID.test(value) ? value.toLowerCase() : undefined;
  // A generated id is text that the ORM itself made.
  if (column.isGenerated && UUID.test(value)) return value;
  // MySQL and SQL Server compare text without case, and fixed-length text is padded: equal is not the same there.
  const exact = isPostgresLike(driverType) || /sqlite|sqljs|oracle/.test(driverType);
  return exact && EXACT_TEXT.test(type) ? value : undefined;
}

/** What the ORM read from the database before the write: the only source of old values. */
export function storedRow(metadata: EntityMetadataLike, entity: unknown): Map<string, unknown> {
  const row = new Map<string, unknown>();
  if (!isObject(entity)) return row;
  for (const column of metadata.columns) {
    let value = column.getEntityValue(entity);
    if (value === undefined && column.relationMetadata?.getEntityValue(entity) === null) value = null;
    if (value !== undefined) row.set(column.databaseName, value);
  }
  return row;
}

function atPath(entity: object, path: string): unknown {
  let value: unknown = entity;
  for (const part of path.split('.')) {
    if (!isObject(value)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/**
 * What the host's object says about a column: nothing, one value, or two when a relation and its foreign key property
 * disagree (which one is written depends on the ORM's own comparison, so both count).
 */
export function givenValues(column: ColumnLike, entity: object): unknown[] {
  const values = new Set<unknown>([column.getEntityValue(entity)]);
  const related = column.relationMetadata?.getEntityValue(entity);
  if (related === null) values.add(null);
  if (column.relationMetadata && !column.isVirtual) values.add(atPath(entity, column.propertyPath));
  values.delete(undefined);
  return [...values];
}

/** Candidates by column name. */
export type Given = ReadonlyMap<string, readonly unknown[]>;

export function givenRow(metadata: EntityMetadataLike, entity: unknown): Map<string, unknown[]> {
  const given = new Map<string, unknown[]>();
  if (!isObject(entity)) return given;
  for (const column of metadata.columns) {
    const values = givenValues(column, entity);
    if (values.length > 0) given.set(column.databaseName, values);
  }
  return given;
}

/** `base` overlaid with what was given; a second version exists where two candidates compete. */
export function overlay(metadata: EntityMetadataLike, base: Row, given: Given, driverType: string): RowVersion[] {
  const first = new Map(base);
  const second = new Map(base);
  let competing = false;
  for (const column of metadata.columns) {
    const candidates = given.get(column.databaseName);
    if (!candidates) continue;
    for (const [i, row] of [first, second].entries()) {
      const value = canonical(candidates[Math.min(i, candidates.length - 1)], column, driverType);
      if (value === undefined) row.delete(column.databaseName);
      else row.set(column.databaseName, value);
    }
    competing ||= candidates.length > 1;
  }
  const versions: RowVersion[] = [{ row: first, version: 'new' }];
  if (competing) versions.push({ row: second, version: 'new' });
  return versions;
}

/** The primary key in `source`: an entity, an id map, or the bare value of a single key. */
export function idOf(metadata: EntityMetadataLike, source: unknown): RowId | undefined {
  const columns = metadata.primaryColumns;
  if (source === undefined || source === null || columns.length === 0) return undefined;
  if (!isObject(source) || source instanceof Date || source instanceof Uint8Array)
    return columns.length === 1 ? [source] : undefined;
  const values = columns.map((column) => column.getEntityValue(source));
  return values.every((value) => value !== undefined && value !== null) ? values : undefined;
}

/** Adds the key to a row, where its canonical form is certain. */
export function withId(
  metadata: EntityMetadataLike,
  row: Map<string, unknown>,
  id: RowId | undefined,
  driverType: string,
): void {
  metadata.primaryColumns.forEach((column, i) => {
    if (id === undefined || row.has(column.databaseName)) return;
    const value = canonical(id[i], column, driverType);
    if (value !== undefined) row.set(column.databaseName, value);
  });
}

/** The text of a value inside a tag, or undefined when it has no plain form. */
export function idText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : undefined;
}
