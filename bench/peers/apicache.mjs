// apicache: a middleware that keeps whole answers. The user is told from others by `appendKey`; groups stand for tags.
import apicache from 'apicache';
import redis3 from 'redis3';

export function open({ layer, redisUrl, namespace, ttlSeconds }) {
  const instance = apicache.newInstance({
    appendKey: (req) => `${namespace}:${req.headers['x-user']}`,
    // Its own adapter looks at `connected`, which the clients of node_redis 3 have and later ones have not.
    ...(layer === 'redis' && { redisClient: redis3.createClient(redisUrl) }),
  });
  return { middleware: instance.middleware(`${ttlSeconds} seconds`) };
}
