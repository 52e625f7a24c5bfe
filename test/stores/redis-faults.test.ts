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

describe('a Redis whose data is older than an acknowledged invalidation', () => {
  it('FAULT 16 restarted from a snapshot of before it: cold', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    closing.push(() => rm(folder, { recursive: true }));
    const redis = await server(['--dir', folder]);
    const before = await connect(redis);
    await fill(before.store);
    const { epoch } = await before.store.position();
    await before.client.save();
    await before.store.invalidate(['student:1']);
    await redis.kill();
    await redis.restart();
    const after = await connect(redis);
    // The snapshot has them both: the entry, and a table that knows of no invalidation.
    expect(await after.client.exists('{n}:t', '{n}:e:1.1:k')).toBe(2);
    expect(await after.store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'epoch' });
    expect((await after.store.position()).epoch).not.toBe(epoch);
  });

  it('FAULT 17 a replica that had not heard of it is promoted: cold', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    closing.push(() => rm(folder, { recursive: true }));
    const master = await server(['--repl-diskless-sync-delay', '0']);
    const replica = await server(['--dir', folder]);
    const [onMaster, onReplica] = [await connect(master), await connect(replica)];
    await onReplica.client.replicaof('127.0.0.1', master.port);
    while (Number(await onMaster.client.wait(1, 100)) < 1) await onMaster.client.ping();
    await fill(onMaster.store);
    while (Number(await onMaster.client.wait(1, 100)) < 1) await onMaster.client.ping();
    await onReplica.client.replicaof('NO', 'ONE');
    await onMaster.store.invalidate(['student:1']);
    expect((await onMaster.store.lookup('k')).outcome).toBe('miss');
    expect(await onReplica.client.exists('{n}:t', '{n}:e:1.1:k')).toBe(2);
    expect(await onReplica.store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'epoch' });
  });

  it('two histories of one Redis never have the same name', async () => {
    const { client, store } = await connect(await server());
    const epochs = new Set<string>();
    for (let turn = 0; turn < 5; turn += 1) {
      await fill(store);
      epochs.add((await store.position()).epoch);
      await client.flushall();
      await store.position();
    }
    expect(epochs.size).toBe(5);
  });
});

describe('a Redis that is gone', () => {
  it('fails at once, even where the host has told its client to wait for ever', async () => {
    const redis = await server();
    const client = new Redis(redis.url, { maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    closing.push(async () => client.disconnect());
    await client.ping();
    const store = new RedisStore(client, { namespace: 'n', version: '1', maxTags: 1000 }, clock);
    const position = await store.position();
    const gone = once(client, 'close');
    await redis.kill();
    await gone;
    await expect(store.position()).rejects.toThrow(/Redis connection is/);
    await expect(store.lookup('k')).rejects.toThrow(/Redis connection is/);
    await expect(store.put('k', makeEntry(position, clock.now()))).rejects.toThrow(/Redis connection is/);
    await expect(store.invalidate(['student:1'])).rejects.toThrow(/Redis connection is/);
  });
});

describe('FAULT 22 the connection for pushes is closed by the server', () => {
  it('the listener is told, so that nobody trusts what he has not heard', async () => {
    const { client, store } = await connect(await server());
    closing.push(async () => store.close());
    let tell: (what: string) => void = () => undefined;
    const told = new Promise<string>((resolve) => {
      tell = resolve;
    });
    store.listen({ push: () => undefined, acknowledged: () => undefined, lost: () => tell('lost') });
    while (Number(await client.publish('{n}:c', 'probe 0')) === 0) await client.ping();
    await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    expect(await told).toBe('lost');
  });
});
