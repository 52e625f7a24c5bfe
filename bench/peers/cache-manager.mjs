// cache-manager: wrap() over Keyv. No tags.
import KeyvRedis from '@keyv/redis';
import { createCache } from 'cache-manager';
import { createKeyv } from 'cacheable';
import { Keyv } from 'keyv';

export function open({ layer, redisUrl, namespace, ttlSeconds, maxEntries }) {
  const store =
    layer === 'redis'
      ? new Keyv({ store: new KeyvRedis(redisUrl), namespace })
      : createKeyv({ lruSize: maxEntries, useClone: false });
  const cache = createCache({ stores: [store], ttl: ttlSeconds * 1000 });
  return {
    fetch: (key, compute) => cache.wrap(key, compute),
    close: () => cache.disconnect(),
  };
}
