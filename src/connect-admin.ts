// Composition: what is counted of a cache for those who manage it, and the management API over it.
import type { RequestHandler } from 'express';
import { RecentInvalidations } from './admin/recent.js';
import { createAdmin, type AdminParts } from './admin/router.js';
import type { ManagedCache } from './admin/cache.js';
import type { Clock } from './contract/clock.js';
import type { Observer } from './contract/observer.js';
import type { RedisLike } from './contract/redis-like.js';
import { LATE, TimeLimit } from './core/time-limit.js';
import { parseGuard } from './entry/codec.js';
import { EVERYTHING, keyTag } from './entry/tags.js';
import { parseAdmin, type AdminOptions } from './options/admin.js';
import { BOUNDS } from './options/defaults.js';
import { RedisStatistics } from './stats/redis-statistics.js';
import { Statistics } from './stats/statistics.js';
import type { MemoryStore } from './stores/memory/memory-store.js';
import { RedisEntries } from './stores/redis/redis-entries.js';
import { redisKeys } from './stores/redis/redis-keys.js';

export interface ManagementParts {
  readonly namespace: string;
  readonly version: string;
  readonly redis: RedisLike | undefined;
  readonly isType: (name: string) => boolean;
  readonly clock: Clock;
}

/** Pages of entries and days of counts take longer than what a reader waits for. */
const PATIENCE_MS = 5000;

export class Management {
  readonly #statistics: Statistics;
  readonly #recent: RecentInvalidations;
  readonly #entries: RedisEntries | undefined;

  constructor({ namespace, version, redis, isType, clock }: ManagementParts) {
    const inTime = async <T>(answer: Promise<T>): Promise<T> => {
      const limit = new TimeLimit(PATIENCE_MS, clock);
      try {
        const first = await limit.race(answer);
        if (first === LATE) throw new Error(`No answer from Redis within ${PATIENCE_MS} ms.`);
        return first;
      } finally {
        limit.cancel();
      }
    };
    const keys = redisKeys(namespace, version, '');
    const nameOf = (bucket: number) => keys.statistics(bucket);
    const shared = redis && new RedisStatistics({ client: redis, nameOf, inTime });
    const flushMs = BOUNDS.statisticsFlushMs;
    this.#statistics = new Statistics({ shared, isType, flushMs, clock });
    this.#recent = new RecentInvalidations(clock);
    this.#entries = redis && new RedisEntries({ client: redis, keys, inTime });
  }

  /** What has to hear of events. */
  get observers(): readonly Observer[] {
    return [this.#statistics, this.#recent];
  }

  /** @throws ERC_OPTION */
  admin(
    options: AdminOptions,
    memory: Pick<MemoryStore, 'count'>,
    cache: Omit<ManagedCache, 'statistics' | 'resetStatistics' | 'recent' | 'count'>,
    parts: Pick<AdminParts, 'identify' | 'emit'>,
  ): RequestHandler {
    const counted: ManagedCache = {
      ...cache,
      statistics: () => this.#statistics.read(),
      resetStatistics: () => this.#statistics.reset(),
      recent: () => this.#recent.newest,
      count: async (tags) => {
        const isMeant = meaning(tags);
        const inRedis = await this.#countInRedis(isMeant);
        return { memory: memory.count(isMeant), ...(inRedis !== undefined && { redis: inRedis }) };
      },
    };
    return createAdmin({ ...parts, cache: counted, options: parseAdmin(options) });
  }

  close(): Promise<void> {
    return this.#statistics.close();
  }

  async #countInRedis(isMeant: (key: string, tags: readonly string[]) => boolean): Promise<number | undefined> {
    if (this.#entries === undefined) return undefined;
    let count = 0;
    try {
      for await (const page of this.#entries.pages())
        for (const { key, guard } of page) if (isMeant(key, parseGuard(guard).tags)) count += 1;
      return count;
    } catch {
      return undefined;
    }
  }
}

/** Whether an entry goes with any of these tags. */
function meaning(tags: readonly string[]): (key: string, its: readonly string[]) => boolean {
  const named = new Set(tags);
  if (named.has(EVERYTHING)) return () => true;
  return (key, its) => named.has(keyTag(key)) || its.some((one) => named.has(one));
}
