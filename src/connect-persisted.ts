// Composition: keeps costly reports in the application's own database, behind memory and Redis.
import type { Clock } from './contract/clock.js';
import { errorText, ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { Lookup } from './contract/store.js';
import { Breaker, type BreakerState } from './core/breaker.js';
import type { LayeredStore } from './core/layered-store.js';
import { SafeStore } from './core/safe-store.js';
import { lendConnection } from './lend-connection.js';
import { obstacleTo, type Holding } from './obstacle.js';
import { BOUNDS, BREAKER } from './options/defaults.js';
import type { ConnectOptions } from './options/options.js';
import type { ResolvedOptions } from './options/parse.js';
import { dialectOf, isInstalled } from './outbox/migrations.js';
import { Lane } from './sql/lane.js';
import { poolSizeOf } from './sql/own-connection.js';
import type { Pruned } from './stores/database/database-prune.js';
import { DatabaseStore } from './stores/database/database-store.js';
import type { Flavour } from './stores/database/flavour.js';
import { canPersist, flavourOf } from './stores/database/migrations.js';
import type { Tracing } from './tracing/tracing.js';
import { askAs, type DataSourceLike, type QueryRunnerLike } from './typeorm/typeorm-like.js';

export interface PersistedParts {
  readonly layers: LayeredStore;
  readonly options: Pick<ResolvedOptions, 'namespace' | 'version' | 'persistLimits' | 'databaseDeadlineMs'>;
  /** Whether some reports of this process are to be persisted. */
  readonly expected: () => boolean;
  readonly tracing: Tracing;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** The database of one DataSource, in its place behind the other layers. */
export interface PersistedConnection {
  readonly breaker: BreakerState;
  prune(): Promise<Pruned>;
  /** For whoever looks without reading. */
  lookup(key: string): Promise<Lookup>;
  close(): Promise<void>;
}

/** For readers and for everything else, beside the sweeper's; at least as many are left to the application. */
const ENOUGH_FOR_TWO = 6;
/** With fewer the application needs each of them, and one is borrowed for each task. */
const ENOUGH_FOR_ONE = 4;
/** A statement that is given up by its reader may still be answered; after so many deadlines the connection is dead. */
const PATIENCE_DEADLINES = 5;

/**
 * From then on every invalidation reaches this database, whether this process persists reports or not: others may.
 * @returns undefined where it is switched off, or not possible and not demanded.
 * @throws ERC_PERSIST where it is demanded and not possible.
 */
export async function connectPersisted(
  dataSource: DataSourceLike,
  connect: ConnectOptions,
  parts: PersistedParts,
): Promise<PersistedConnection | undefined> {
  if (connect.persist === false) return undefined;
  const flavour = flavourOf(dataSource.options.type);
  const obstacle = await obstacleToReports(dataSource, flavour);
  if (flavour === undefined || obstacle !== undefined) {
    if (connect.persist === true) throw new ReportCacheError('ERC_PERSIST', obstacle ?? '');
    if (parts.expected())
      parts.emit({
        kind: 'advice',
        code: 'persist-off',
        message: `${obstacle ?? ''} Reports with \`persist\` are kept in memory and Redis only.`,
      });
    return undefined;
  }
  const { layers, options, clock, emit } = parts;
  const { databaseDeadlineMs: deadlineMs } = options;
  const { reads, writes, isInTransaction, closeLanes } = lanesOf(dataSource, flavour, deadlineMs, clock);
  const inDatabase = new DatabaseStore(
    {
      flavour,
      namespace: options.namespace,
      version: options.version,
      schema: dataSource.options.schema,
      outbox: connect.durable !== false && (await hasOutbox(dataSource)),
      limits: options.persistLimits,
      reads,
      writes,
      ...(isInTransaction && { isInTransaction }),
    },
    clock,
  );
  const breaker = new Breaker(BREAKER);
  const guarded = new SafeStore(inDatabase, { deadlineMs, maxUnanswered: BOUNDS.unanswered, breaker }, clock, emit);
  try {
    await layers.attach(parts.tracing.layer(guarded));
  } catch (error) {
    await closeLanes();
    throw new ReportCacheError(
      'ERC_PERSIST',
      `The database did not take what was invalidated before (${errorText(error)}).`,
    );
  }
  return {
    get breaker() {
      return breaker.state;
    },
    prune: () => inDatabase.prune(),
    lookup: (key) => guarded.lookup(key),
    async close() {
      layers.detach();
      await guarded.close();
      await closeLanes();
    },
  };
}

interface Lanes {
  readonly reads: Lane;
  readonly writes: Lane;
  readonly isInTransaction?: () => boolean;
  closeLanes(): Promise<void>;
}

/** Where everybody shares one connection, everything goes one after the other. */
function lanesOf(dataSource: DataSourceLike, flavour: Flavour, deadlineMs: number, clock: Clock): Lanes {
  if (flavour.sql.name === 'sqlite') {
    const lane = new Lane((task) => task(askAs(dataSource)));
    const runner = () => dataSource.createQueryRunner() as QueryRunnerLike;
    const isInTransaction = () => dataSource.isInitialized && runner().isTransactionActive;
    return { reads: lane, writes: lane, isInTransaction, closeLanes: () => Promise.resolve() };
  }
  const lend = () =>
    lendConnection(dataSource, { fewest: ENOUGH_FOR_ONE, patienceMs: PATIENCE_DEADLINES * deadlineMs, clock });
  const reading = lend();
  const reads = new Lane(reading.session);
  if ((poolSizeOf(dataSource.driver) ?? ENOUGH_FOR_TWO) < ENOUGH_FOR_TWO)
    return { reads, writes: reads, closeLanes: () => reading.close() };
  const writing = lend();
  return {
    reads,
    writes: new Lane(writing.session),
    async closeLanes() {
      // In the opposite order, each takes away what it has put around destroy().
      await writing.close();
      await reading.close();
    },
  };
}

async function hasOutbox(dataSource: DataSourceLike): Promise<boolean> {
  const dialect = dialectOf(dataSource.options.type);
  return dialect !== undefined && isInstalled(askAs(dataSource), dialect, dataSource.options.schema);
}

const REPORTS: Holding = { what: 'persisted reports', tables: 3, migrations: 'persistMigrations' };

/** Why reports cannot be persisted there; undefined: they can. */
function obstacleToReports(dataSource: DataSourceLike, flavour: Flavour | undefined): Promise<string | undefined> {
  const { type, schema } = dataSource.options;
  return obstacleTo(REPORTS, type, flavour && (() => canPersist(askAs(dataSource), flavour, schema)));
}
