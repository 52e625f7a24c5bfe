// Every name in Redis. All carry the hash tag {namespace}: one slot in a cluster, so that scripts stay atomic.
import { WIRE_VERSION } from '../../contract/entry.js';

export interface RedisKeys {
  /** The tag table: sequence, epoch and last invalidation of every tag, without expiry. */
  readonly table: string;
  /** Writes between their mark and their end, without expiry; lost, it makes everything cold. */
  readonly marks: string;
  /** The channel of pushed invalidations. Not a key: ioredis does not put its keyPrefix in front. */
  readonly channel: string;
  /** The channel on which a process hears who has taken its invalidations. */
  acknowledgements(process: string): string;
  /** An entry. The application's version stands here and not in the table, so that releases invalidate each other. */
  entry(key: string): string;
  /** Who computes that entry. */
  claim(key: string): string;
}

export function redisKeys(namespace: string, version: string, keyPrefix: string): RedisKeys {
  const release = `${WIRE_VERSION}.${version}`;
  return {
    table: `{${namespace}}:t`,
    marks: `{${namespace}}:x`,
    channel: `${keyPrefix}{${namespace}}:c`,
    acknowledgements: (process) => `${keyPrefix}{${namespace}}:a:${process}`,
    entry: (key) => `{${namespace}}:e:${release}:${key}`,
    claim: (key) => `{${namespace}}:c:${release}:${key}`,
  };
}
