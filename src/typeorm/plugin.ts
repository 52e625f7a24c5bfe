// Attaches the cache to TypeORM DataSources and holds the host's cascade rules.
import type { Clock } from '../contract/clock.js';
import { ReportCacheError, errorText } from '../contract/errors.js';
import type { CacheEvent, EventSink } from '../contract/events.js';
import type { Invalidator, TransactionTracker } from '../contract/invalidation.js';
import { EVERYTHING, type Tag } from '../entry/tags.js';
import { readCatalogue, type Catalogue } from './catalogue.js';
import {
  entityName,
  parseRules,
  type CascadeFunction,
  type CascadeOptions,
  type CascadePaths,
  type EntityLike,
  type Rule,
} from './cascade-rule.js';
import type { Durable } from './delivery.js';
import { triggersOf, type Triggers } from './triggers/triggers.js';
import { ReplicaReads, walPosition } from './replica-reads.js';
import { isObject } from './rows.js';
import { safeFunctions } from './safe-functions.js';
import { Schema } from './schema.js';
import { flavourOf } from './sql-tokens.js';
import { statementReader } from './statement.js';
import { CacheSubscriber } from './subscriber.js';
import { askAs, isPostgresLike, type DataSourceLike, type QueryRunnerLike } from './typeorm-like.js';

export interface TypeormPluginOptions {
  readonly invalidator: Invalidator;
  readonly transactions: TransactionTracker;
  readonly emit: EventSink;
  readonly clock: Clock;
  /** SQL functions that only read although the database does not say so. Default: none. */
  readonly readOnlyFunctions?: readonly string[];
  /** Tables that no report reads, such as an outbox: raw writes to them invalidate nothing. Default: none. */
  readonly ownTables?: readonly string[];
  /** Writes announce themselves before their COMMIT. Default: false. */
  readonly marks?: boolean;
}

/** Tables that TypeORM keeps for itself. */
const OUTBOX_TABLES = ['report_cache_outbox', 'report_cache_state', 'report_cache_views'];
const PERSIST_TABLES = ['report_cache_entry', 'report_cache_tag', 'report_cache_position'];
const VERSION_TABLES = ['report_cache_subject', 'report_cache_version', 'report_cache_tally', 'report_cache_vote'];
const TYPEORM_TABLES = ['migrations', 'typeorm_metadata', 'query-result-cache'];
/** Databases whose default isolation reads each statement afresh, unless their configuration says otherwise. */
const READ_COMMITTED = ['mssql', 'oracle', 'sap'];

interface Connection {
  readonly original: () => Promise<unknown>;
  readonly wrapped: () => Promise<unknown>;
  subscriber: CacheSubscriber | undefined;
  schema: Schema | undefined;
  /** Set while the outbox is on. */
  durable: Durable | undefined;
}

function isDataSource(value: unknown): value is DataSourceLike {
  return (
    isObject(value) &&
    Reflect.get(value, 'isInitialized') === true &&
    typeof Reflect.get(value, 'initialize') === 'function' &&
    typeof Reflect.get(value, 'createQueryRunner') === 'function' &&
    Array.isArray(Reflect.get(value, 'subscribers')) &&
    Array.isArray(Reflect.get(value, 'entityMetadatas'))
  );
}

export class TypeormPlugin {
  readonly #rules: Rule[] = [];
  readonly #connections = new Map<DataSourceLike, Connection>();
  readonly #advised = new Set<string>();

  constructor(private readonly options: TypeormPluginOptions) {}

