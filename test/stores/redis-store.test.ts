// The Redis store: the conformance suite on a real server, and what only Redis can do to it.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry, storeSuite } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
const clients: Redis[] = [];
const namespaces: string[] = [];

async function connect(options: { keyPrefix?: string } = {}): Promise<Redis> {
  const client = new Redis(url, { maxRetriesPerRequest: 1, ...options });
  clients.push(client);
  await client.ping();
  return client;
}

const shared = await connect();
const prefixed = await connect({ keyPrefix: 'host:' });

function create(overrides: { client?: Redis; namespace?: string; version?: string; maxTags?: number } = {}) {
  const { client = shared, version = '1', maxTags = 100_000 } = overrides;
  const namespace = overrides.namespace ?? `test-${randomUUID()}`;
  namespaces.push(namespace);
  const clock = new FakeClock();
  return { clock, namespace, client, store: new RedisStore(client, { namespace, version, maxTags }, clock) };
}

async function keysOf(namespace: string): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of shared.scanStream({ match: `*{${namespace}}*`, count: 1000 }))
    found.push(...(batch as string[]));
  return found;
}

afterAll(async () => {
  for (const namespace of namespaces) {
    const keys = await keysOf(namespace);
    if (keys.length > 0) await shared.unlink(...keys);
  }
  for (const client of clients) {
    if (client.status === 'end') continue;
    const ended = once(client, 'end');
    client.disconnect();
    await ended;
  }
});

storeSuite({ describe, it }, 'redis', async () => {
  const { store, clock } = create();
  return { store, clock, close: async () => store.close() };
});
storeSuite({ describe, it }, 'redis with a keyPrefix', async () => {
  const { store, clock } = create({ client: prefixed });
  return { store, clock, close: async () => store.close() };
});

