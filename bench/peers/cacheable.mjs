// cacheable: getOrSet() over one store; its service of tags is on only where tags are measured, since it costs a read.
import KeyvRedis from '@keyv/redis';
import { Cacheable, createKeyv } from 'cacheable';
import { Keyv } from 'keyv';

export function open({ layer, redisUrl, namespace, ttlSeconds, maxEntries, tagged = false }) {
  const primary =
    layer === 'redis'
      ? new Keyv({ store: new KeyvRedis(redisUrl), namespace })
      : createKeyv({ lruSize: maxEntries, useClone: false });
  const cache = new Cacheable({ primary, ttl: ttlSeconds * 1000, tags: tagged });
  return {
    fetch: (key, compute, tags) => (tagged ? tag(cache, key, compute, tags) : cache.getOrSet(key, compute)),
    invalidateTag: (tag) => cache.tags.invalidateTag(tag),
    close: () => cache.disconnect(),
  };
}

/** getOrSet() takes no tags. */
async function tag(cache, key, compute, tags) {
  const known = await cache.get(key);
  if (known !== undefined) return known;
  const value = await compute();
  await cache.set(key, value, { tags });
  return value;
}
