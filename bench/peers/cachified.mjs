// @epic-web/cachified: with the adapter for lru-cache of its documentation, or the one for Redis. No tags.
import { cachified, totalTtl } from '@epic-web/cachified';
import { redisCacheAdapter } from 'cachified-redis-adapter';
import { LRUCache } from 'lru-cache';
import { createClient } from 'redis';

export async function open({ layer, redisUrl, ttlSeconds, maxEntries }) {
  const client = layer === 'redis' ? await createClient({ url: redisUrl }).connect() : undefined;
  const cache = client === undefined ? inMemory(maxEntries) : redisCacheAdapter(client);
  return {
    fetch: (key, compute) => cachified({ key, cache, getFreshValue: compute, ttl: ttlSeconds * 1000 }),
    close: () => client?.disconnect(),
  };
}

function inMemory(max) {
  const entries = new LRUCache({ max });
  return {
    set(key, value) {
      const ttl = totalTtl(value.metadata);
      return entries.set(key, value, { ttl: ttl === Infinity ? undefined : ttl, start: value.metadata.createdTime });
    },
    get: (key) => entries.get(key),
    delete: (key) => entries.delete(key),
  };
}
