// async-cache-dedupe: a defined function whose results are kept; references stand for tags.
import { createCache } from 'async-cache-dedupe';
import { Redis } from 'ioredis';

export function open({ layer, redisUrl, ttlSeconds, maxEntries, tagged = false }) {
  const client = layer === 'redis' ? new Redis(redisUrl) : undefined;
  const invalidation = tagged && { invalidation: client === undefined ? true : { referencesTTL: ttlSeconds } };
  const storage =
    client === undefined
      ? { type: 'memory', options: { size: maxEntries, ...invalidation } }
      : { type: 'redis', options: { client, ...invalidation } };
  const cache = createCache({ ttl: ttlSeconds, storage });
  const references = ({ tags }) => tags;
  cache.define('report', { serialize: ({ key }) => key, ...(tagged && { references }) }, ({ compute }) => compute());
  return {
    fetch: (key, compute, tags) => cache.report({ key, compute, tags }),
    invalidateTag: (tag) => cache.invalidateAll(tag),
    close: () => client?.disconnect(),
  };
}
