// Triggers for one DataSource: what to install, a migration for it, and whether the database still has it.
import type { Ask } from '../../contract/outbox.js';
import { wholeKind } from '../../entry/tags.js';
import type { Rule } from '../cascade-rule.js';
import { Schema } from '../schema.js';
import type { DataSourceLike } from '../typeorm-like.js';
import { readDrift, type Drift } from './drift.js';
import { migrationSource } from './migration.js';
import { rowTriggers } from './mysql.js';
import { plansFor, type TablePlan } from './plan.js';
import { attach, segmentFunction, sweep, tableTriggers } from './postgres.js';
import { driftQuery } from './postgres-drift.js';
import { digest, Names } from './postgres-names.js';

export interface TriggerSet {
  /** Statements that make the triggers, in order; harmless when they are there already. The outbox must exist. */
  readonly up: readonly string[];
  /** Statements that remove all triggers of the namespace. */
  readonly down: readonly string[];
  /** What the database cannot do as exactly as the ORM's own path, and what it does not see at all. */
  readonly advice: readonly string[];
  /** Of all that `up` makes: equal hashes, equal triggers. */
  readonly hash: string;
  /** Names of the tables that have them. */
  readonly tables: readonly string[];
  /** The question for {@link readDrift}; undefined where there are no triggers. */
  readonly driftQuery: string | undefined;
  /** Statements that remove what `up` does not know of, for databases where `up` cannot find out by itself. */
  leftOver(ask: Ask): Promise<string[]>;
}

/** Tables that nobody reports on: the ORM's own and the cache's. */
const NEVER = ['migrations', 'typeorm_metadata', 'query-result-cache', 'report_cache_outbox', 'report_cache_state'];

/**
 * Triggers that write the tags of every change of the DataSource's tables into `report_cache_outbox`.
 * @param rules of all entities; those of other DataSources are left out.
 * @param ownTables tables that no report reads, by name.
 * @throws ERC_CASCADE for a rule that does not fit.
 */
export function triggersFor(
  dataSource: Pick<DataSourceLike, 'options' | 'driver' | 'entityMetadatas'>,
  rules: readonly Rule[],
  namespace: string,
  ownTables: readonly string[] = [],
): TriggerSet {
  const advice = new Set<string>();
  const schema = new Schema(dataSource.entityMetadatas, rules, () => undefined);
  const except = new Set([...NEVER, ...ownTables].map((table) => table.toLowerCase()));
  const plans = plansFor(dataSource.entityMetadatas, schema, except, (text) => advice.add(text));
  const { type } = dataSource.options;
  const { driver } = dataSource;
  if (type === 'postgres' || type === 'aurora-postgres')
    return onPostgres(plans, new Names(driver, namespace), [...advice]);
  if (type !== 'mysql' && type !== 'mariadb' && type !== 'aurora-mysql') return nothing(type);
  for (const text of GAPS) advice.add(text);
  for (const { metadata, sources } of plans) {
    const kinds = [...new Set(sources.filter(({ joins }) => joins.length > 0).map(({ kind }) => wholeKind(kind)))];
    if (kinds.length > 0)
      advice.add(`Row triggers follow no paths: each write to "${metadata.tableName}" invalidates ${kinds.join(' ')}.`);
  }
  const set = rowTriggers(plans, schema, driver, namespace);
  return {
    ...set,
    tables: plans.map(({ metadata }) => metadata.tableName),
    advice: [...advice],
    hash: digest(set.up.join('\n'), 16),
  };
}

/** What no trigger of MySQL and MariaDB can tell. */
const GAPS: readonly string[] = [
  'TRUNCATE fires no trigger: call invalidate() after one that goes past the DataSource.',
  'A statement that changes many rows writes one row into the outbox for each of them.',
];

function onPostgres(plans: readonly TablePlan[], names: Names, advice: readonly string[]): TriggerSet {
  const segment = segmentFunction(names);
  const tables = plans.map((plan) => tableTriggers(plan, names));
  const functions = [segment, ...tables.map(({ definition }) => definition)];
  const kept = functions.map(({ name }) => name);
  const up = [...functions.flatMap((one) => one.up), attach(tables, names), sweep(names, kept)];
  return {
    up,
    down: [sweep(names, [])],
    advice,
    hash: digest(up.join('\n'), 16),
    tables: plans.map(({ metadata }) => metadata.tableName),
    driftQuery: driftQuery(tables, segment, names),
    leftOver: () => Promise.resolve([]),
  };
}

/**
 * SQLite among them: its drivers share one connection in one process, whose raw SQL the subscriber reads, and there is no
 * outbox that a trigger could write to.
 */
function nothing(type: string): TriggerSet {
  return {
    up: [],
    down: [],
    advice: [`There are no triggers for ${type}: only writes through the connected DataSource invalidate.`],
    hash: digest('', 16),
    tables: [],
    driftQuery: undefined,
    leftOver: () => Promise.resolve([]),
  };
}

/** What applications hold. */
export interface Triggers extends Omit<TriggerSet, 'driftQuery' | 'leftOver'> {
  /**
   * The source of a TypeORM migration.
   * @param timestamp milliseconds. Default: now.
   * @throws ERC_OPTION for a name that is no identifier.
   */
  migration(name: string, timestamp?: number): string;
  /** Runs `up` in one transaction. The first time it locks each table against writes until it is done. */
  install(): Promise<void>;
  /** Runs `down` in one transaction. */
  uninstall(): Promise<void>;
  /** Differences between the rules and the database; empty when all is well. */
  check(): Promise<Drift[]>;
}

interface RunnerLike {
  startTransaction(): Promise<void>;
  commitTransaction(): Promise<void>;
  rollbackTransaction(): Promise<void>;
  release(): Promise<void>;
  query(sql: string): Promise<unknown>;
}

async function inTransaction(runner: RunnerLike, statements: readonly string[]): Promise<void> {
  try {
    await runner.startTransaction();
    try {
      for (const statement of statements) await runner.query(statement);
      await runner.commitTransaction();
    } catch (error) {
      // The first error says what is wrong.
      await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    }
  } finally {
    await runner.release();
  }
}

/** @param now milliseconds, for the name of a migration. */
export function triggersOf(
  dataSource: DataSourceLike,
  rules: readonly Rule[],
  namespace: string,
  ownTables: readonly string[],
  now: () => number,
): Triggers {
  const { driftQuery: question, leftOver, ...set } = triggersFor(dataSource, rules, namespace, ownTables);
  const run = (statements: readonly string[]): Promise<void> =>
    statements.length === 0
      ? Promise.resolve()
      : inTransaction(dataSource.createQueryRunner() as RunnerLike, statements);
  const ask: Ask = (sql) => dataSource.query(sql);
  return {
    ...set,
    migration: (name, timestamp = now()) => migrationSource(name, timestamp, set),
    install: async () => run([...set.up, ...(await leftOver(ask))]),
    uninstall: async () => run([...set.down, ...(await leftOver(ask))]),
    check: () => (question === undefined ? Promise.resolve([]) : readDrift(ask, question)),
  };
}
