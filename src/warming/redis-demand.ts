// The demand of all processes in Redis: a sorted set for each hour of the week, bounded, and gone after a month without readers.
import { askTogether, pairsOf, type RedisLike } from '../contract/redis-like.js';
import type { SharedDemand, Worths } from './demand.js';

export interface RedisDemandParts {
  readonly client: RedisLike;
  /** Of one hour, or of the weeks in which each was told last. */
  readonly nameOf: (hour: number | 'weeks') => string;
  /** Of each hour. */
  readonly most: number;
  /** Ends the wait for an answer. */
  readonly inTime: <T>(answer: Promise<T>) => Promise<T>;
}

const KEPT_MS = 35 * 86_400_000;

/**
 * Adds, and forgets what is worth least. The first of a week halves what was there, once for each week that has passed.
 * KEYS[1] the hour's set, KEYS[2] hash of hours to weeks. ARGV: hour, week, most, kept ms, then worth and member in turn.
 */
const ADD = `
local before = tonumber(redis.call('HGET', KEYS[2], ARGV[1]))
local week = tonumber(ARGV[2])
if before and before < week then
  redis.call('ZUNIONSTORE', KEYS[1], 1, KEYS[1], 'WEIGHTS', string.format('%.17g', 0.5 ^ math.min(week - before, 60)))
end
if not before or before < week then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
for at = 5, #ARGV, 2 do redis.call('ZINCRBY', KEYS[1], ARGV[at], ARGV[at + 1]) end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 0`;

/** What Redis is busy with at a time, well below a millisecond. */
const AT_ONCE = 200;

export class RedisDemand implements SharedDemand {
  constructor(private readonly parts: RedisDemandParts) {}

  async add(hour: number, week: number, worths: Worths): Promise<void> {
    const { client, nameOf, most, inTime } = this.parts;
    const all = [...worths];
    const commands = [];
    for (let from = 0; from < all.length; from += AT_ONCE) {
      const pairs = all.slice(from, from + AT_ONCE).flatMap(([asked, worth]) => [worth, asked]);
      commands.push(['EVAL', ADD, 2, nameOf(hour), nameOf('weeks'), hour, week, most, KEPT_MS, ...pairs] as const);
    }
    await askTogether(client, commands, inTime);
  }

  async read(hours: readonly number[]): Promise<readonly Worths[]> {
    const { client, nameOf, most, inTime } = this.parts;
    const commands = hours.map((hour) => ['ZREVRANGE', nameOf(hour), 0, most - 1, 'WITHSCORES'] as const);
    return (await askTogether(client, commands, inTime)).map(
      (answer) => new Map(pairsOf(answer).map(([asked, worth]) => [asked, Number(worth)])),
    );
  }
}
