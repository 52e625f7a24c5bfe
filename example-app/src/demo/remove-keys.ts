// Leaves a borrowed Redis as it was: what a measurement or a test has kept there would stay until the end of its ttl.
import { Redis } from 'ioredis';

export async function removeKeys(redisUrl: string, namespace: string): Promise<void> {
  const client = new Redis(redisUrl, { maxRetriesPerRequest: 1 });
  try {
    for await (const keys of client.scanStream({ match: `*${namespace}*`, count: 1000 }))
      if ((keys as string[]).length > 0) await client.unlink(keys as string[]);
  } finally {
    client.disconnect();
  }
}
