// A namespace of one's own on the run's Redis: stores in it, its raw keys, and everything that is published in it.
import { once } from 'node:events';
import { Redis } from 'ioredis';
import type { RedisLike } from '../../src/contract/redis-like.js';
import type { RedisLimits } from '../../src/stores/redis/redis-budget.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from './isolation.js';

export interface Push {
  readonly epoch: string;
  readonly seq: number;
  readonly tags: readonly string[];
}

export class RedisNamespaces {
  readonly clock = new FakeClock();
  readonly #connections: Redis[] = [];
  readonly #stores: RedisStore[] = [];

  /** A connection of the test. */
  async connect(options = {}): Promise<Redis> {
    const client = new Redis(redisUrl(), { maxRetriesPerRequest: 1, ...options });
    this.#connections.push(client);
    await client.ping();
    return client;
  }

  store(client: RedisLike, namespace: string, maxTags = 100_000, limits?: RedisLimits): RedisStore {
    const store = new RedisStore(client, { namespace, version: '1', maxTags, limits }, this.clock);
    this.#stores.push(store);
    return store;
  }

  async create(options: { maxTags?: number; client?: object; limits?: RedisLimits } = {}) {
    const namespace = ownNamespace();
    const client = await this.connect(options.client);
    const store = this.store(client, namespace, options.maxTags, options.limits);
    const raw = {
      table: () => client.hgetall(`{${namespace}}:t`),
      marks: () => client.hgetall(`{${namespace}}:x`),
      set: (field: string, value: string | number) => client.hset(`{${namespace}}:t`, field, value),
      seq: async () => Number(await client.hget(`{${namespace}}:t`, '!seq')),
      now: async () => {
        const [seconds, micros] = await client.time();
        return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
      },
      lose: (part: 't' | 'x') => client.del(`{${namespace}}:${part}`),
    };
    const fill = async (key: string, tags: readonly string[] = ['student:1']) =>
      store.put(key, makeEntry(await store.position(), this.clock.now(), { tags }));
    /** `hit`, or why not. */
    const look = async (key: string) => {
      const found = await store.lookup(key);
      return found.outcome === 'hit' ? 'hit' : found.reason;
    };
    return { namespace, client, store, raw, fill, look, pushes: () => this.#pushes(client, namespace) };
  }

  /** @returns what has been published since the last time it was asked. */
  async #pushes(client: Redis, namespace: string): Promise<() => Promise<Push[]>> {
    const subscriber = await this.connect();
    const channel = `{${namespace}}:c`;
    let heard: Push[] = [];
    let wake: () => void = () => undefined;
    subscriber.on('message', (_channel, message: string) => {
      if (message === 'end') return wake();
      const [epoch = '', seq = '', ...tags] = message.split(' ');
      heard.push({ epoch, seq: Number(seq), tags });
    });
    await subscriber.subscribe(channel);
    return async () => {
      const ended = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await client.publish(channel, 'end');
      await ended;
      const since = heard;
      heard = [];
      return since;
    };
  }

  async close(): Promise<void> {
    for (const store of this.#stores.splice(0)) await store.close();
    for (const client of this.#connections.splice(0)) {
      if (client.status === 'end') continue;
      const ended = once(client, 'end');
      client.disconnect();
      await ended;
    }
  }
}
