// What applications hold: the methods of a report cache.
import type { Request, RequestHandler } from 'express';
import type { Health } from './contract/health.js';
import type { Usage } from './contract/costs.js';
import type { WarmReport, WarmTarget } from './contract/warming.js';
import type { Answer } from './core/answer.js';
import type { Loader } from './contract/loader.js';
import type { CostDay } from './costs/days.js';
import type { Schedule } from './connect-schedule.js';
import type { BuiltInTasks } from './scheduler/built-in.js';
import type { ScheduleOptions } from './options/schedule.js';
import type { AdminOptions } from './options/admin.js';
import type { CostRange } from './options/cost-options.js';
import type { ConnectOptions, RouteOptions, ValueRequest } from './options/options.js';
import type { LoadedReportOptions, WarmOptions, WarmSelection } from './options/loaded.js';
import type { ResourceDeclarations, Resources } from './options/resources.js';
import type { Versions, VersionsOptions } from './options/versions.js';
import type { View, ViewOptions } from './options/views.js';
import type { CascadeFunction, CascadeOptions, CascadePaths, EntityLike } from './typeorm/cascade-rule.js';
import type { Triggers } from './typeorm/triggers/triggers.js';

/** A report that a loader makes. */
export interface LoadedReport {
  /** In keys and selections. */
  readonly name: string;
  /** The whole route, behind your authorization: there is no handler behind it. Without an identity it answers 401. */
  route(report: (req: Request) => string | number | bigint): RequestHandler;
  /** Makes these ready. @throws ERC_OPTION, ERC_OVERLOADED */
  warm(targets: Iterable<WarmTarget>, options?: WarmOptions): Promise<WarmReport>;
}

export interface ReportCache {
  /**
   * Middleware for one report route, in front of its handler and behind your authorization: on a hit nothing behind
   * it runs.
   * @throws ERC_TYPE_UNKNOWN, ERC_OPTION, ERC_FILTER, ERC_VIEW
   */
  cache(type: string, options?: RouteOptions): RequestHandler;

  /**
   * Declares a report that is made of its key alone, report, reader and filters, by a loader in place of a handler. So it can be
   * made without a reader, too: ahead by `warm`, and in the background where an old one may be served (`grace`, `refreshAhead`).
   * `app.get('/reports/students/:id', requireLogin, progress.route((req) => req.params.id))` answers with it as JSON.
   * @throws ERC_TYPE_UNKNOWN, ERC_OPTION, ERC_FILTER
   */
  report(type: string, options: LoadedReportOptions): LoadedReport;

  /**
   * Makes reports ready before they are asked for, within bounds of time, concurrency and what the database bears. They count as
   * neither hits nor misses. `{ all: true }`, `{ user }`, `{ organization }` and `{ reports }` ask the lists of the declared reports,
   * `{ learned: true }` what readers asked for in these hours of the week before. What fails stops no other.
   * @throws ERC_OPTION; ERC_OVERLOADED while as many runs go on as may; ERC_REDIS where it cannot say what was learned
   */
  warm(selection: WarmSelection, options?: WarmOptions): Promise<WarmReport>;

  /**
   * Middleware for the whole application, in front of its routes: after a write the browser carries its position (cookie
   * `report-position`, or the header `Report-Position`) for a moment, so that reports read under `lease` show it in
   * whichever process answers. Not needed under `strict` and `barrier`.
   */
  session(): RequestHandler;

  /**
   * Middleware for the whole application, in front of its routes: what its requests write and invalidate carries their
   * correlation id. Not needed in front of `cache()` and `session()`, which do the same.
   */
  correlation(): RequestHandler;

  /**
   * Follows the writes of an initialised TypeORM DataSource, also after destroy() and initialize().
   * @throws ERC_DATA_SOURCE, ERC_CASCADE, ERC_OPTION, ERC_OUTBOX, ERC_PERSIST, ERC_VIEW
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

  /**
   * Declares a materialised view. A committed change of its sources has it refreshed a moment later, by one process and in
   * nobody's request, and then the reports that name it in `views` are invalidated. Needs the `viewMigrations`.
   * @throws ERC_OPTION; ERC_VIEW for a name that is declared already
   */
  view(name: string, options: ViewOptions): View;

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
   * @throws ERC_TYPE_UNKNOWN, ERC_FILTER_VALUE, ERC_TAG, ERC_OPTION, ERC_VIEW; ERC_TIMEOUT after `hardTimeout`; ERC_SPEND
   */
  getOrLoad<T>(request: ValueRequest, loader: Loader<T>): Promise<T>;

