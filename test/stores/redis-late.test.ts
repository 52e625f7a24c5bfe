// What reaches Redis late, or reaches it through the sweeper: judged when it is executed, in force here at once.
import { EventEmitter } from 'node:events';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { assembleStores } from '../../src/assemble-stores.js';
import { systemClock } from '../../src/contract/clock.js';
import type { RedisLike } from '../../src/contract/redis-like.js';
import { GuardedStore } from '../../src/core/guarded-store.js';
import { parseOptions } from '../../src/options/parse.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { guardOptions } from '../support/guard-options.js';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
const { clock } = namespaces;
afterAll(() => namespaces.close());

/** A connection whose commands are sent when the test says so. */
function slow(client: Redis) {
  let send: () => void = () => undefined;
  const sending = new Promise<void>((resolve) => {
    send = resolve;
  });
  const late: Promise<unknown>[] = [];
  const call = (command: string, ...args: (string | Buffer | number)[]) => {
    const sent = sending.then(() => client.call(command, ...args));
    late.push(sent);
    return sent;
  };
  return {
    over: Object.assign(Object.create(client) as Redis, { call }) as RedisLike,
    sendNow: async () => {
      send();
      // A server that has forgotten the script is asked once more.
      for (let at = 0; at < late.length; at += 1) {
        await late[at]?.catch(() => undefined);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe('FAULT 38 an entry whose caller has stopped waiting for the answer', () => {
  async function givenUp() {
    const all = await namespaces.create();
    const { over, sendNow } = slow(await namespaces.connect());
    const late = new GuardedStore(namespaces.store(over, all.namespace), guardOptions(), clock, () => undefined);
    const captured = await all.store.position();
    const put = late.put('k', makeEntry(captured, clock.now()));
    clock.advance(250);
    expect(await put).toBe('unavailable');
    return { ...all, sendNow };
  }

  it('is not stored if it was invalidated meanwhile', async () => {
    const { store, look, sendNow } = await givenUp();
    await store.invalidate(['student:1']);
    await sendNow();
    expect(await look('k')).toBe('absent');
  });

  it('is not stored while it is marked, nor in another history', async () => {
    const marked = await givenUp();
    await marked.store.mark(['student:1'], 'm', 60_000);
    await marked.sendNow();
    await marked.store.unmark('m');
    expect(await marked.look('k')).toBe('absent');
    const lost = await givenUp();
    await lost.raw.lose('t');
    await lost.sendNow();
    expect(await lost.look('k')).toBe('absent');
  });

  it('is stored, and valid, if nothing has happened', async () => {
    const { look, sendNow } = await givenUp();
    await sendNow();
    expect(await look('k')).toBe('hit');
  });
});

describe('what the sweeper of this process invalidates', () => {
  it('is in force in its own memory before the rows are forgotten, push or no push', async () => {
    const { client, namespace } = await namespaces.create();
    // Hears nothing.
    const silent = Object.assign(new EventEmitter(), {
      status: 'end',
      subscribe: async () => undefined,
      disconnect: () => undefined,
    });
    const redis = Object.assign(Object.create(client) as Redis, { duplicate: () => silent });
    const options = parseOptions({ identify: () => ({ user: 'u' }), redis, namespace, lease: '1h' });
    const { store, history } = assembleStores(redis, options, systemClock, () => undefined);
    await store.put('k', makeEntry(await store.position(), systemClock.now()));
    expect(await store.lookup('k', 'lease')).toMatchObject({ outcome: 'hit', layer: 'memory' });
    await history.invalidate(['student:1']);
    expect(await store.lookup('k', 'lease')).toMatchObject({ outcome: 'miss' });
    await store.close();
  });
});
