// A Redis that hangs or is gone, and a flood of readers: what piles up in the host's client is bounded.
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { GuardedStore } from '../../src/core/guarded-store.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { guardOptions } from '../support/guard-options.js';
import { startPrivateRedis } from '../support/private-redis.js';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The host's client with ioredis' own defaults: commands wait offline, and for an answer, as long as it takes. */
async function open() {
  const server = await startPrivateRedis();
  closing.push(() => server.stop());
  const client = new Redis(server.url);
  client.on('error', () => undefined);
  closing.push(async () => {
    const ended = client.status === 'ready' ? once(client, 'end') : undefined;
    client.disconnect();
    await ended;
  });
  await client.ping();
  const clock = new FakeClock();
  const states: string[] = [];
  const inRedis = new RedisStore(client, { namespace: 'n', version: '1', maxTags: 1000 }, clock);
  const store = new GuardedStore(inRedis, guardOptions(), clock, (event) => {
    if (event.kind === 'breaker') states.push(event.state);
  });
  inRedis.onReady(() => store.reconnected());
  // Scripts that Redis does not know yet are sent again.
  await store.lookup('k');
  closing.push(async () => store.close());
  const queues = client as unknown as Record<'commandQueue' | 'offlineQueue', { readonly length: number }>;
  let asked = 0;
  /** Readers of different reports, many to a turn. */
  const flood = async (turns: number) => {
    const found: Promise<{ outcome: string }>[] = [];
    for (let turn = 0; turn < turns; turn += 1) {
      for (let reader = 0; reader < 100; reader += 1) found.push(store.lookup(`k${(asked += 1)}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return found;
  };
  const outcomes = async (found: Promise<{ outcome: string }>[]) => [
    ...new Set((await Promise.all(found)).map(({ outcome }) => outcome)),
  ];
  return {
    server,
    client,
    clock,
    store,
    states,
    flood,
    outcomes,
    unanswered: () => queues.commandQueue.length,
    offline: () => queues.offlineQueue.length,
  };
}

describe('a Redis that hangs', () => {
  it('is sent one probe in each cool-off, and nothing else of readers', async () => {
    const { server, clock, store, states, flood, outcomes, unanswered, client } = await open();
    const position = await store.position();
    server.hang();
    const early = await flood(5);
    clock.advance(250);
    expect(await outcomes(early)).toEqual(['unavailable']);
    expect(states).toEqual(['open']);
    const sent = unanswered();
    expect(sent).toBeGreaterThan(0);

    expect(await outcomes(await flood(20))).toEqual(['unavailable']);
    expect(await store.put('k', makeEntry(position, clock.now()))).toBe('unavailable');
    await expect(store.position()).rejects.toThrow('Not asked');
    expect(unanswered()).toBe(sent);

    clock.advance(500);
    const probing = await flood(20);
    // CHECK, and the fields of one entry.
    expect(unanswered()).toBe(sent + 2);
    clock.advance(250);
    expect(await outcomes(probing)).toEqual(['unavailable']);
    expect(states).toEqual(['open', 'half-open', 'open']);

    server.wake();
    await client.ping();
    expect(unanswered()).toBe(0);
    clock.advance(1000);
    // The first finds out for the others; who comes after it, asks.
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', position: { epoch: position.epoch } });
    expect(await outcomes(await flood(2))).toEqual(['miss']);
    expect(states).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  it('is sent every invalidation, and the one that gets through lets readers ask again', async () => {
    const { server, clock, store, states, flood, outcomes } = await open();
    const { seq } = await store.position();
    server.hang();
    const early = await flood(1);
    clock.advance(250);
    await outcomes(early);
    const late = store.invalidate(['student:1']).catch((error: Error) => error.message);
    clock.advance(250);
    expect(await late).toBe('No answer within 250 ms.');
    const again = store.invalidate(['student:1']);
    server.wake();
    // Both have been executed: the late one does no harm.
    expect(await again).toMatchObject({ seq: seq + 2 });
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss' });
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });
});

describe('a Redis that is gone', () => {
  it('leaves nothing in the offline queue, and is asked as soon as it is back', async () => {
    const { server, client, store, states, flood, outcomes, offline } = await open();
    const { epoch } = await store.position();
    const gone = once(client, 'close');
    await server.kill();
    await gone;
    expect(await outcomes(await flood(20))).toEqual(['unavailable']);
    await expect(store.invalidate(['student:1'])).rejects.toThrow('Redis connection is');
    expect(offline()).toBe(0);
    expect(states).toEqual(['open']);
    // Unlike once(), which gives up at the first attempt that fails.
    const ready = new Promise<void>((resolve) => client.once('ready', resolve));
    await server.restart();
    await ready;
    // The clock has not moved: a new connection ends the cool-off.
    const found = await store.lookup('k');
    expect(found).toMatchObject({ outcome: 'miss' });
    expect(found.outcome === 'miss' && found.position.epoch).not.toBe(epoch);
    expect(states).toEqual(['open', 'half-open', 'closed']);
  });
});

describe("the client, which is the host's", () => {
  it('keeps no listener of a store that was closed, not even of one that may not use INFO', async () => {
    const { server, client: admin } = await open();
    await admin.call('ACL', 'SETUSER', 'u', 'reset', 'on', '>pw', '~*', '&*', '+@all', '-info');
    const client = new Redis(server.url, { username: 'u', password: 'pw', enableReadyCheck: false });
    closing.push(async () => {
      const ended = once(client, 'end');
      client.disconnect();
      await ended;
    });
    await client.ping();
    const listeners = () =>
      client
        .eventNames()
        .map((name) => `${String(name)} ${client.listenerCount(name)}`)
        .sort();
    const before = listeners();
    const store = new RedisStore(client, { namespace: 'm', version: '1', maxTags: 1000 }, new FakeClock());
    store.onReady(() => undefined);
    await store.position();
    // A cluster's nodes are followed too, which a single server does not have.
    expect(listeners()).toEqual([...before, '+node 1', 'close 1', 'ready 1'].sort());
    await store.close();
    expect(listeners()).toEqual(before);
  });
});
