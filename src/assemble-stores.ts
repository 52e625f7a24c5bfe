// Which stores stand behind a cache: memory alone, or memory in front of Redis; and what is in front of the database, once there is one.
import { randomBytes } from 'node:crypto';
import type { Clock } from './contract/clock.js';
import type { EventSink } from './contract/events.js';
import type { History } from './contract/history.js';
import type { RedisLike } from './contract/redis-like.js';
import type { MemoryUse } from './contract/observer.js';
import type { Claims, Marks, Store } from './contract/store.js';
import { Breaker, type BreakerState } from './core/breaker.js';
import { LayeredStore } from './core/layered-store.js';
import { OwnHistory } from './core/own-history.js';
import { GuardedStore } from './core/guarded-store.js';
import { TieredStore } from './core/tiered-store.js';
import { BOUNDS, BREAKER } from './options/defaults.js';
import type { ResolvedOptions } from './options/parse.js';
import { MemoryStore } from './stores/memory/memory-store.js';
import { TagTable } from './stores/memory/tag-table.js';
import { RedisStore } from './stores/redis/redis-store.js';
import type { RedisUpkeep } from './stores/redis/redis-upkeep.js';
import type { Tracing } from './tracing/tracing.js';

/** What other processes take part in; absent where this one is alone and is its own truth. */
export interface SharedTruth {
  readonly marks: Marks;
  readonly claims: Claims;
  /** From now on nothing is served unless a sweeper has vouched for it within `lambdaMs`; undefined ends that. */
  requireWatermark(lambdaMs: number | undefined): void;
  /** Some reports are read under `barrier`: writers wait for leases that a lost history no longer names. */
  expectBarrier(): void;
}

export interface Stores {
  /** Where a database can be put behind the others. */
  readonly store: LayeredStore;
  readonly shared: SharedTruth | undefined;
  /** What the sweeper of an outbox brings invalidations into. */
  readonly history: History;
  /** Whether readers ask it. */
  readonly breaker: () => BreakerState;
  /** Of this process. */
  readonly memory: { readonly use: () => MemoryUse } & Pick<MemoryStore, 'held' | 'peek' | 'table' | 'dropInvalid'>;
  /** Absent: there is no Redis. */
  readonly upkeep?: RedisUpkeep;
}

export function assembleStores(
  redis: RedisLike | undefined,
  options: ResolvedOptions,
  clock: Clock,
  emit: EventSink,
  tracing?: Tracing,
): Stores {
  if (redis === undefined) {
    const memory = memoryAlone(options, clock);
    const store = layered(tracing?.layer(memory) ?? memory, clock, emit);
    const history = new OwnHistory(memory.table, store, clock);
    return { store, shared: undefined, history, breaker: () => 'closed', memory: memoryOf(memory, options) };
  }
  return overRedis(redis, options, clock, emit, tracing);
}

function layered(front: Store, clock: Clock, emit: EventSink): LayeredStore {
  return new LayeredStore(front, { frontMs: BOUNDS.persistedInFrontMs, maxOwed: BOUNDS.pendingTags }, clock, emit);
}

function memoryOf(memory: MemoryStore, { memory: { maxBytes } }: ResolvedOptions): Stores['memory'] {
  return {
    use: () => ({ entries: memory.size, bytes: memory.bytes, maxBytes }),
    held: () => memory.held(),
    peek: (key) => memory.peek(key),
    table: memory.table,
    dropInvalid: () => memory.dropInvalid(),
  };
}

/** One process: its own table is the truth. */
function memoryAlone(options: ResolvedOptions, clock: Clock): MemoryStore {
  const table = new TagTable(randomBytes(9).toString('base64url'), BOUNDS.tagsPerProcess);
  return new MemoryStore(table, options.memory, clock);
}

/** Many processes: Redis holds the truth, memory follows it. */
function overRedis(
  redis: RedisLike,
  options: ResolvedOptions,
  clock: Clock,
  emit: EventSink,
  tracing: Tracing | undefined,
): Stores {
  const { namespace, version, redisDeadlineMs, leaseMs, redisLimits } = options;
  const inRedis = new RedisStore(
    redis,
    { namespace, version, maxTags: BOUNDS.tagsInRedis, limits: redisLimits },
    clock,
    emit,
  );
  const breaker = new Breaker(BREAKER);
  const guard = { deadlineMs: redisDeadlineMs, maxUnanswered: BOUNDS.unanswered, breaker };
  const guarded = new GuardedStore(inRedis, guard, clock, emit);
  inRedis.onReady(() => guarded.reconnected());
  // No epoch of Redis is empty, so nothing is believed before Redis has been heard.
  const memory = new MemoryStore(new TagTable('', BOUNDS.tagsPerProcess), options.memory, clock);
  const tiered = new TieredStore(
    tracing?.memory(memory) ?? memory,
    tracing?.layer(guarded) ?? guarded,
    { leaseMs, overdueMs: BOUNDS.overduePushMs },
    clock,
    emit,
  );
  tiered.follow(inRedis);
  const store = layered(tiered, clock, emit);
  return {
    store,
    breaker: () => breaker.state,
    memory: memoryOf(memory, options),
    history: inRedis.history.through(store),
    upkeep: inRedis.upkeep,
    shared: {
      marks: guarded,
      claims: guarded,
      requireWatermark: (lambdaMs) => inRedis.requireWatermark(lambdaMs),
      expectBarrier: () => tiered.expectBarrier(),
    },
  };
}
