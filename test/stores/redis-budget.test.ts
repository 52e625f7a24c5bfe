// The budgets in Redis, on a real one: who goes when they are passed, how much work that is, and what the sums are worth.
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Cluster, type Redis } from 'ioredis';
import type { CacheEvent } from '../../src/contract/events.js';
import type { RedisLike } from '../../src/contract/redis-like.js';
import { redisKeys } from '../../src/stores/redis/redis-keys.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace } from '../support/isolation.js';
import { startRedisCluster } from '../support/redis-cluster.mjs';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
afterEach(() => namespaces.close());

const ROOMY = { maxBytes: 1e9, maxBytesPerOwner: 1e9 };
/** Of one call: 8 samples for each of two budgets, 4 victims of each, and the newcomer. */
const MOST_UNLINKED = 2 * 8 * 4 + 1;

type Limits = typeof ROOMY;
interface Offer {
  readonly owner?: string;
  readonly bytes?: number;
  readonly computeMs?: number;
  readonly ttlMs?: number;
  readonly tags?: readonly string[];
}

async function create(limits: Limits) {
  const { client, namespace, store, look, raw } = await namespaces.create({ limits });
  return { client, namespace, look, raw, store, ...(await budgetOf(client, namespace, store)) };
}

async function budgetOf(client: Redis | Cluster, namespace: string, store: RedisStore, keyPrefix = '') {
  const names = redisKeys(namespace, '1', keyPrefix);
  const put = async (key: string, offer: Offer = {}, over = store) => {
    const { owner = 'u1', bytes = 2000, computeMs = 100, ttlMs = 60_000, tags = ['student:1'] } = offer;
    const now = namespaces.clock.now();
    const times = { staleAt: now + ttlMs, deleteAt: now + ttlMs };
    const content = { owner, computeMs, tags, body: Buffer.alloc(bytes, 'x') };
    const outcome = await over.put(key, makeEntry(await over.position(), now, { ...content, ...times }));
    // The charge was sent before the put answered, so it is executed before this.
    await client.ping();
    return outcome;
  };
  const total = async () => 0 - Number((await client.zscore(names.budget, '!')) ?? 0);
  const held = async (owner: string) => Number((await client.hget(names.account(owner), '!')) ?? 0);
  const members = async () => (await client.zrange(names.budget, '0', '-1')).filter((member) => member !== '!');
  const bytesOf = (member: string) => Number(member.split(' ')[1]);
  /** What the server holds for an entry and for its name in the index. */
  const truth = async (key: string) => Number((await client.memory('USAGE', names.entry(key))) ?? 0);
  // Its script is known to the server from here on, so that a ping is enough to wait for a charge.
  await put('first', { owner: 'nobody' });
  await client.ping();
  await client.unlink(names.budget, names.account('nobody'), names.entry('first'));
  return { names, put, total, held, members, bytesOf, truth };
}

const keysOf = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

describe('the budget of a user', () => {
  it('a heavy user pushes out his own entries, dear as they are, and nobody else', async () => {
    const { put, look, held } = await create({ maxBytes: 1e9, maxBytesPerOwner: 100_000 });
    for (const key of keysOf('light', 5)) await put(key, { owner: 'light', computeMs: 0 });
    for (const key of keysOf('heavy', 100)) {
      await put(key, { owner: 'heavy', computeMs: 40_000 });
      expect(await held('heavy')).toBeLessThanOrEqual(100_000);
    }
    expect(await held('heavy')).toBeGreaterThan(80_000);
    for (const key of keysOf('light', 5)) expect(await look(key)).toBe('hit');
  });

  it('what alone is larger than the budget goes, and nothing for it', async () => {
    const { put, look, total, held } = await create({ maxBytes: 1e9, maxBytesPerOwner: 100_000 });
    for (const key of keysOf('k', 20)) await put(key);
    const before = await total();
    expect(await put('large', { bytes: 200_000, computeMs: 40_000_000 })).toBe('stored');
    expect(await look('large')).toBe('absent');
    expect([await total(), await held('u1')]).toEqual([before, before]);
  });

  it('has no id in the name of his account', async () => {
    const { put, names, client } = await create(ROOMY);
    await put('k', { owner: 'maria.curie' });
    expect(await client.exists(names.account('maria.curie'))).toBe(1);
    expect(names.account('maria.curie')).not.toContain('maria');
  });
});

