// What applications hold: the methods of a report cache.
import type { RequestHandler } from 'express';
import type { Health } from './core/health.js';
import type { Loader } from './core/get-or-load.js';
import type { ConnectOptions, RouteOptions, ValueRequest } from './options/options.js';
import type { CascadeFunction, CascadeOptions, CascadePaths, EntityLike } from './typeorm/cascade-rule.js';
import type { Triggers } from './typeorm/triggers/triggers.js';

export interface ReportCache {
  /**
   * Middleware for one report route, in front of its handler and behind your authorization: on a hit nothing behind
   * it runs.
   * @throws ERC_TYPE_UNKNOWN, ERC_OPTION, ERC_FILTER
   */
  cache(type: string, options?: RouteOptions): RequestHandler;

  /**
   * Middleware for the whole application, in front of its routes: after a write the browser carries its position (cookie
   * `report-position`, or the header `Report-Position`) for a moment, so that reports read under `lease` show it in
   * whichever process answers. Not needed under `strict` and `barrier`.
   */
  session(): RequestHandler;

  /**
   * Follows the writes of an initialised TypeORM DataSource, also after destroy() and initialize().
   * @throws ERC_DATA_SOURCE, ERC_CASCADE, ERC_OPTION, ERC_OUTBOX
   */
  connect(dataSource: object, options?: ConnectOptions): Promise<void>;

  /** Stops following it. What its open transactions have written is not invalidated any more. */
  disconnect(dataSource: object): Promise<void>;

  /**
   * Database triggers for the tables of a DataSource, made from its entities and the cascade rules declared so far: they
   * tell of every write, also of those past TypeORM. They need the outbox.
   * @throws ERC_DATA_SOURCE, ERC_CASCADE
   */
  triggers(dataSource: object): Triggers;

  /** What is distrusted, pending or failing right now. Asks Redis; never rejects. */
  health(): Promise<Health>;

  /**
   * Says what a change of a row invalidates, beside the tag of its table: kinds of tags with relation paths
   * (`{ student: 'submission.studentId', parent: 'submission.student.parents' }`), or a function of the row. Old and
   * new values count. A rule that fails invalidates coarsely; it never breaks the write.
   * @throws ERC_CASCADE for a path that does not exist, here or in connect(), whichever comes later.
   */
  cascade<E>(entity: EntityLike<E>, rule: CascadePaths<E>): void;
  cascade<E>(entity: EntityLike<E>, rule: CascadeFunction<E>, options?: CascadeOptions): void;

  /**
   * A cached value from a function. Values come back as copies. What the loader throws reaches its caller alone.
   * In its `grace` an old value is returned at once, and the loader runs in the background.
   * @throws ERC_TYPE_UNKNOWN, ERC_FILTER_VALUE, ERC_TAG, ERC_OPTION; ERC_TIMEOUT after `hardTimeout`
   */
  getOrLoad<T>(request: ValueRequest, loader: Loader<T>): Promise<T>;

  /** Adds tags to the report that is being computed in this asynchronous context; outside of one it does nothing. */
  addTags(...tags: string[]): void;

  /**
   * Invalidates by tag: every entry that carries one, in every process. Resolves once it is in force, or after `hold`.
   * @throws ERC_TAG for what is no tag.
   */
  invalidate(tags: string | readonly string[], cause?: string): Promise<void>;

  /** Invalidates by pattern, see "Patterns" in the README. @returns the tags it came to. @throws ERC_PATTERN */
  invalidatePattern(pattern: string): Promise<{ tags: readonly string[]; exact: boolean }>;

  /** Every copy of one report. */
  deleteReport(report: string | number | bigint): Promise<void>;

  /** Every entry. */
  clear(): Promise<void>;

  /** Drops this process's memory; invalidates nothing, Redis keeps its entries. */
  evict(): void;

  /**
   * Stops: requests bypass from now on. What is being computed is still stored, and writers get their answers; two seconds
   * at most are given to that. Your Redis client stays open, and nothing is left on it.
   */
  close(): Promise<void>;
}
