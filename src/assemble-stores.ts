// Which stores stand behind a cache: memory alone, or memory in front of Redis.
import { randomBytes } from 'node:crypto';
import type { Clock } from './contract/clock.js';
import type { EventSink } from './contract/events.js';
import type { History } from './contract/history.js';
import type { RedisLike } from './contract/redis-like.js';
import type { Claims, Marks, Store } from './contract/store.js';
import { Breaker, type BreakerState } from './core/breaker.js';
import { GuardedStore } from './core/guarded-store.js';
import { TieredStore } from './core/tiered-store.js';
import { BOUNDS, BREAKER } from './options/defaults.js';
import type { ResolvedOptions } from './options/parse.js';
import { MemoryStore } from './stores/memory/memory-store.js';
import { TagTable } from './stores/memory/tag-table.js';
import { RedisStore } from './stores/redis/redis-store.js';

/** What other processes take part in; absent where this one is alone and is its own truth. */
export interface SharedTruth {
  readonly marks: Marks;
  readonly claims: Claims;
  readonly history: History;
  /** From now on nothing is served unless a sweeper has vouched for it within `lambdaMs`; undefined ends that. */
  requireWatermark(lambdaMs: number | undefined): void;
  /** Some reports are read under `barrier`: writers wait for leases that a lost history no longer names. */
  expectBarrier(): void;
}

export interface Stores {
  readonly store: Store;
  readonly shared: SharedTruth | undefined;
  /** Whether readers ask it. */
  readonly breaker: () => BreakerState;
}

export function assembleStores(
  redis: RedisLike | undefined,
  options: ResolvedOptions,
  clock: Clock,
  emit: EventSink,
): Stores {
  if (redis === undefined) return { store: memoryAlone(options, clock), shared: undefined, breaker: () => 'closed' };
  return overRedis(redis, options, clock, emit);
}

/** One process: its own table is the truth. */
function memoryAlone(options: ResolvedOptions, clock: Clock): Store {
  const table = new TagTable(randomBytes(9).toString('base64url'), BOUNDS.tagsPerProcess);
  return new MemoryStore(table, options.memory, clock);
}

/** Many processes: Redis holds the truth, memory follows it. */
function overRedis(redis: RedisLike, options: ResolvedOptions, clock: Clock, emit: EventSink): Stores {
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
  const tiered = new TieredStore(memory, guarded, { leaseMs, overdueMs: BOUNDS.overduePushMs }, clock, emit);
  tiered.follow(inRedis);
  return {
    store: tiered,
    breaker: () => breaker.state,
    shared: {
      marks: guarded,
      claims: guarded,
      history: inRedis.history.through(tiered),
      requireWatermark: (lambdaMs) => inRedis.requireWatermark(lambdaMs),
      expectBarrier: () => tiered.expectBarrier(),
    },
  };
}
