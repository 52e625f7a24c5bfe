// A Redis that runs full, comes back with old data, is promoted or drops its connections: cold at worst, never stale.
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';

const clock = new FakeClock();
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function server(args: readonly string[] = []): Promise<PrivateRedis> {
  const redis = await startPrivateRedis(args);
  closing.push(() => redis.stop());
  return redis;
}

async function connect(redis: PrivateRedis) {
  const client = new Redis(redis.url, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  client.on('error', () => undefined);
  closing.push(async () => {
    if (client.status === 'end') return;
    const ended = once(client, 'end');
    client.disconnect();
    await ended;
  });
  await client.ping();
  return { client, store: new RedisStore(client, { namespace: 'n', version: '1', maxTags: 1000 }, clock) };
}

const fill = async (store: RedisStore) =>
  expect(await store.put('k', makeEntry(await store.position(), clock.now()))).toBe('stored');

describe('FAULT 14 a Redis that is full and evicts nothing', () => {
  it('takes every invalidation, answers every look-up, and declines entries', async () => {
    const { client, store } = await connect(await server(['--maxmemory-policy', 'noeviction']));
    await fill(store);
    const before = await store.position();
    await client.config('SET', 'maxmemory', '1');
    await expect(client.set('x', 'y')).rejects.toThrow(/OOM/);
    expect((await store.lookup('k')).outcome).toBe('hit');
    expect(await store.invalidate(['student:1'])).toMatchObject({ epoch: before.epoch, seq: before.seq + 1 });
    expect(await store.position()).toEqual({ epoch: before.epoch, seq: before.seq + 1 });
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'invalidated' });
    await expect(store.put('k', makeEntry(await store.position(), clock.now()))).rejects.toThrow(/OOM/);
    await store.invalidate(['*']);
  });

  it('begins a new history all the same when the table is gone', async () => {
    const { client, store } = await connect(await server(['--maxmemory-policy', 'noeviction']));
    await fill(store);
    const { epoch } = await store.position();
    await client.config('SET', 'maxmemory', '1');
    await client.del('{n}:t');
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'epoch' });
    expect((await store.position()).epoch).not.toBe(epoch);
  });
});

describe('FAULT 12 a Redis that evicts', () => {
  it('the tag table: cold, and what was being computed is not stored', async () => {
    const { client, store } = await connect(await server());
    await fill(store);
    const before = await store.position();
    await client.del('{n}:t');
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'epoch' });
    expect(await store.put('k', makeEntry(before, clock.now()))).toBe('epoch');
    expect((await store.position()).epoch).not.toBe(before.epoch);
  });
});
