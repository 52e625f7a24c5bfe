// Composition: keeps invalidations in the application's own database until Redis has them, and sweeps them there.
import type { SharedTruth } from './assemble-stores.js';
import type { Clock } from './contract/clock.js';
import { ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { History } from './contract/history.js';
import { lendConnection } from './lend-connection.js';
import { obstacleTo, type Holding } from './obstacle.js';
import type { ConnectOptions } from './options/options.js';
import type { OutboxHealth } from './contract/outbox.js';
import { dialectOf, isInstalled } from './outbox/migrations.js';
import { NotifyListener, type ListenRunner } from './outbox/notify.js';
import { SqlOutbox } from './outbox/sql-outbox.js';
import { Sweeper } from './outbox/sweeper.js';
import type { Durable } from './typeorm/delivery.js';
import { TriggerCover } from './typeorm/trigger-cover.js';
import type { Triggers } from './typeorm/triggers/triggers.js';
import { askAs, type DataSourceLike } from './typeorm/typeorm-like.js';

export interface DurableParts {
  readonly shared: SharedTruth | undefined;
  /** Of Redis, or of this process alone. */
  readonly history: History;
  /** Whether reports outlive this process here, so that it is not enough that memory ends with it. */
  readonly persists: () => boolean;
  readonly namespace: string;
  readonly lambdaMs: number;
  readonly leaseMs: number;
  /** The longest that any entry lives, ms; asked while it runs. */
  readonly maxTtlMs: () => number;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** What the rules ask for by now. */
  readonly triggers: () => Triggers;
}

/** The outbox of one DataSource, at work. */
export interface DurableConnection extends Durable {
  readonly sweeper: OutboxHealth;
  /** The rules have changed, or the triggers. Never rejects. */
  lookAtTriggers(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Begins to sweep, and from then on nothing is served that no sweeper vouches for.
 * @returns undefined where it is switched off, or not possible and not demanded: an advice says what that leaves open.
 * @throws ERC_OUTBOX where it is demanded and not possible.
 */
export async function connectDurable(
  dataSource: DataSourceLike,
  options: ConnectOptions,
  parts: DurableParts,
): Promise<DurableConnection | undefined> {
  const { clock, emit, lambdaMs, namespace, shared } = parts;
  if (options.durable === false) {
    await lookForOrphan(parts);
    return undefined;
  }
  const needed = shared !== undefined || parts.persists();
  const obstacle = await obstacleToOutbox(dataSource, needed);
  const dialect = dialectOf(dataSource.options.type);
  if (obstacle !== undefined || dialect === undefined) {
    if (options.durable === true) throw new ReportCacheError('ERC_OUTBOX', obstacle ?? '');
    if (obstacle !== undefined && needed)
      emit({
        kind: 'advice',
        code: 'outbox-off',
        message: `${obstacle} Until then a process that dies between COMMIT and its invalidation leaves old reports behind, up to their ttl.`,
      });
    await lookForOrphan(parts);
    return undefined;
  }
  const { schema } = dataSource.options;
  const { notify = false } = options;
  const { ask, close: closeConnection } = lendConnection(dataSource, {
    fewest: FEWEST_CONNECTIONS,
    patienceMs: 2 * lambdaMs,
    clock,
  });
  const outbox = new SqlOutbox({
    dialect,
    ask,
    namespace,
    emit,
    clock,
    notify,
    ...(schema !== undefined && { schema }),
  });
  const { history, maxTtlMs } = parts;
  const sweeper = new Sweeper({ history, database: outbox, clock, emit, lambdaMs, maxTtlMs });
  const cover = new TriggerCover(parts.triggers, emit);
  await cover.look();
  shared?.requireWatermark(lambdaMs);
  // Usually a few milliseconds; where Redis or the database does not answer, the application starts all the same.
  await Promise.race([sweeper.start(), new Promise<void>((resolve) => clock.after(lambdaMs, resolve))]);
  const createRunner = () => dataSource.createQueryRunner() as ListenRunner;
  const wake = () => void sweeper.sweepNow();
  const listener =
    notify && dialect.name === 'postgres'
      ? new NotifyListener({ createRunner, namespace, wake, clock, emit })
      : undefined;
  void listener?.start();
  return {
    outbox,
    fencedAnswers: options.fencedAnswers ?? false,
    settleMs: lambdaMs + parts.leaseMs,
    get triggers() {
      return cover.any;
    },
    covers: (tags) => cover.covers(tags),
    lookAtTriggers: () => cover.look(),
    get sweeper() {
      return sweeper.state;
    },
    async close() {
      await listener?.close();
      await sweeper.close();
      await outbox.close();
      await closeConnection();
      shared?.requireWatermark(undefined);
    },
  };
}

/** With fewer connections the application needs each of them. */
const FEWEST_CONNECTIONS = 3;

/** Somebody has vouched for this namespace once and nobody does any more: nothing is served until somebody does again. */
async function lookForOrphan({ shared, history, namespace, lambdaMs, emit }: DurableParts): Promise<void> {
  try {
    const seen = shared && (await history.observe());
    if (seen?.ageMs === undefined || seen.ageMs <= 2 * lambdaMs) return;
    emit({
      kind: 'advice',
      code: 'watermark-orphan',
      message:
        `The outbox was on in namespace "${namespace}" and nobody sweeps it any more, so nothing is served from the cache. If it was ` +
        `switched off for good, choose another namespace, or delete the key {${namespace}}:t when no process sweeps.`,
    });
  } catch {
    // Redis does not answer: that is told by every look-up.
  }
}

const OUTBOX: Holding = { what: 'the outbox', tables: 2, migrations: 'outboxMigrations' };

/** Why there can be no outbox; undefined: there can. */
async function obstacleToOutbox(dataSource: DataSourceLike, needed: boolean): Promise<string | undefined> {
  if (!needed) return 'Without Redis one process is its own truth, and there is nothing to keep for others.';
  const { type, schema } = dataSource.options;
  const dialect = dialectOf(type);
  return obstacleTo(OUTBOX, type, dialect && (() => isInstalled(askAs(dataSource), dialect, schema)));
}