describe('redis store', () => {
  it('refuses something that is no client, with a code', () => {
    expect(() => new RedisStore({} as never, { namespace: 'n', version: '1', maxTags: 10 }, new FakeClock())).toThrow(
      /ERC_REDIS/,
    );
  });

  it('many keys of one turn: each gets its own verdict, one round trip for all', async () => {
    const { store, clock, client, namespace } = create();
    const before = await store.position();
    await store.put('hit', makeEntry(before, clock.now(), { tags: ['student:1'] }));
    await store.put('invalidated', makeEntry(before, clock.now(), { tags: ['student:2'] }));
    await store.put('odd', makeEntry(before, clock.now()));
    await store.invalidate(['student:2']);
    await client.set(`{${namespace}}:e:1.1:odd`, 'a key of another type');
    const [hit, invalidated, absent, odd] = await Promise.allSettled(
      ['hit', 'invalidated', 'absent', 'odd'].map((key) => store.lookup(key)),
    );
    expect(hit).toMatchObject({ value: { outcome: 'hit', position: { seq: before.seq + 1 } } });
    expect(invalidated).toMatchObject({ value: { outcome: 'miss', reason: 'invalidated' } });
    expect(absent).toMatchObject({ value: { outcome: 'miss', reason: 'absent' } });
    expect(odd).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('WRONGTYPE') } });
  });

  it('FAULT 12 the tag table is deleted: a new epoch, everything cold, a put on its way is refused', async () => {
    const { store, clock, client, namespace } = create();
    const before = await store.position();
    await store.put('k', makeEntry(before, clock.now()));
    await client.del(`{${namespace}}:t`);
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'epoch' });
    expect((await store.position()).epoch).not.toBe(before.epoch);
    expect(await store.put('k', makeEntry(before, clock.now()))).toBe('epoch');
  });

  it('a tag table written under another replication id proves nothing (old snapshot, promoted replica)', async () => {
    const { store, clock, client, namespace } = create();
    const before = await store.position();
    await store.put('k', makeEntry(before, clock.now()));
    await client.hset(`{${namespace}}:t`, '!inc', '0'.repeat(40));
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'epoch' });
    const after = await store.position();
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.seq).toBeGreaterThan(before.seq);
  });

  it('survives a server that has forgotten the scripts', async () => {
    const { store, clock, client } = create();
    await store.put('k', makeEntry(await store.position(), clock.now()));
    await client.script('FLUSH');
    expect((await store.lookup('k')).outcome).toBe('hit');
    await client.script('FLUSH');
    await store.invalidate(['student:1']);
    expect((await store.lookup('k')).outcome).toBe('miss');
  });

  it('an invalid entry is unlinked when it is found, so that its memory returns', async () => {
    const { store, clock, namespace } = create();
    await store.put('k', makeEntry(await store.position(), clock.now()));
    expect(await keysOf(namespace)).toHaveLength(2);
    await store.invalidate(['student:1']);
    await store.lookup('k');
    expect(await keysOf(namespace)).toEqual([`{${namespace}}:t`]);
  });

  it('every name carries the hash tag, and entries expire in Redis by themselves', async () => {
    const { store, clock, namespace, client } = create();
    await store.put('report:42:123:abc', makeEntry(await store.position(), clock.now()));
    const entry = `{${namespace}}:e:1.1:report:42:123:abc`;
    expect((await keysOf(namespace)).sort()).toEqual([entry, `{${namespace}}:t`]);
    expect(await client.pttl(entry)).toBeGreaterThan(50_000);
    expect(await client.pttl(`{${namespace}}:t`)).toBe(-1);
  });

  it('two versions of the application never read each other, and always invalidate each other', async () => {
    const one = create();
    const two = create({ namespace: one.namespace, version: '2' });
    await one.store.put('k', makeEntry(await one.store.position(), one.clock.now()));
    expect((await two.store.lookup('k')).outcome).toBe('miss');
    await two.store.invalidate(['student:1']);
    expect((await one.store.lookup('k')).outcome).toBe('miss');
  });

  it('two namespaces do not touch', async () => {
    const one = create();
    const two = create();
    await one.store.put('k', makeEntry(await one.store.position(), one.clock.now()));
    await two.store.invalidate(['student:1', '*']);
    expect((await one.store.lookup('k')).outcome).toBe('hit');
  });

  it('a tag table that would outgrow its bound becomes cold instead', async () => {
    const { store, clock, client, namespace } = create({ maxTags: 20 });
    const before = await store.position();
    await store.put('k', makeEntry(before, clock.now(), { tags: ['untouched:1'] }));
    await store.invalidate(Array.from({ length: 30 }, (_, index) => `other:${index}`));
    expect(await client.hlen(`{${namespace}}:t`)).toBeLessThan(20);
    expect((await store.lookup('k')).outcome).toBe('miss');
    expect(await store.put('k', makeEntry(before, clock.now()))).toBe('stale');
  });

  it('bytes that this version did not write are a miss, and can be replaced', async () => {
    const { store, clock, client, namespace } = create();
    const position = await store.position();
    const name = `{${namespace}}:e:1.1:k`;
    await client.hset(name, { g: `${position.epoch} ${position.seq} student:1`, h: 'not json', b: 'x' });
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'absent' });
    expect(await store.put('k', makeEntry(position, clock.now()))).toBe('stored');
    expect((await store.lookup('k')).outcome).toBe('hit');
  });

  it('pushes every invalidation with contiguous numbers, and a change of epoch without tags', async () => {
    const writer = create();
    const reader = create({ namespace: writer.namespace });
    const start = await writer.store.position();
    const pushes: [string, number, readonly string[]][] = [];
    let wake = () => {};
    reader.store.listen({
      push: (epoch, seq, tags) => (pushes.push([epoch, seq, tags]), wake()),
      acknowledged: () => undefined,
      lost: () => undefined,
    });
    /** The push with this number; earlier ones may still be on their way. */
    const pushOf = async (seq: number) => {
      for (;;) {
        const found = pushes.find((push) => push[1] === seq);
        if (found) return found;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    try {
      // The subscription is in force once the first push of a probe arrives.
      let last = start.seq;
      for (let probes = 0; pushes.length === 0 && probes < 5000; probes += 1) {
        last = (await writer.store.invalidate(['probe:1'])).seq;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await writer.store.invalidate(['student:1', 'class:2']);
      await writer.store.invalidate(['*']);
      expect(await pushOf(last + 1)).toEqual([start.epoch, last + 1, ['student:1', 'class:2']]);
      expect(await pushOf(last + 2)).toEqual([start.epoch, last + 2, ['*']]);
      const numbers = pushes.map((push) => push[1]);
      expect(numbers).toEqual(numbers.map((_, index) => Number(numbers[0]) + index));
      await writer.client.del(`{${writer.namespace}}:t`);
      const { epoch, seq } = await writer.store.position();
      while (pushes.at(-1)?.[0] !== epoch) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      expect(pushes.at(-1)).toEqual([epoch, seq, []]);
    } finally {
      await reader.store.close();
    }
  });

  it('hears pushes although its first subscription was given up, as ioredis does while the server is away', async () => {
    const subscriber = shared.duplicate();
    const subscribe = subscriber.subscribe.bind(subscriber);
    let attempts = 0;
    const rejectingFirst = (...channels: string[]): Promise<unknown> => {
      attempts += 1;
      return attempts === 1
        ? Promise.reject(new Error('Reached the max retries per request limit'))
        : subscribe(...channels);
    };
    const { store } = create({
      client: Object.assign(Object.create(shared) as Redis, { duplicate: () => subscriber }),
    });
    Object.assign(subscriber, { subscribe: rejectingFirst });
    let heard = false;
    store.listen({ push: () => (heard = true), acknowledged: () => undefined, lost: () => undefined });
    for (let turn = 0; !heard && turn < 2000; turn += 1) await store.invalidate(['student:1']);
    await store.close();
    expect(heard).toBe(true);
  });

  it('throws at once when the connection is not usable, instead of queueing', async () => {
    const client = await connect();
    const { store } = create({ client });
    await store.position();
    client.disconnect();
    await expect(store.position()).rejects.toThrow(/onnection is/);
  });
});
