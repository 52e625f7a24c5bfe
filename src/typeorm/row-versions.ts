// The old and the new state of a row, from what an event of the ORM can be trusted to say.
import { givenRow, LOST, overlay, storedRow, withId, type Given, type RowId, type RowVersion } from './rows.js';
import type { InsertEventLike, RemoveEventLike, UpdateEventLike } from './typeorm-like.js';

/** @param before what the host's object held before the ORM filled in nulls. */
export function insertedVersions(
  event: InsertEventLike,
  id: RowId,
  before: Given | undefined,
  driverType: string,
): RowVersion[] {
  const { metadata } = event;
  const given = givenRow(metadata, event.entity);
  for (const column of metadata.columns) {
    const invented = given.get(column.databaseName)?.includes(null) && !before?.has(column.databaseName);
    const filled = column.default !== undefined || column.isGenerated || column.asExpression !== undefined;
    // A default, or the parent of a cascade, may stand in the row where the object has a null.
    if (invented && (filled || column.relationMetadata)) given.delete(column.databaseName);
  }
  const base = new Map<string, unknown>();
  withId(metadata, base, id, driverType);
  const versions = overlay(metadata, base, given, driverType);
  for (const version of versions)
    for (const [name, value] of base) if (!version.row.has(name)) version.row.set(name, value);
  return versions;
}

export function storedVersion(event: RemoveEventLike, id: RowId, driverType: string): RowVersion {
  const row = storedRow(event.metadata, event.databaseEntity);
  withId(event.metadata, row, id, driverType);
  return { row, version: 'old' };
}

/** The states of an updated row, and the columns that the ORM says it changed. */
export function updatedVersions(
  event: UpdateEventLike,
  entity: object,
  id: RowId,
  before: Given | undefined,
  driverType: string,
): { readonly versions: RowVersion[]; readonly changed: ReadonlySet<string> } {
  const { metadata } = event;
  const columns = [...event.updatedColumns, ...event.updatedRelations.flatMap((relation) => relation.joinColumns)];
  const changed = new Set(columns.map((column) => column.databaseName));
  const after = givenRow(metadata, entity);
  const given = new Map(before);
  const old = storedRow(metadata, event.databaseEntity);
  withId(metadata, old, id, driverType);
  const base = new Map(old);
  for (const column of metadata.columns) {
    const name = column.databaseName;
    const values = after.get(name);
    if (changed.has(name)) {
      if (values) given.set(name, values);
      else base.delete(name);
    } else if (column.relationMetadata?.inverseRelation) {
      // Saved as a child of another parent, a row changes its foreign key and no list of changes says so.
      if (column.isVirtual) {
        given.delete(name);
        base.delete(name);
        continue;
      }
      const said = (values ?? []).filter((value) => value !== null);
      if (said.length > 0) given.set(name, [...new Set([...(given.get(name) ?? []), ...said])]);
    }
  }
  const fresh = overlay(metadata, base, given, driverType);
  for (const { databaseName: name } of metadata.columns) {
    // Not loaded and not changed: the look-up after the commit still finds it. Changed: nobody knows it any more.
    if (!old.has(name) && (changed.has(name) || given.has(name))) old.set(name, LOST);
  }
  const different = fresh.filter(
    ({ row }) => row.size < old.size || [...row].some(([name, value]) => old.get(name) !== value),
  );
  return { versions: [{ row: old, version: 'old' }, ...different], changed };
}
