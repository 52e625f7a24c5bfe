// What differs between the databases that this library keeps tables in.
import type { Ask } from '../contract/outbox.js';

export type DialectName = 'postgres' | 'mysql';

/** A row as drivers give it: numbers that do not fit are text. */
export type Row = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** What a statement gave back, whatever the driver and the version of TypeORM. */
export interface Outcome {
  readonly rows: readonly Row[];
  readonly affected: number;
  /** The id of an inserted row. */
  readonly id: string | undefined;
}

/** Expressions that not every server of the family knows; found out once, and again after a failure. */
export interface ServerFacts {
  /**
   * SQL of a text that is another one whenever commits may have been lost: after a restart, a failover, a restore. It
   * must not depend on settings of the session, nor on rounding.
   */
  readonly incarnation: string;
  /** SQL of the WAL position that shows everything that the statement sees, 16 hex digits; or NULL. */
  readonly lsn: string;
}

export interface SqlDialect {
  readonly name: DialectName | 'sqlite';
  quote(identifier: string): string;
  /** Runs a statement whose parameters are `$1`, `$2`, … */
  run(ask: Ask, sql: string, parameters: readonly unknown[]): Promise<Outcome>;
  /** SQL of the columns of a table: `name`; parameters: table and, if given, schema. */
  columns(schema: string | undefined): string;
}

/** A database server: several processes write to it, and it may fail over. */
export interface Dialect extends SqlDialect {
  readonly name: DialectName;
  facts(ask: Ask): Promise<ServerFacts>;
  /** SQL of the current time, and of the milliseconds that have passed since a time. */
  readonly now: string;
  msSince(time: string): string;
  readonly true: string;
  readonly false: string;
  readonly connectionId: string;
  /** SQL of the columns `oldest` and `next`: numbers of the oldest open transaction and of the next one, or NULL. */
  readonly transactions: string;
  /** Where a statement that fails takes the whole transaction with it: the code with which there is none. */
  readonly noTransaction: string | undefined;
  /** Makes an INSERT of a row that exists already do nothing. */
  readonly unlessExists: string;
  /** Makes INSERT give back the id, where it does not do so by itself. `wake`: a parameter, the channel to notify. */
  returningId(wake?: string): string;
}

/** Where invalidations wait, and which Redis they are for. */
export const OUTBOX_TABLE = 'report_cache_outbox';
export const STATE_TABLE = 'report_cache_state';

/** Reports that outlive a restart, when tags were invalidated, and how far that has come. */
export const ENTRY_TABLE = 'report_cache_entry';
export const TAG_TABLE = 'report_cache_tag';
export const POSITION_TABLE = 'report_cache_position';

/** A table's name for SQL, in its schema if one is given. */
export function qualified(dialect: Pick<SqlDialect, 'quote'>, schema: string | undefined, table: string): string {
  return schema === undefined ? table : `${dialect.quote(schema)}.${table}`;
}

/** Ids as SQL: they were read from a bigint column, and are checked because they stand in the statement itself. */
export function idList(ids: readonly string[]): string {
  return ids.map((id) => BigInt(id).toString()).join(',');
}
