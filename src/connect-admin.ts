// Composition: what is counted of a cache for those who manage it, and the management API over it.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { RequestHandler } from 'express';
import { countIn, meaning, type IsMeant } from './admin/count.js';
import { InvalidationLog } from './admin/invalidation-log.js';
import { createAdmin, type AdminParts } from './admin/router.js';
import type { Look, ManagedCache } from './admin/cache.js';
import { Live } from './admin/live.js';
import type { RedisUse } from './contract/answers.js';
import type { Clock } from './contract/clock.js';
import type { Observer } from './contract/observer.js';
import type { RedisLike } from './contract/redis-like.js';
import { Looking, type LookingParts } from './connect-look.js';
import type { StatisticsReport } from './contract/statistics.js';
import { answersWithin } from './core/time-limit.js';
import { parseAdmin, type AdminOptions } from './options/admin.js';
import { BOUNDS } from './options/defaults.js';
import { RedisStatistics } from './stats/redis-statistics.js';
import { Statistics } from './stats/statistics.js';
import { RedisEntries } from './stores/redis/redis-entries.js';
import { RedisInvalidationLog } from './stores/redis/redis-invalidation-log.js';
import { redisKeys } from './stores/redis/redis-keys.js';
import { RedisLook } from './stores/redis/redis-look.js';

export interface ManagementParts {
  readonly namespace: string;
  readonly version: string;
  readonly redis: RedisLike | undefined;
  /** Which entries may take there. */
  readonly redisMaxBytes: number;
  readonly isType: (name: string) => boolean;
  readonly clock: Clock;
}

export class Management {
  readonly #statistics: Statistics;
  readonly #log: InvalidationLog;
  readonly #redis: LookingParts['redis'];
  readonly #clock: Clock;
  readonly #live: Live;
  readonly #redisMaxBytes: number;

  constructor({ namespace, version, redis, redisMaxBytes, isType, clock }: ManagementParts) {
    const inTime = answersWithin(BOUNDS.patienceMs, clock);
    const keys = redisKeys(namespace, version, '');
    const nameOf = (bucket: number) => keys.statistics(bucket);
    const shared = redis && new RedisStatistics({ client: redis, nameOf, inTime });
    const flushMs = BOUNDS.statisticsFlushMs;
    this.#statistics = new Statistics({ shared, isType, flushMs, clock });
    const log = redis && new RedisInvalidationLog({ client: redis, name: keys.invalidations, inTime });
    const process = nameOfProcess();
    this.#log = new InvalidationLog({ shared: log, process, clock });
    const seen = redis && { client: redis, keys, inTime };
    this.#redis = seen && { entries: new RedisEntries(seen), look: new RedisLook(seen) };
    this.#clock = clock;
    this.#redisMaxBytes = redisMaxBytes;
    this.#live = new Live({ process, clock });
  }

  /** What has to hear of events. */
  get observers(): readonly Observer[] {
    return [this.#statistics, this.#log, this.#live];
  }

  /** Of the last day, over all processes. */
  statistics(): Promise<StatisticsReport> {
    return this.#statistics.read();
  }

  /** @throws ERC_OPTION */
  admin(
    options: AdminOptions,
    looking: Omit<LookingParts, 'redis' | 'clock'>,
    told: Pick<Look, 'url' | 'policy'>,
    cache: Omit<ManagedCache, 'statistics' | 'resetStatistics' | 'invalidations' | 'look' | 'count' | 'redis'>,
    parts: Pick<AdminParts, 'identify' | 'emit'>,
  ): RequestHandler {
    const { memory } = looking;
    const look = new Looking({ ...looking, redis: this.#redis, clock: this.#clock });
    const counted: ManagedCache = {
      ...cache,
      statistics: (last) => this.#statistics.read(last),
      resetStatistics: () => this.#statistics.reset(),
      invalidations: this.#log,
      redis: () => this.#redisUse(),
      look: {
        ...told,
        now: () => look.now(),
        entries: (query) => look.entries(query),
        isInMemory: (key) => look.isInMemory(key),
        facts: (key, tags) => look.facts(key, tags),
      },
      count: async (tags) => {
        const isMeant = meaning(tags);
        const inRedis = await this.#countInRedis(isMeant);
        let inMemory = 0;
        for (const { key, entry } of memory.held()) if (isMeant(key, entry.tags)) inMemory += 1;
        return { memory: inMemory, ...(inRedis !== undefined && { redis: inRedis }) };
      },
    };
    return createAdmin({ ...parts, cache: counted, live: this.#live, options: parseAdmin(options) });
  }

  async close(): Promise<void> {
    this.#live.close();
    await Promise.all([this.#statistics.close(), this.#log.close()]);
  }

  async #redisUse(): Promise<RedisUse | undefined> {
    const used = await this.#redis?.entries.use().catch(() => undefined);
    return used && { bytes: used.bytes, max_bytes: this.#redisMaxBytes, entries: used.entries };
  }

  async #countInRedis(isMeant: IsMeant): Promise<number | undefined> {
    if (this.#redis === undefined) return undefined;
    return countIn(this.#redis.entries, isMeant).catch(() => undefined);
  }
}

/** Unlike any other: in containers every process is the first one of its host. */
function nameOfProcess(): string {
  return `${hostname()}.${process.pid}.${randomBytes(3).toString('hex')}`;
}
