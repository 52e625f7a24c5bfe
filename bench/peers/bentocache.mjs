// bentocache: one store with one layer, memory without serialising, as its documentation advises for speed.
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisDriver } from 'bentocache/drivers/redis';
import { Redis } from 'ioredis';

export function open({ layer, redisUrl, namespace, ttlSeconds, maxEntries }) {
  const store =
    layer === 'redis'
      ? bentostore().useL2Layer(redisDriver({ connection: new Redis(redisUrl) }))
      : bentostore().useL1Layer(memoryDriver({ maxItems: maxEntries, serialize: false }));
  const bento = new BentoCache({
    default: 'reports',
    prefix: namespace,
    ttl: `${ttlSeconds}s`,
    stores: { reports: store },
  });
  return {
    fetch: (key, factory, tags) => bento.getOrSet({ key, factory, tags }),
    invalidateTag: (tag) => bento.deleteByTag({ tags: [tag] }),
    close: () => bento.disconnectAll(),
  };
}
