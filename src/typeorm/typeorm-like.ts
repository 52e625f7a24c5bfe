// The members of TypeORM that the plugin uses, as structural types: nothing here loads TypeORM.
import type { Ask, AskAtOnce } from '../contract/outbox.js';

export interface ColumnLike {
  readonly propertyName: string;
  readonly propertyPath: string;
  readonly databaseName: string;
  readonly type: unknown;
  readonly isArray: boolean;
  readonly isVirtual: boolean;
  /** Computed in SELECT only; no column of the table. */
  readonly isVirtualProperty: boolean;
  readonly isGenerated: boolean;
  readonly default?: unknown;
  readonly asExpression?: string;
  readonly transformer?: unknown;
  /** MySQL pads the text of the number. */
  readonly zerofill?: boolean;
  readonly relationMetadata?: RelationLike;
  readonly referencedColumn: ColumnLike | undefined;
  readonly entityMetadata: EntityMetadataLike;
  getEntityValue(entity: object): unknown;
}

export interface RelationLike {
  readonly propertyName: string;
  readonly propertyPath: string;
  readonly isManyToMany: boolean;
  readonly isManyToManyOwner: boolean;
  readonly persistenceEnabled: boolean;
  readonly joinColumns: readonly ColumnLike[];
  readonly inverseRelation?: RelationLike;
  readonly inverseEntityMetadata: EntityMetadataLike;
  readonly junctionEntityMetadata?: EntityMetadataLike;
  getEntityValue(entity: object): unknown;
}

export interface ForeignKeyLike {
  readonly entityMetadata: EntityMetadataLike;
  readonly referencedEntityMetadata: EntityMetadataLike;
  readonly columns: readonly ColumnLike[];
  readonly referencedColumns: readonly ColumnLike[];
  readonly onDelete?: string;
  readonly onUpdate?: string;
}

/** A class, or the name of an entity that has none. */
export type TargetLike = Function | string;

export interface EntityMetadataLike {
  readonly name: string;
  readonly target: TargetLike;
  readonly inheritanceTree: readonly Function[];
  readonly tableName: string;
  readonly tablePath: string;
  /** As declared or configured; undefined means wherever the connection's search path leads. */
  readonly schema?: string;
  readonly tableType: string;
  readonly isJunction: boolean;
  readonly isClosureJunction: boolean;
  readonly parentClosureEntityMetadata: EntityMetadataLike | undefined;
  readonly columns: readonly ColumnLike[];
  readonly primaryColumns: readonly ColumnLike[];
  readonly ownerColumns: readonly ColumnLike[];
  readonly inverseColumns: readonly ColumnLike[];
  readonly relations: readonly RelationLike[];
  readonly manyToManyRelations: readonly RelationLike[];
  readonly relationIds: readonly { readonly propertyName: string; readonly relation: RelationLike }[];
  readonly foreignKeys: readonly ForeignKeyLike[];
  findColumnWithPropertyPath(path: string): ColumnLike | undefined;
  findRelationWithPropertyPath(path: string): RelationLike | undefined;
  hasEmbeddedWithPropertyPath(path: string): boolean;
}

export interface DriverLike {
  readonly options: { readonly type: string };
  /** PostgreSQL: where tables without a schema of their own lie. */
  readonly schema?: string;
  /** PostgreSQL: where a statement creates what it does not qualify. */
  readonly searchSchema?: string;
  readonly database?: string;
  escape(name: string): string;
  createParameter(name: string, index: number): string;
  preparePersistentValue(value: unknown, column: ColumnLike): unknown;
  prepareHydratedValue(value: unknown, column: ColumnLike): unknown;
}

export interface QueryRunnerLike {
  readonly isReleased: boolean;
  readonly isTransactionActive: boolean;
  /** `slave`: a replica, where the host has some. */
  readonly mode?: string;
  query(query: string, parameters?: unknown[]): Promise<unknown>;
}

export interface DataSourceLike {
  readonly isInitialized: boolean;
  readonly options: {
    readonly type: string;
    readonly synchronize?: boolean;
    readonly migrationsRun?: boolean;
    readonly dropSchema?: boolean;
    /** Set where reads go to replicas. */
    readonly replication?: unknown;
    readonly schema?: string;
  };
  readonly driver: DriverLike;
  readonly entityMetadatas: readonly EntityMetadataLike[];
  /** Replaced by every initialize(). */
  readonly subscribers: SubscriberLike[];
  initialize: () => Promise<unknown>;
  query(query: string, parameters?: unknown[]): Promise<unknown>;
  createQueryRunner(mode?: string): object;
  destroy?: () => Promise<unknown>;
}

