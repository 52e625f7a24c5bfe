// Claims on computations in a real Redis: taken by one, kept, given back only by whoever has them, and over by themselves.
import { once } from 'node:events';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RedisStore } from '../../src/stores/redis/redis-store.js';
import { startPrivateRedis } from '../support/private-redis.js';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
afterAll(() => namespaces.close());

/** A store on a server of its own, which may be treated badly. */
async function onOwnServer(args: readonly string[], task: (client: Redis, store: RedisStore) => Promise<void>) {
  const server = await startPrivateRedis(args);
  const client = new Redis(server.url);
  try {
    await client.ping();
    await task(client, namespaces.store(client, 'n'));
  } finally {
    const ended = once(client, 'end');
    client.disconnect();
    await ended;
    await server.stop();
  }
}

const create = async () => {
  const set = await namespaces.create();
  const key = `{${set.namespace}}:c:1.1:k`;
  return { ...set, key, left: () => set.client.pttl(key) };
};

describe('a claim', () => {
  it('is taken by one, whoever else asks is told by whom', async () => {
    const { store, left } = await create();
    const asked = ['one', 'two', 'three'].map((token) => store.claim('k', token, 5000));
    expect(await Promise.all(asked)).toEqual([
      { state: 'taken', stored: false },
      { state: 'held', by: 'one', stored: false },
      { state: 'held', by: 'one', stored: false },
    ]);
    expect(await left()).toBeGreaterThan(0);
    expect(await store.claim('another', 'two', 5000)).toEqual({ state: 'taken', stored: false });
  });

  it('says whether there is an entry now: it may have been stored since the reader looked', async () => {
    const { store, fill } = await create();
    await fill('k');
    expect(await store.claim('k', 'one', 5000)).toEqual({ state: 'taken', stored: true });
    expect(await store.claim('k', 'two', 5000)).toEqual({ state: 'held', by: 'one', stored: true });
  });

  it('on an entry that is known says whether there is another one now', async () => {
    const { store, fill } = await create();
    await fill('k');
    const found = await store.lookup('k');
    if (found.outcome !== 'hit') throw new Error('no entry');
    const { entry } = found;
    expect(await store.claim('k', 'one', 5000, entry)).toEqual({ state: 'taken', stored: false });
    expect(await store.claim('k', 'two', 5000, entry)).toEqual({ state: 'held', by: 'one', stored: false });
    for (const change of [{ createdAt: 1 }, { computeMs: 1 }, { etag: '"x"' }, { tags: [] }, { asOf: 0 }])
      expect(await store.claim('k', 'two', 5000, { ...entry, ...change })).toMatchObject({ stored: true });
    await store.keepForm('k', entry, 'gzip', Buffer.from('coded'));
    expect(await store.claim('k', 'two', 5000, entry)).toMatchObject({ stored: false });
  });

  it('is kept for longer, or given back, by its holder and nobody else', async () => {
    const { store, left } = await create();
    await store.claim('k', 'one', 5000);
    expect(await store.renewClaim('k', 'two', 60_000)).toBe(false);
    await store.endClaim('k', 'two', 0);
    await store.endClaim('k', 'two', 60_000);
    expect(await left()).toBeLessThanOrEqual(5000);
    expect(await store.renewClaim('k', 'one', 60_000)).toBe(true);
    expect(await left()).toBeGreaterThan(5000);
    await store.endClaim('k', 'one', 0);
    expect(await store.claim('k', 'two', 5000)).toEqual({ state: 'taken', stored: false });
  });

  it('that has ended by itself is not kept, and its end leaves nothing', async () => {
    const { store, client, key } = await create();
    await store.claim('k', 'one', 5000);
    await client.unlink(key);
    expect(await store.renewClaim('k', 'one', 5000)).toBe(false);
    await store.endClaim('k', 'one', 5000);
    expect(await client.exists(key)).toBe(0);
  });

  it('that ended private says so for as long as it was told', async () => {
    const { store, left } = await create();
    await store.claim('k', 'one', 5000);
    await store.endClaim('k', 'one', 1000);
    expect(await store.claim('k', 'two', 5000)).toEqual({ state: 'private' });
    expect(await left()).toBeLessThanOrEqual(1000);
  });

  it('of another release of the application is another one', async () => {
    const { store, client, key } = await create();
    await store.claim('k', 'one', 5000);
    await client.rename(key, key.replace(':1.1:', ':1.2:'));
    expect(await store.claim('k', 'two', 5000)).toEqual({ state: 'taken', stored: false });
  });

  it('survives a server that has forgotten the scripts', () =>
    onOwnServer([], async (client, store) => {
      await store.claim('k', 'one', 5000);
      await client.script('FLUSH');
      expect(await store.claim('k', 'two', 5000)).toEqual({ state: 'held', by: 'one', stored: false });
      await client.script('FLUSH');
      await store.endClaim('k', 'one', 0);
      expect(await client.dbsize()).toBe(0);
    }));

  it('FAULT 14 is refused by a full Redis, where nothing could be stored either, but can be given back', () =>
    onOwnServer(['--maxmemory-policy', 'noeviction'], async (client, store) => {
      await store.claim('k', 'one', 5000);
      await client.config('SET', 'maxmemory', '1');
      await expect(store.claim('other', 'one', 5000)).rejects.toThrow(/OOM/);
      await store.endClaim('k', 'one', 0);
      expect(await client.dbsize()).toBe(0);
    }));
});
