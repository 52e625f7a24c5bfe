// Entries in Redis page by page, over the index of the budget.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { IndexedEntry } from '../../src/contract/look.js';
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

const entries = () => new RedisEntries({ client: redis, keys, inTime: (answer) => answer });

async function all(order: 'asc' | 'desc' = 'asc'): Promise<string[]> {
  const found: string[] = [];
  const source = entries();
  for await (const page of source.index(order)) {
    expect(page.length).toBeLessThanOrEqual(500);
    const guards = await source.guards(page.map(({ key }) => key));
    for (const [at, { key }] of page.entries()) {
      const guard = guards[at];
      if (guard !== undefined) found.push(`${key} ${guard.epoch} ${guard.asOf} ${guard.tags.join(' ')}`);
    }
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
    for (const order of ['asc', 'desc'] as const) expect(await all(order)).toEqual(expected(names));
    expect(await entries().size()).toBe(COUNT);
  });

  it('go on behind any of them, in either order, also among those that end together', async () => {
    await Promise.all(names.slice(0, 40).map((name, at) => store(name, Math.floor(at / 10))));
    for (const order of ['asc', 'desc'] as const) {
      const read = async (after?: IndexedEntry) => {
        const found: IndexedEntry[] = [];
        for await (const page of entries().index(order, after)) found.push(...page);
        return found;
      };
      const inOrder = await read();
      expect(inOrder.map(({ endsAt }) => endsAt)).toEqual(
        inOrder.map(({ endsAt }) => endsAt).sort((a, b) => (order === 'asc' ? a - b : b - a)),
      );
      for (const at of [0, 9, 10, 25, 39]) expect(await read(inOrder[at])).toEqual(inOrder.slice(at + 1));
    }
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
