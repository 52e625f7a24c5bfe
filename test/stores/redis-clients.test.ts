// The Redis store on clients as hosts configure them.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';

interface HostOptions {
  stringNumbers?: true;
  enableOfflineQueue?: false;
  lazyConnect?: true;
  enableAutoPipelining?: true;
  keyPrefix?: string;
}

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
const stores: RedisStore[] = [];
const clients: Redis[] = [];
const namespaces: string[] = [];

async function connect(options: HostOptions): Promise<Redis> {
  const client = new Redis(url, { ...options });
  clients.push(client);
  if (client.status !== 'wait' && client.status !== 'ready') await once(client, 'ready');
  return client;
}

async function storeOn(options: HostOptions, namespace = `test-${randomUUID()}`) {
  namespaces.push(`${options.keyPrefix ?? ''}{${namespace}}*`);
  const clock = new FakeClock();
  const client = await connect(options);
  const store = new RedisStore(client, { namespace, version: '1', maxTags: 1000 }, clock);
  stores.push(store);
  return { clock, namespace, client, store };
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  const cleaner = await connect({});
  for (const pattern of namespaces.splice(0)) {
    const keys = await cleaner.keys(pattern);
    if (keys.length > 0) await cleaner.unlink(...keys);
  }
  for (const client of clients.splice(0)) {
    if (client.status === 'end') continue;
    const ended = once(client, 'end');
    client.disconnect();
    await ended;
  }
});

/** Resolves with the next push. */
function pushes(store: RedisStore) {
  let heard: (push: { seq: number; tags: readonly string[] }) => void;
  const next = new Promise<{ seq: number; tags: readonly string[] }>((resolve) => {
    heard = resolve;
  });
  // A new namespace begins with a push without tags: its epoch.
  store.listen({
    push: (_epoch, seq, tags) => tags.length > 0 && heard({ seq, tags }),
    acknowledged: () => undefined,
    lost: () => undefined,
  });
  return next;
}

describe('a client', () => {
  it('that answers integers as text (stringNumbers): sequence numbers are compared as numbers all the same', async () => {
    const { store, clock } = await storeOn({ stringNumbers: true });
    const first = await store.position();
    expect(first.seq).toBe(1);
    for (let round = 0; round < 9; round += 1) expect(typeof (await store.invalidate(['other:1'])).seq).toBe('number');
    const missed = await store.lookup('k');
    if (missed.outcome !== 'miss') throw new Error('expected a miss');
    expect(missed.position.seq).toBe(10);
    await store.put('k', makeEntry(missed.position, clock.now()));
    expect(await store.lookup('k')).toMatchObject({ outcome: 'hit', position: { seq: 10 } });
  });

  it.each<[string, HostOptions]>([
    ['without an offline queue', { enableOfflineQueue: false }],
    ['that connects lazily', { lazyConnect: true }],
    ['that connects lazily, without an offline queue', { lazyConnect: true, enableOfflineQueue: false }],
    ['with a keyPrefix', { keyPrefix: 'host:' }],
    ['with automatic pipelining', { enableAutoPipelining: true }],
  ])('%s hears pushes', async (_name, options) => {
    const reader = await storeOn(options);
    const next = pushes(reader.store);
    const writer = await storeOn(options.keyPrefix ? { keyPrefix: options.keyPrefix } : {}, reader.namespace);
    let stop = false;
    void next.then(() => {
      stop = true;
    });
    // Until the subscription is in force.
    for (let round = 0; round < 2000 && !stop; round += 1) {
      await writer.store.invalidate(['student:1']);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect((await next).tags).toEqual(['student:1']);
  });
});

describe('an entry built from many cached values', () => {
  it('names each tag once, as of its oldest use', async () => {
    const { store, clock } = await storeOn({});
    const at = await store.position();
    const inherited = Array.from({ length: 40_000 }, () => ({ tags: ['a:1', 'b:1'], epoch: at.epoch, asOf: at.seq }));
    expect(await store.put('k', makeEntry(at, clock.now()), inherited)).toBe('stored');
    await store.invalidate(['b:1']);
    const now = await store.position();
    const fresh = { tags: ['a:1', 'b:1'], epoch: now.epoch, asOf: now.seq };
    expect(await store.put('k', makeEntry(now, clock.now()), [fresh])).toBe('stored');
    expect(await store.put('k', makeEntry(now, clock.now()), [fresh, ...inherited.slice(0, 1), fresh])).toBe('stale');
  });
});
