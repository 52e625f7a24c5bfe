// Leaves a borrowed Redis as it was: what a measurement or a test has kept there would stay until the end of its ttl.
import { Redis } from 'ioredis';

/** @param what `*`: all of its names; `e:*`: what is cached, and not what is known of invalidations */
export async function removeKeys(redisUrl: string, namespace: string, what: '*' | 'e:*' = '*'): Promise<void> {
  const client = new Redis(redisUrl, { maxRetriesPerRequest: 1 });
  try {
    for await (const keys of client.scanStream({
      match: what === '*' ? `*${namespace}*` : `{${namespace}}:${what}`,
      count: 1000,
    }))
      if ((keys as string[]).length > 0) await client.unlink(keys as string[]);
  } finally {
    client.disconnect();
  }
}
