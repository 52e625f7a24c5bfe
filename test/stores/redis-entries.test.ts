// Entries in Redis page by page, over the index of the budget.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisEntries } from '../../src/stores/redis/redis-entries.js';
import { redisKeys } from '../../src/stores/redis/redis-keys.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const COUNT = 1300;
let redis: Redis;
let keys: ReturnType<typeof redisKeys>;

beforeEach(async () => {
  redis = new Redis(redisUrl());
  await redis.ping();
  keys = redisKeys(ownNamespace(), '1', '');
});
afterEach(() => redis.disconnect());

/** As CHARGE writes them. @param end of each, ms */
async function store(key: string, end: number, entryOf = keys.entry): Promise<void> {
  const entry = entryOf(key);
  const name = entry.slice(entry.indexOf(':e:') + 3);
  await redis.zadd(keys.budget, end, `owner 100 1 ${name}`);
  await redis.hset(entry, 'g', `epoch 1 student:${key}`);
}

async function all(): Promise<string[]> {
  const found: string[] = [];
  const entries = new RedisEntries({ client: redis, keys, inTime: (answer) => answer });
  for await (const page of entries.pages()) {
    expect(page.length).toBeLessThanOrEqual(500);
    found.push(...page.map(({ key, guard }) => `${key} ${guard}`));
  }
  return found.sort();
}

const expected = (names: readonly string[]) => names.map((name) => `${name} epoch 1 student:${name}`).sort();
const names = Array.from({ length: COUNT }, (_, at) => `k${at}`);

describe('all entries', () => {
  it.each([
    ['one after the other', (at: number) => at],
    ['all in the same millisecond', () => 7],
    ['many in the same millisecond, and some before and after it', (at: number) => (at < 10 ? 1 : at > 1200 ? 9 : 5)],
  ])('that end %s are found, each once', async (_name, endOf) => {
    await redis.zadd(keys.budget, -100 * COUNT, '!');
    await Promise.all(names.map((name, at) => store(name, endOf(at))));
    expect(await all()).toEqual(expected(names));
  });

  it('of another release are left out, and so is what is gone', async () => {
    await store('here', 1);
    await store('there', 2, redisKeys(keys.table.slice(1, -3), '2', '').entry);
    await store('gone', 3);
    await redis.unlink(keys.entry('gone'));
    expect(await all()).toEqual(expected(['here']));
  });

  it('are none where there is no index', async () => {
    expect(await all()).toEqual([]);
  });
});