export interface EventLike {
  readonly queryRunner: QueryRunnerLike;
}

export interface InsertEventLike extends EventLike {
  readonly metadata: EntityMetadataLike;
  readonly entity?: unknown;
  readonly entityId?: unknown;
}

export interface UpdateEventLike extends EventLike {
  readonly metadata: EntityMetadataLike;
  readonly entity?: unknown;
  readonly databaseEntity?: unknown;
  readonly updatedColumns: readonly ColumnLike[];
  readonly updatedRelations: readonly RelationLike[];
}

/** Remove, soft remove and recover. */
export interface RemoveEventLike extends EventLike {
  readonly metadata: EntityMetadataLike;
  readonly entity?: unknown;
  readonly databaseEntity?: unknown;
  readonly entityId?: unknown;
}

export interface QueryEventLike extends EventLike {
  readonly query: string;
}

export interface AfterQueryEventLike extends QueryEventLike {
  readonly success: boolean;
  readonly rawResults?: unknown;
  readonly error?: unknown;
}

type Answer = Promise<void> | void;

/** The subscriber methods that the plugin implements. */
export interface SubscriberLike {
  beforeQuery?(event: QueryEventLike): Answer;
  afterQuery?(event: AfterQueryEventLike): Answer;
  beforeInsert?(event: InsertEventLike): Answer;
  afterInsert?(event: InsertEventLike): Answer;
  beforeUpdate?(event: UpdateEventLike): Answer;
  afterUpdate?(event: UpdateEventLike): Answer;
  beforeRemove?(event: RemoveEventLike): Answer;
  afterRemove?(event: RemoveEventLike): Answer;
  beforeSoftRemove?(event: RemoveEventLike): Answer;
  afterSoftRemove?(event: RemoveEventLike): Answer;
  beforeRecover?(event: RemoveEventLike): Answer;
  afterRecover?(event: RemoveEventLike): Answer;
  beforeTransactionStart?(event: EventLike): Answer;
  afterTransactionStart?(event: EventLike): Answer;
  beforeTransactionCommit?(event: EventLike): Answer;
  afterTransactionCommit?(event: EventLike): Answer;
  beforeTransactionRollback?(event: EventLike): Answer;
  afterTransactionRollback?(event: EventLike): Answer;
}

/** In front of every statement of the library's own: the plugin does not account for itself. */
export const OWN = '/* report cache */ ';

/** Runs the library's own statements on the connection of a runner, or on any connection of a DataSource. */
export function askAs(where: { readonly query: Ask }): Ask {
  return (sql, parameters) => where.query(OWN + sql, parameters);
}

/**
 * TypeORM's query() gives nothing back of several statements in one string; node-postgres does. Undefined for every other
 * driver, and for clients that only look like it.
 */
export function askAtOnceAs(runner: QueryRunnerLike, type: string): AskAtOnce | undefined {
  const client: unknown = Reflect.get(runner, 'databaseConnection');
  if (type !== 'postgres' || !isClient(client)) return undefined;
  return async (statements) => {
    const answer = await client.query(OWN + statements.join('; '));
    const last: unknown = Array.isArray(answer) ? answer.at(-1) : answer;
    const rows: unknown = typeof last === 'object' && last !== null ? Reflect.get(last, 'rows') : undefined;
    return Array.isArray(rows) ? rows : [];
  };
}

/** node-postgres of 8.x, written in JavaScript: a status of the transaction is what the others do not have. */
function isClient(client: unknown): client is { query(text: string): Promise<unknown> } {
  const has = (method: string) => typeof Reflect.get(client as object, method) === 'function';
  return typeof client === 'object' && client !== null && has('query') && has('getTransactionStatus');
}

const POSTGRES_LIKE: readonly string[] = ['postgres', 'aurora-postgres', 'cockroachdb'];

/** Drivers where a failed statement poisons the transaction, and where RETURNING gives every row its own id. */
export function isPostgresLike(type: string): boolean {
  return POSTGRES_LIKE.includes(type);
}