  /** The same, with where the value came from: found or made, in which layer, when, until when, and what it cost. */
  getOrLoadAnswer<T>(request: ValueRequest, loader: Loader<T>): Promise<Answer<T>>;

  /**
   * Declares what is cached by organisation: lists and what is derived from them. Loaders of derived ones get their sources
   * from the cache, and a change of a source invalidates all that is derived from it, over any number of steps.
   * `resources<{ courses: Course[]; departments: string[] }>({ … })` checks what loaders return and get.
   * @throws ERC_RESOURCE for a cycle, an unknown source or a name that is taken; ERC_OPTION, ERC_TAG
   */
  resources<M>(declared: ResourceDeclarations<M>): Resources<M>;

  /**
   * Declares results of a report type that are generated once and kept for good in the database, in several versions: one of them
   * is served, as votes, approval or a pin say. Needs the `versionMigrations`.
   * @throws ERC_TYPE_UNKNOWN, ERC_OPTION
   */
  versions<T>(type: string, options: VersionsOptions<T>): Versions<T>;

  /** Adds tags to the report that is being computed in this asynchronous context; outside of one it does nothing. */
  addTags(...tags: string[]): void;

  /**
   * Tells what a call cost that was made for the report being computed in this asynchronous context, like `run.cost` of a
   * loader; for handlers of routes. Outside of one it does nothing.
   */
  addCost(usage: Usage): void;

  /**
   * What results cost and what hits have spared, by day (UTC) and report type: of all processes where a connected DataSource
   * has the table of `costMigrations`, otherwise of this one since it began. `summarizeCosts` adds up and gives the rates.
   * @throws ERC_OPTION without the option `costs`; what the database throws
   */
  costs(range?: CostRange): Promise<CostDay[]>;

  /**
   * Invalidates by tag: every entry that carries one, in every process. Resolves once it is in force, or after `hold`.
   * @throws ERC_TAG for what is no tag.
   */
  invalidate(tags: string | readonly string[], cause?: string): Promise<void>;

  /**
   * The same for what a transaction means and no rule can tell: with its COMMIT, by the outbox where there is one, and not at all
   * when it is rolled back. Outside of one at once.
   * @param transaction the EntityManager or QueryRunner of a connected DataSource that has written
   * @throws ERC_TAG, ERC_DATA_SOURCE
   */
  invalidateWith(transaction: object, tags: string | readonly string[]): Promise<void>;

  /** Invalidates by pattern, see "Patterns" in the README. @returns the tags it came to. @throws ERC_PATTERN */
  invalidatePattern(pattern: string): Promise<{ tags: readonly string[]; exact: boolean }>;

  /** Every copy of one report. */
  deleteReport(report: string | number | bigint): Promise<void>;

  /** Every entry. */
  clear(): Promise<void>;

  /**
   * Deletes persisted reports that are past their time or were invalidated, and what is known of tags that none of them needs.
   * For your scheduler; without it they go when they are replaced or room is needed. @returns how many went, by type
   */
  prune(): Promise<Readonly<Record<string, number>>>;

  /**
   * Begins to run maintenance by cron, each due time in one of all processes that share a Redis: views refreshed, stale entries
   * unlinked, tags forgotten, expired rows deleted, statistics recorded; what is to be warmed, and tasks of your own, you add.
   * @throws ERC_OPTION; also for a second schedule
   */
  schedule(options?: ScheduleOptions): Schedule;

  /**
   * What the tasks of `schedule()` do, for a queue or scheduler of your own. Each may be called at any time, in any process.
   * @throws what has hindered it; when the signal says so
   */
  readonly tasks: BuiltInTasks;

  /**
   * The management API, for `app.use('/api/reports/cache', reports.admin({ authorize }))` behind your login: what is cached and how
   * well, and how to have it computed anew.
   * @throws ERC_OPTION without `authorize`
   */
  admin(options: AdminOptions): RequestHandler;

  /** Drops this process's memory; invalidates nothing, Redis keeps its entries. */
  evict(): void;

  /**
   * Stops: requests bypass from now on. What is being computed is still stored, and writers get their answers; two seconds
   * at most are given to that. Your Redis client stays open, and nothing is left on it.
   */
  close(): Promise<void>;
}
