// Turns what is known of a changed row into tags, and what is not known into questions or coarse tags.
import { EVERYTHING, isTag, kindOf, tag } from '../entry/tags.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { ChangeKind, RowChange } from './cascade-rule.js';
import { keyColumns } from './relation-path.js';
import { idText, isObject, LOST, type Row, type RowId, type RowVersion } from './rows.js';
import type { CompiledRule } from './compiled-rule.js';
import type { LookupStart, TagBag } from './tag-bag.js';
import type { EntityMetadataLike } from './typeorm-like.js';

export interface KnownChange {
  readonly metadata: EntityMetadataLike;
  readonly kind: ChangeKind;
  /** Undefined: the row cannot be found again. */
  readonly id: RowId | undefined;
  readonly versions: readonly RowVersion[];
}

/** Applies one rule to one change. Never throws: a rule that fails becomes an event and its coarse tags. */
export function applyRule(rule: CompiledRule, change: KnownChange, bag: TagBag, emit: EventSink): void {
  try {
    if (rule.form === 'path') applyPath(rule, change, bag);
    else applyFunction(rule, change, bag, emit);
  } catch (error) {
    emit({ kind: 'cascadeFailed', entity: rule.entity, error: errorText(error) });
    rule.coarse(bag);
  }
}

function lookUp(rule: CompiledRule, change: KnownChange, bag: TagBag, start: LookupStart | undefined): void {
  if (!start || !bag.ask(rule, change.metadata, start)) rule.coarse(bag);
}

function addId(kind: string, value: unknown, bag: TagBag): void {
  const text = idText(value);
  if (text === undefined) throw new TypeError(`the id of a "${kind}" tag has no plain form`);
  bag.add(tag(kind, text));
}

function applyPath(rule: CompiledRule & { form: 'path' }, change: KnownChange, bag: TagBag): void {
  const { kind, path } = rule;
  if (bag.covers(kind)) return;
  const first = path.hops[0];
  const columns = first ? keyColumns(first) : [path.column];
  for (const { row } of change.versions) {
    const values = columns.map((column) => row.get(column.databaseName));
    if (values.includes(LOST)) return rule.coarse(bag);
    if (values.length === 0 || values.includes(undefined))
      lookUp(rule, change, bag, change.id && { row: { id: change.id } });
    else if (values.includes(null)) continue;
    else if (first) lookUp(rule, change, bag, { key: values });
    else addId(kind, values[0], bag);
  }
}

/** Adds the ids that a path query found. */
export function addFound(rule: CompiledRule & { form: 'path' }, values: readonly unknown[], bag: TagBag): void {
  for (const value of values) if (value !== null && value !== undefined) addId(rule.kind, value, bag);
}

interface View {
  readonly row: object;
  /** A column was read that is not known. */
  incomplete(): boolean;
}

function setPath(target: Record<string, unknown>, path: string, value: unknown): void {
  const parts = path.split('.');
  const last = parts.pop() as string;
  let here = target;
  for (const part of parts) {
    const next = here[part];
    if (isObject(next)) here = next as Record<string, unknown>;
    else here = here[part] = {} as Record<string, unknown>;
  }
  here[last] = value;
}

/**
 * The row as a function rule sees it: known columns as properties, known foreign keys also as `{ relation: { id } }`.
 * It notices when something unknown is read, because `row.classId && …` would otherwise lose an invalidation silently.
 */
