// Asks the database, over the writer's own connection, who is concerned by rows whose columns do not say it.
import type { Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import { addFound, applyLoaded } from './apply-rules.js';
import { pathQuery, rowQuery, type Query } from './path-query.js';
import { isObject, LOST, type Row } from './rows.js';
import type { CompiledRule } from './compiled-rule.js';
import type { Lookup, TagBag } from './tag-bag.js';
import { isPostgresLike, type DriverLike, type EntityMetadataLike, type QueryRunnerLike } from './typeorm-like.js';

/** A slow look-up must not keep a committed write from being invalidated. */
const PATIENCE_MS = 2000;

interface Tools {
  readonly driver: DriverLike;
  readonly clock: Clock;
  readonly emit: EventSink;
}

function rowsOf(result: unknown): Record<string, unknown>[] {
  return Array.isArray(result) ? result.filter((row): row is Record<string, unknown> => isObject(row)) : [];
}

function run(runner: QueryRunnerLike, query: Query, clock: Clock): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(PATIENCE_MS, () => reject(new Error(`no answer in ${PATIENCE_MS} ms`)));
    const done = (settle: () => void): void => {
      timer.cancel();
      settle();
    };
    runner.query(query.sql, query.parameters).then(
      (value) => done(() => resolve(value)),
      (error: unknown) => done(() => reject(error)),
    );
  });
}

/** Every rule costs one query at most; function rules on the same entity share one. A failure costs the coarse tags. */
export async function lookUp(runner: QueryRunnerLike, bag: TagBag, { driver, clock, emit }: Tools): Promise<void> {
  const failed = (rule: CompiledRule, error: unknown): void => {
    emit({ kind: 'cascadeFailed', entity: rule.entity, error: errorText(error) });
    rule.coarse(bag);
  };
  const loaded = new Map<EntityMetadataLike, [CompiledRule & { form: 'function' }, Lookup][]>();
  for (const [rule, lookup] of bag.takeLookups()) {
    if (rule.form === 'function') {
      loaded.set(lookup.metadata, [...(loaded.get(lookup.metadata) ?? []), [rule, lookup]]);
      continue;
    }
    if (bag.covers(rule.kind)) continue;
    try {
      const starts = { rows: [...lookup.rows.values()].map(({ id }) => id), keys: [...lookup.keys.values()] };
      const found = rowsOf(await run(runner, pathQuery(driver, lookup.metadata, rule.path, starts), clock));
      const { column } = rule.path;
      addFound(
        rule,
        found.map((row) => driver.prepareHydratedValue(row['v'] ?? row['V'], column)),
        bag,
      );
    } catch (error) {
      failed(rule, error);
    }
  }
  for (const [metadata, rules] of loaded) {
    try {
      const starts = rules.flatMap(([, lookup]) => [...lookup.rows.values()]);
      const ids = new Map(starts.map(({ id }) => [keyOf(id), id]));
      const found = rowsOf(await run(runner, rowQuery(driver, metadata, [...ids.values()]), clock));
      const rows = new Map<string, Row>();
      for (const one of found) {
        const row = hydrated(one, metadata, driver);
        rows.set(keyOf(metadata.primaryColumns.map((column) => row.get(column.databaseName))), row);
      }
      for (const [rule, lookup] of rules) again(rule, metadata, lookup, rows);
    } catch (error) {
      for (const [rule] of rules) failed(rule, error);
    }
  }

  function again(
    rule: CompiledRule & { form: 'function' },
    metadata: EntityMetadataLike,
    lookup: Lookup,
    rows: ReadonlyMap<string, Row>,
  ): void {
    const asked = new Set([...lookup.rows.values()].map(({ id }) => keyOf(id)));
    const strangers = [...rows.keys()].some((key) => !asked.has(key));
    for (const { id, known = new Map(), change } of lookup.rows.values()) {
      const row = rows.get(keyOf(id));
      // Absent: the row went since, with an event of its own. Present under another spelling of its key: which is it?
      if (!row && strangers) rule.coarse(bag);
      if (!row) continue;
      try {
        const whole = new Map([...row, ...[...known].filter(([, value]) => value !== LOST)]);
        applyLoaded(rule, metadata, whole, change ?? { kind: 'update', version: 'new' }, bag, emit);
      } catch (error) {
        failed(rule, error);
      }
    }
  }
}

const keyOf = (id: readonly unknown[]): string => JSON.stringify(id.map(String));

function hydrated(
  row: Record<string, unknown>,
  metadata: EntityMetadataLike,
  driver: DriverLike,
): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const column of metadata.columns) {
    const value: unknown = driver.prepareHydratedValue(row[column.databaseName], column);
    if (value !== undefined) values.set(column.databaseName, value);
  }
  return values;
}

/** In PostgreSQL a failed SELECT poisons the host's transaction, unless a savepoint stands before it. */
export async function lookUpInTransaction(runner: QueryRunnerLike, bag: TagBag, tools: Tools): Promise<void> {
  if (!bag.asks) return;
  if (!isPostgresLike(tools.driver.options.type)) return lookUp(runner, bag, tools);
  let failed = false;
  const emit: EventSink = (event) => {
    failed ||= event.kind === 'cascadeFailed';
    tools.emit(event);
  };
  try {
    await runner.query('SAVEPOINT report_cache_look_up');
    await lookUp(runner, bag, { ...tools, emit });
    if (failed) await runner.query('ROLLBACK TO SAVEPOINT report_cache_look_up');
    await runner.query('RELEASE SAVEPOINT report_cache_look_up');
  } catch (error) {
    tools.emit({ kind: 'cascadeFailed', entity: 'look-up', error: errorText(error) });
    settleCoarsely(bag);
  }
}

/** Gives up on asking: every open question becomes the coarse tags of its rule. */
export function settleCoarsely(bag: TagBag): void {
  for (const rule of bag.takeLookups().keys()) rule.coarse(bag);
}