describe('the budget of a namespace', () => {
  it('holds after every put, as the server itself counts', async () => {
    const { put, total, members, truth, client, names } = await create({
      maxBytes: 200_000,
      maxBytesPerOwner: 200_000,
    });
    for (const key of keysOf('k', 200)) {
      await put(key, { owner: `owner-${key}`, bytes: key.length * 500 });
      expect(await total()).toBeLessThanOrEqual(200_000);
    }
    let sum = Number(await client.memory('USAGE', names.budget, 'SAMPLES', 0));
    for (const member of await members()) {
      const [owner = '', , , name = ''] = member.split(' ');
      sum += await truth(name.slice('1.1:'.length));
      sum += Number(await client.memory('USAGE', `${names.budget}:${owner}`, 'SAMPLES', 0));
    }
    expect(sum).toBeLessThanOrEqual(200_000);
    expect(sum).toBeGreaterThan(120_000);
  });

  it('what took 40 s outlives what took 20 ms, of the same age and size', async () => {
    const { put, look, total } = await create({ maxBytes: 250_000, maxBytesPerOwner: 250_000 });
    for (const key of keysOf('slow', 30)) await put(key, { owner: key, computeMs: 40_000 });
    for (const key of keysOf('fast', 200)) await put(key, { owner: key, computeMs: 20 });
    expect(await total()).toBeLessThanOrEqual(250_000);
    for (const key of keysOf('slow', 30)) expect(await look(key)).toBe('hit');
  });

  it('what nobody has asked for in a while goes first', async () => {
    const { put, look, client, names, members } = await create({ maxBytes: 250_000, maxBytesPerOwner: 250_000 });
    // So many that chance, which draws the samples, meets some of them each time.
    for (const key of keysOf('asked', 10)) await put(key, { owner: key });
    for (const key of keysOf('idle', 60)) {
      await put(key, { owner: key });
      const value = await client.dumpBuffer(names.entry(key));
      await client.restore(names.entry(key), 60_000, value, 'REPLACE', 'IDLETIME', 3600);
    }
    for (const key of keysOf('new', 20)) await put(key, { owner: key });
    expect(await members()).not.toHaveLength(90);
    for (const key of [...keysOf('asked', 10), ...keysOf('new', 20)]) expect(await look(key)).toBe('hit');
  });

  it('no call unlinks more than its bound, whatever the budget has become', async () => {
    const { put, client, namespace, total, members } = await create(ROOMY);
    for (const key of keysOf('k', 300)) await put(key, { owner: `owner-${key}` });
    const small = namespaces.store(client, namespace, 1000, { maxBytes: 60_000, maxBytesPerOwner: 60_000 });
    let before = (await members()).length;
    let calls = 0;
    for (; (await total()) > 60_000; calls += 1) {
      await put(`more${calls}`, { owner: 'another' }, small);
      const after = (await members()).length;
      expect(before + 1 - after).toBeLessThanOrEqual(MOST_UNLINKED);
      before = after;
    }
    // 300 of them, at least 32 with each call.
    expect(calls).toBeLessThanOrEqual(10);
  });

  it('what finds no room in that bound goes itself', async () => {
    const { put, look, total } = await create({ maxBytes: 1_000_000, maxBytesPerOwner: 1_000_000 });
    for (const key of keysOf('k', 350)) await put(key, { owner: `owner-${key}` });
    await put('large', { bytes: 900_000, computeMs: 40_000_000 });
    expect(await look('large')).toBe('absent');
    expect(await total()).toBeLessThanOrEqual(1_000_000);
  });
});