export function viewOf(metadata: EntityMetadataLike, row: Row): View {
  const plain: Record<string, unknown> = {};
  const unknown = new Set<string>();
  for (const relation of metadata.relations) unknown.add(relation.propertyPath);
  for (const column of metadata.columns) {
    const value = row.get(column.databaseName);
    const relation = column.relationMetadata;
    if (value === undefined || value === LOST) {
      if (!column.isVirtual) unknown.add(column.propertyPath);
      continue;
    }
    if (!column.isVirtual) setPath(plain, column.propertyPath, value);
    if (relation && column.referencedColumn) {
      unknown.delete(relation.propertyPath);
      if (value === null) setPath(plain, relation.propertyPath, null);
      else setPath(plain, `${relation.propertyPath}.${column.referencedColumn.propertyPath}`, value);
    }
  }
  let incomplete = false;
  const watch = (target: object, prefix: string): object =>
    new Proxy(target, {
      get(object, property, receiver): unknown {
        const value: unknown = Reflect.get(object, property, receiver);
        if (typeof property === 'symbol') return value;
        const path = prefix + property;
        // Beyond a foreign key nothing of the related row is known either.
        if (value === undefined && (unknown.has(path) || prefix !== '')) incomplete = true;
        return isObject(value) && !(value instanceof Date) && !Array.isArray(value) ? watch(value, `${path}.`) : value;
      },
      has(object, property) {
        if (typeof property === 'string' && unknown.has(prefix + property)) incomplete = true;
        return Reflect.has(object, property);
      },
      ownKeys(object) {
        if (unknown.size > 0) incomplete = true;
        return Reflect.ownKeys(object);
      },
    });
  return { row: watch(plain, ''), incomplete: () => incomplete };
}

function runFunction(
  rule: CompiledRule & { form: 'function' },
  view: View,
  change: RowChange,
): readonly unknown[] | undefined {
  try {
    const result = rule.run(view.row, change);
    if (result instanceof Promise) {
      // Its outcome is of no use any more, but it must not end the process as an unhandled rejection.
      result.catch(() => undefined);
      throw new TypeError('the rule is asynchronous');
    }
    if (!isObject(result) || !(Symbol.iterator in result))
      throw new TypeError('the rule did not return a list of tags');
    return [...(result as Iterable<unknown>)];
  } catch (error) {
    if (view.incomplete()) return undefined;
    throw error;
  }
}

function addTags(
  rule: CompiledRule & { form: 'function' },
  tags: readonly unknown[],
  bag: TagBag,
  emit: EventSink,
): void {
  for (const given of tags) {
    const one = given === EVERYTHING ? EVERYTHING : isTag(given) ? given : undefined;
    if (one === undefined) {
      throw new TypeError(`the rule returned ${JSON.stringify(given) ?? String(given)}, which is not a tag`);
    }
    bag.add(one);
    const kind = kindOf(one);
    if (!rule.kinds || rule.kinds.has(kind) || kind === '*') continue;
    // Earlier writes of unknown rows did not know of this kind, so they missed its reports.
    rule.kinds.add(kind);
    bag.addEverything();
    emit({
      kind: 'cascadeFailed',
      entity: rule.entity,
      error: `the rule produced "${kind}", which it does not declare`,
    });
  }
}

function applyFunction(
  rule: CompiledRule & { form: 'function' },
  change: KnownChange,
  bag: TagBag,
  emit: EventSink,
): void {
  for (const { row, version } of change.versions) {
    const view = viewOf(change.metadata, row);
    const tags = runFunction(rule, view, { kind: change.kind, version });
    if (tags && !view.incomplete()) addTags(rule, tags, bag, emit);
    else if ([...row.values()].includes(LOST)) rule.coarse(bag);
    else {
      const told = { kind: change.kind, version };
      lookUp(rule, change, bag, change.id && { row: { id: change.id, known: row, change: told } });
    }
  }
}

/** Runs a function rule again, on a row that was loaded completely. */
export function applyLoaded(
  rule: CompiledRule & { form: 'function' },
  metadata: EntityMetadataLike,
  row: Row,
  change: RowChange,
  bag: TagBag,
  emit: EventSink,
): void {
  const view = viewOf(metadata, row);
  const tags = runFunction(rule, view, change);
  if (!tags || view.incomplete())
    throw new TypeError('the rule reads what lies behind a relation, where only the key is known; use a path for that');
  addTags(rule, tags, bag, emit);
}
