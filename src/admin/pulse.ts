// Reads how a cache stands, again and again, at a price that allows for it: the whole day once a minute, its latest part in between.
import type { LiveEvents, Rate, StatsEvent } from '../contract/answers.js';
import type { Clock } from '../contract/clock.js';
import type { Health } from '../contract/health.js';
import type { LoggedInvalidation } from '../contract/invalidation-log.js';
import type { StatisticsBucket } from '../contract/statistics.js';
import type { ManagedCache } from './cache.js';
import { summaryOf, withLatest } from './summary.js';

export type PulseSource = Pick<ManagedCache, 'statistics' | 'memory' | 'redis' | 'health' | 'invalidations'>;

export type Told = { [Name in 'stats' | 'health']: { readonly name: Name; readonly data: LiveEvents[Name] } }[
  'stats' | 'health'];

/** Counts of other processes come within five seconds, so that what lies further back has been told. */
const LATEST = 2;
const WHOLE_DAY_MS = 60_000;
const HEALTH_MS = 10_000;

export class Pulse {
  #day: readonly StatisticsBucket[] = [];
  #total: Rate | undefined;
  #readAt = -Infinity;
  #lookedAt = -Infinity;
  #stats: StatsEvent | undefined;
  #health: Health | undefined;
  #othersUpTo: string | undefined;

  constructor(
    private readonly source: PulseSource,
    private readonly clock: Clock,
  ) {}

  /** What was told last, for who comes later. */
  get latest(): readonly Told[] {
    return [
      ...(this.#stats === undefined ? [] : [{ name: 'stats' as const, data: this.#stats }]),
      ...(this.#health === undefined ? [] : [{ name: 'health' as const, data: this.#health }]),
    ];
  }

  /** Counts; and health, where it is another than before. Never rejects. */
  async next(): Promise<readonly Told[]> {
    const told: Told[] = [{ name: 'stats', data: await this.#nextStats() }];
    if (this.clock.monotonic() - this.#lookedAt >= HEALTH_MS) {
      this.#lookedAt = this.clock.monotonic();
      const health = await this.source.health();
      if (JSON.stringify(health) !== JSON.stringify(this.#health)) told.push({ name: 'health', data: health });
      this.#health = health;
    }
    return told;
  }

  /** What other processes have invalidated since this was asked for, oldest first; the first time nothing. Never rejects. */
  async others(): Promise<readonly LoggedInvalidation[]> {
    const { invalidations, last } = await this.source.invalidations.ofOthers(this.#othersUpTo);
    this.#othersUpTo = last;
    return invalidations.toReversed();
  }

  async #nextStats(): Promise<StatsEvent> {
    const whole = this.clock.monotonic() - this.#readAt >= WHOLE_DAY_MS;
    const [{ buckets, complete, lastUpdated }, redis] = await Promise.all([
      this.source.statistics(whole ? undefined : LATEST),
      this.source.redis(),
    ]);
    if (whole) {
      this.#day = buckets;
      if (complete) this.#readAt = this.clock.monotonic();
    } else if (complete) this.#day = withLatest(this.#day, buckets, LATEST, this.clock.now());
    const { total, types } = summaryOf(this.#day);
    const before = this.#total ?? total;
    this.#total = total;
    const { rss, heapUsed } = process.memoryUsage();
    this.#stats = {
      complete,
      last_updated: lastUpdated,
      // Since the snapshot before; less than nothing where counting began anew.
      since: {
        hits: Math.max(0, total.hits - before.hits),
        misses: Math.max(0, total.misses - before.misses),
        requests: Math.max(0, total.total_requests - before.total_requests),
      },
      total,
      types,
      memory: this.source.memory(),
      ...(redis && { redis }),
      process: { rss, heap_used: heapUsed },
      latest: this.#day.slice(-LATEST),
    };
    return this.#stats;
  }
}