  /**
   * Says what a change of a row of `entity` invalidates, beside the tag of its table. May be called before or after
   * {@link connect}, and several times for one entity.
   * @param rule kind of tag → relation path, or a function of the row.
   * @throws ERC_CASCADE for a path that does not exist, here or in connect(), whichever comes later.
   */
  cascade<E>(entity: EntityLike<E>, rule: CascadePaths<E>): this;
  cascade<E>(entity: EntityLike<E>, rule: CascadeFunction<E>, options?: CascadeOptions): this;
  cascade(entity: EntityLike<unknown>, rule: unknown, options?: CascadeOptions): this {
    const rules = parseRules(entity, rule, options);
    const schemas = [...this.#connections.values()].flatMap(({ schema }) => (schema ? [schema] : []));
    // Everything is checked before anything is kept.
    for (const schema of schemas) schema.check(rules);
    for (const schema of schemas) for (const one of rules) schema.add(one);
    this.#rules.push(...rules);
    return this;
  }

  /**
   * Follows the writes of a DataSource from now on, also after destroy() and initialize(). Calling it again is harmless.
   * @throws ERC_DATA_SOURCE unless it is an initialised DataSource; ERC_CASCADE for a rule that does not fit.
   */
  async connect(dataSource: object): Promise<void> {
    if (!isDataSource(dataSource)) throw new ReportCacheError('ERC_DATA_SOURCE', 'connect() was given something else.');
    const known = this.#connections.get(dataSource);
    if (known) {
      if (!known.subscriber || !dataSource.subscribers.includes(known.subscriber))
        await this.#attach(dataSource, known);
      return;
    }
    const original = dataSource.initialize;
    const wrapped = async (): Promise<unknown> => {
      const result = await original.call(dataSource);
      await this.#reattach(dataSource);
      return result;
    };
    const connection: Connection = { original, wrapped, subscriber: undefined, schema: undefined, durable: undefined };
    this.#connections.set(dataSource, connection);
    try {
      await this.#attach(dataSource, connection);
    } catch (error) {
      this.#connections.delete(dataSource);
      throw error;
    }
    dataSource.initialize = wrapped;
  }

  /** WAL position that shows all that is committed by now; undefined where no connected DataSource has replicas, or several have. */
  async walPosition(): Promise<string | undefined> {
    const replicated = [...this.#connections.keys()].filter(({ options }) => options.replication !== undefined);
    const [only] = replicated;
    if (only === undefined || replicated.length > 1 || !isPostgresLike(only.options.type)) return undefined;
    return walPosition(askAs(only));
  }

  /**
   * Notes tags with what a query runner has written: they are invalidated when its transaction has committed, and not at all when
   * it is rolled back; outside of one at once.
   * @throws ERC_DATA_SOURCE unless its DataSource is connected.
   */
  note(runner: QueryRunnerLike, tags: readonly Tag[]): Promise<void> | void {
    const dataSource: unknown = Reflect.get(runner, 'dataSource') ?? Reflect.get(runner, 'connection');
    const connection = (this.#connections as Map<unknown, Connection>).get(dataSource);
    // The manager of a DataSource itself has no runner: what goes through it belongs to no transaction.
    if (connection?.subscriber === undefined || typeof runner.isTransactionActive !== 'boolean')
      throw new ReportCacheError('ERC_DATA_SOURCE', 'This is no transaction of a connected DataSource.');
    return connection.subscriber.note(runner, tags);
  }

  /** Takes the writes of a connected DataSource through an outbox from now on; undefined ends that. */
  /** An empty question to the database, asked as the application's own are; undefined: none is connected. */
  get question(): (() => Promise<unknown>) | undefined {
    const [dataSource] = (this.#connections as Map<DataSourceLike, Connection>).keys();
    return dataSource && (() => askAs(dataSource)('SELECT 1', []));
  }

  setDurable(dataSource: object, durable: Durable | undefined): void {
    const connection = (this.#connections as Map<object, Connection>).get(dataSource);
    if (connection) connection.durable = durable;
  }

  /**
   * Database triggers that tell of writes past the ORM, for the rules declared so far.
   * @throws ERC_DATA_SOURCE unless it is an initialised DataSource; ERC_CASCADE for a rule that does not fit.
   */
  triggers(dataSource: object, namespace: string): Triggers {
    if (!isDataSource(dataSource))
      throw new ReportCacheError('ERC_DATA_SOURCE', 'triggers() was given something else.');
    const { ownTables = [], clock } = this.options;
    return triggersOf(dataSource, this.#rules, namespace, ownTables, () => clock.now());
  }

  /** Stops following a DataSource. What its open transactions have written is not invalidated any more. */
  disconnect(dataSource: object): void {
    if (!(this.#connections as Map<object, Connection>).has(dataSource)) return;
    const source = dataSource as DataSourceLike;
    const connection = this.#connections.get(source);
    this.#connections.delete(source);
    const at = connection?.subscriber ? source.subscribers.indexOf(connection.subscriber) : -1;
    if (at >= 0) source.subscribers.splice(at, 1);
    // Somebody may have wrapped initialize() after us; theirs stays, and calls ours, which does nothing more.
    if (connection && source.initialize === connection.wrapped) source.initialize = connection.original;
  }

  /** initialize() has made a new list of subscribers and new metadata. */
  async #reattach(dataSource: DataSourceLike): Promise<void> {
    const connection = this.#connections.get(dataSource);
    if (!connection) return;
    await this.#attach(dataSource, connection);
    const { synchronize, migrationsRun, dropSchema } = dataSource.options;
    // These ran before the subscriber was back.
    if (synchronize || migrationsRun || dropSchema) await this.options.invalidator.invalidate([EVERYTHING], 'raw');
  }

  async #attach(dataSource: DataSourceLike, connection: Connection): Promise<void> {
    const catalogue = await this.#catalogue(dataSource);
    const snapshotByDefault = await this.#snapshotByDefault(dataSource);
    const adviseKinds = (entity: string): void =>
      this.#advise(
        `cascade-kinds:${entity}`,
        `A write of unknown rows of ${entity} invalidated everything: declare the kinds of its function rule.`,
      );
    const schema = new Schema(dataSource.entityMetadatas, this.#rules, adviseKinds, catalogue);
    // From here on cascade() reaches it too.
    connection.schema = schema;
    for (const rule of this.#rules) {
      const name = entityName(rule.entity);
      if (!schema.holds(rule.entity))
        this.#advise(`cascade-entity:${name}`, `A cascade rule names ${name}, which this DataSource does not hold.`);
    }
    const { type, replication } = dataSource.options;
    const postgres = isPostgresLike(type);
    const replicated = replication !== undefined;
    const { readOnlyFunctions = [], ownTables = [], emit, clock, invalidator, transactions } = this.options;
    const safe = safeFunctions(catalogue?.functions, readOnlyFunctions);
    const subscriber = new CacheSubscriber({
      schema,
      driver: dataSource.driver,
      invalidator,
      transactions,
      clock,
      emit: (event) => this.#emitOnce(event, emit),
      sharedRunner: dataSource.createQueryRunner() === dataSource.createQueryRunner(),
      snapshotByDefault,
      read: statementReader(flavourOf(type), safe),
      ownTables: new Set([...TYPEORM_TABLES, ...OUTBOX_TABLES, ...PERSIST_TABLES, ...VERSION_TABLES, ...ownTables]),
      marks: this.options.marks ?? false,
      durable: () => connection.durable,
      replayNeeded: replicated && postgres ? walPosition : () => Promise.resolve(undefined),
      replicas: replicated ? new ReplicaReads({ transactions, clock, emit, postgres }) : undefined,
    });
    if (connection.subscriber && dataSource.subscribers.includes(connection.subscriber))
      dataSource.subscribers.splice(dataSource.subscribers.indexOf(connection.subscriber), 1);
    connection.subscriber = subscriber;
    // First place: a synchronous throw of another subscriber cannot hide events from this one.
    dataSource.subscribers.unshift(subscriber);
  }

  /** Undefined for databases that are not asked, and when the answer is refused. */
  async #catalogue(dataSource: DataSourceLike): Promise<Catalogue | undefined> {
    if (dataSource.options.type !== 'postgres') return undefined;
    try {
      return await readCatalogue((sql) => dataSource.query(sql));
    } catch (error) {
      this.#advise('catalogue', `PostgreSQL's catalogue could not be read (${errorText(error)}): raw SQL costs more.`);
      return undefined;
    }
  }

  async #snapshotByDefault(dataSource: DataSourceLike): Promise<boolean> {
    const { type } = dataSource.options;
    if (READ_COMMITTED.includes(type)) return false;
    if (!isPostgresLike(type) || type === 'cockroachdb') return true;
    try {
      const rows = await dataSource.query('SHOW default_transaction_isolation');
      const first: unknown = Array.isArray(rows) ? rows[0] : undefined;
      const level = isObject(first) ? Reflect.get(first, 'default_transaction_isolation') : undefined;
      return level !== 'read committed' && level !== 'read uncommitted';
    } catch {
      return true; // assume the stronger: transactions then bypass the cache
    }
  }

  #advise(code: string, message: string): void {
    this.#emitOnce({ kind: 'advice', code, message }, this.options.emit);
  }

  /** Advice is given once; everything else as often as it happens. */
  #emitOnce(event: CacheEvent, emit: EventSink): void {
    if (event.kind === 'advice') {
      const key = `${event.code} ${event.message}`;
      if (this.#advised.has(key)) return;
      this.#advised.add(key);
    }
    emit(event);
  }
}