describe('the sums', () => {
  it('follow an entry that is stored again, larger or smaller', async () => {
    const { put, total, held, truth, members } = await create(ROOMY);
    for (const bytes of [2000, 50_000, 10]) {
      await put('k', { bytes });
      expect(await members()).toHaveLength(1);
      expect(await total()).toBe(await held('u1'));
      const over = (await total()) - (await truth('k'));
      expect(over).toBeGreaterThan(0);
      expect(over).toBeLessThan(600);
    }
  });

  it('are rid of an expired entry with the next charges, whoever made it', async () => {
    const { put, total, held, client, names, members } = await create(ROOMY);
    await put('long');
    for (const key of keysOf('short', 40)) await put(key, { owner: 'gone', ttlMs: 1 });
    while ((await client.exists(...keysOf('short', 40).map(names.entry))) > 0) await client.ping();
    await put('k1');
    await put('k2');
    expect(await members()).toHaveLength(3);
    expect(await total()).toBe(await held('u1'));
    expect([await held('gone'), await client.exists(names.account('gone'))]).toEqual([0, 0]);
  });

  it('count an entry once that CHECK has unlinked and that was computed again', async () => {
    const { put, total, look, store } = await create(ROOMY);
    await put('k');
    const once = await total();
    await store.invalidate(['student:1']);
    expect(await look('k')).toBe('invalidated');
    expect(await total()).toBe(once);
    await put('k');
    expect(await total()).toBe(once);
  });

  it('an entry that is gone already is uncounted, and nobody is evicted in its place', async () => {
    const { put, look, client, names, total } = await create({ maxBytes: 100_000, maxBytesPerOwner: 100_000 });
    for (const key of keysOf('gone', 20)) await put(key, { owner: key, computeMs: 40_000 });
    await client.unlink(...keysOf('gone', 20).map(names.entry));
    for (const key of keysOf('k', 20)) await put(key, { owner: key, computeMs: 0 });
    for (const key of keysOf('k', 20)) expect(await look(key)).toBe('hit');
    expect(await total()).toBeLessThanOrEqual(100_000);
  });

  it('the index is lost: everything is served as before, and counting begins anew', async () => {
    const { put, look, client, names, total, held } = await create({ maxBytes: 100_000, maxBytesPerOwner: 50_000 });
    for (const key of keysOf('k', 10)) await put(key);
    await client.unlink(names.budget);
    for (const key of keysOf('k', 10)) expect(await look(key)).toBe('hit');
    // The account knows ten; the sum of the namespace knows what was stored since.
    for (const key of keysOf('more', 30)) await put(key);
    expect(await held('u1')).toBeLessThanOrEqual(50_000);
    for (const key of keysOf('other', 60)) await put(key, { owner: key });
    expect(await total()).toBeLessThanOrEqual(100_000);
  });

  it('an account is lost: its owner begins anew, and the sum of the namespace still knows his entries', async () => {
    const { put, client, names, total, held, members, look } = await create(ROOMY);
    for (const key of keysOf('k', 10)) await put(key);
    const before = await total();
    await client.unlink(names.account('u1'));
    for (const key of keysOf('k', 10)) expect(await look(key)).toBe('hit');
    for (const key of keysOf('k', 10)) await put(key);
    expect(await members()).toHaveLength(10);
    expect([await total(), await held('u1')]).toEqual([before, before]);
  });

  it('index and accounts end with their last entry', async () => {
    const { put, client, names } = await create(ROOMY);
    await put('long', { ttlMs: 50_000 });
    await put('short', { ttlMs: 1_000 });
    for (const name of [names.budget, names.account('u1')]) {
      expect(await client.pttl(name)).toBeGreaterThan(1_000);
      expect(await client.pttl(name)).toBeLessThanOrEqual(50_000);
    }
  });

  type Step =
    | { readonly put: string; readonly owner: string; readonly bytes: number; readonly computeMs: number }
    | { readonly invalidate: string }
    | { readonly gone: string }
    | { readonly lost: 'index' | 'a' | 'b' };
  const key = fc.constantFrom(...keysOf('k', 6));
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        put: key,
        owner: fc.constantFrom('a', 'b'),
        bytes: fc.constantFrom(0, 100, 3000),
        computeMs: fc.constantFrom(0, 20, 40_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ invalidate: key }) },
    { weight: 1, arbitrary: fc.record({ gone: key }) },
    { weight: 1, arbitrary: fc.record({ lost: fc.constantFrom('index' as const, 'a' as const, 'b' as const) }) },
  );

  it('are those of what is named, whatever happens, and nothing is left of them when everybody has gone', async () => {
    const limits = { maxBytes: 15_000, maxBytesPerOwner: 12_000 };
    const budget = await create(limits);
    const { put, store, look, client, names, total, held, members, bytesOf, namespace } = budget;
    const all = keysOf('k', 6);
    const none = namespaces.store(client, namespace, 1000, { maxBytes: 1, maxBytesPerOwner: 1 });
    const run = async (one: Step) => {
      if ('put' in one) return put(`${one.owner}.${one.put}`, { ...one, tags: [`key:${one.put}`] });
      if ('gone' in one) return client.unlink(names.entry(`a.${one.gone}`), names.entry(`b.${one.gone}`));
      if ('lost' in one) return client.unlink(one.lost === 'index' ? names.budget : names.account(one.lost));
      await store.invalidate([`key:${one.invalidate}`]);
      return Promise.all([look(`a.${one.invalidate}`), look(`b.${one.invalidate}`)]);
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), async (steps) => {
        await client.unlink(names.budget, names.account('a'), names.account('b'));
        await client.unlink(...all.flatMap((one) => [names.entry(`a.${one}`), names.entry(`b.${one}`)]));
        for (const one of steps) {
          await run(one);
          const named = await members();
          expect(await total()).toBe(named.reduce((sum, member) => sum + bytesOf(member), 0));
          for (const owner of ['a', 'b']) {
            const { '!': sum = '0', ...records } = await client.hgetall(names.account(owner));
            const counted = Object.values(records).reduce((least, record) => least + Number(record.split(' ')[0]), 0);
            expect(Number(sum)).toBe(counted);
          }
          if ('put' in one) {
            expect(await total()).toBeLessThanOrEqual(limits.maxBytes);
            expect(await held(one.owner)).toBeLessThanOrEqual(limits.maxBytesPerOwner);
          }
        }
        for (const owner of ['a', 'b', 'a', 'b']) await put('last', { owner }, none);
        expect([await total(), await held('a'), await held('b'), ...(await members())]).toEqual([0, 0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('servers and clients', () => {
  it('with a keyPrefix', async () => {
    const client = await namespaces.connect({ keyPrefix: 'host:' });
    const namespace = ownNamespace();
    const store = namespaces.store(client, namespace, 1000, { maxBytes: 50_000, maxBytesPerOwner: 50_000 });
    const { put, total } = await budgetOf(client, namespace, store);
    for (const key of keysOf('k', 50)) await put(key, { owner: key });
    expect(await total()).toBeGreaterThan(30_000);
    expect(await total()).toBeLessThanOrEqual(50_000);
  });

  it('on a Redis Cluster', async () => {
    const servers = await startRedisCluster();
    const client = new Cluster([...servers.nodes]);
    try {
      await once(client, 'ready');
      const events: CacheEvent[] = [];
      const limits = { maxBytes: 50_000, maxBytesPerOwner: 20_000 };
      const options = { namespace: 'n', version: '1', maxTags: 1000, limits };
      const store = new RedisStore(client as RedisLike, options, new FakeClock(), (event) => events.push(event));
      const at = await store.position();
      for (const key of keysOf('k', 60))
        await store.put(key, makeEntry(at, namespaces.clock.now(), { owner: key, body: Buffer.alloc(2000) }));
      const names = redisKeys('n', '1', '');
      const sum = -Number(await client.zscore(names.budget, '!'));
      expect(sum).toBeGreaterThan(30_000);
      expect(sum).toBeLessThanOrEqual(50_000);
      expect(events).toEqual([]);
      await store.close();
    } finally {
      client.disconnect();
      await servers.stop();
    }
  });
});
