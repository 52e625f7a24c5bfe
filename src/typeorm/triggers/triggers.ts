// Triggers for one DataSource: what to install, a migration for it, and whether the database still has it.
import type { Ask } from '../../contract/outbox.js';
import type { Rule } from '../cascade-rule.js';
import { Schema } from '../schema.js';
import type { DataSourceLike } from '../typeorm-like.js';
import { readDrift, type Drift } from './drift.js';
import { migrationSource } from './migration.js';
import { plansFor } from './plan.js';
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
  /** The question for {@link readDrift}; undefined where there are no triggers. */
  readonly driftQuery: string | undefined;
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
  if (type !== 'postgres' && type !== 'aurora-postgres') return nothing(type);
  const names = new Names(dataSource.driver, namespace);
  const segment = segmentFunction(names);
  const tables = plans.map((plan) => tableTriggers(plan, names));
  const functions = [segment, ...tables.map(({ definition }) => definition)];
  const up = [
    ...functions.flatMap((one) => one.up),
    attach(tables, names),
    sweep(
      names,
      functions.map(({ name }) => name),
    ),
  ];
  return {
    up,
    down: [sweep(names, [])],
    advice: [...advice],
    hash: digest(up.join('\n'), 16),
    driftQuery: driftQuery(tables, segment, names),
  };
}

function nothing(type: string): TriggerSet {
  return {
    up: [],
    down: [],
    advice: [`There are no triggers for ${type}: only writes through the connected DataSource invalidate.`],
    hash: digest('', 16),
    driftQuery: undefined,
  };
}

/** What applications hold. */
export interface Triggers extends Omit<TriggerSet, 'driftQuery'> {
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
  const { driftQuery: question, ...set } = triggersFor(dataSource, rules, namespace, ownTables);
  const run = (statements: readonly string[]): Promise<void> =>
    statements.length === 0
      ? Promise.resolve()
      : inTransaction(dataSource.createQueryRunner() as RunnerLike, statements);
  const ask: Ask = (sql) => dataSource.query(sql);
  return {
    ...set,
    migration: (name, timestamp = now()) => migrationSource(name, timestamp, set),
    install: () => run(set.up),
    uninstall: () => run(set.down),
    check: () => (question === undefined ? Promise.resolve([]) : readDrift(ask, question)),
  };
}
