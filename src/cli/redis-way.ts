// Reaches the Redis of a cache with a client of the host's ioredis: the node that has the namespace, whatever the deployment.
import type { Clock } from '../contract/clock.js';
import { errorText } from '../contract/errors.js';
import { answersWithin } from '../core/time-limit.js';
import { BOUNDS } from '../options/defaults.js';
import { redisKeys, type RedisKeys } from '../stores/redis/redis-keys.js';
import { failed, unreachable, usageError, withoutPassword } from './failures.js';
import type { Host } from './host.js';
import type { Ask, OwnRedis, RedisWay } from './way.js';

export interface RedisAddress {
  readonly url: string;
  readonly namespace: string;
  readonly version: string;
  readonly keyPrefix: string;
}

/** What is known of a cache in Redis by whoever has nothing but Redis. */
export type Manage = (parts: {
  readonly client: OwnRedis;
  readonly namespace: string;
  readonly version: string;
  readonly clock: Clock;
}) => { readonly ask: Ask; close(): Promise<void> };

type RedisClass = new (url: string, options: object) => OwnRedis;

const CONNECT_MS = 5000;
/** In a cluster the first node asked knows which one has the namespace. */
const MOVED = /^MOVED \d+ (.+):(\d+)$/;
const REFUSED = /^(NOAUTH|WRONGPASS|LOADING|MASTERDOWN)/;
const NAMESPACE = /^[A-Za-z0-9._-]{1,64}$/;

export async function redisWay(address: RedisAddress, host: Host, manage: Manage, clock: Clock): Promise<RedisWay> {
  const { namespace, version, keyPrefix } = address;
  if (!NAMESPACE.test(namespace)) throw usageError('--namespace takes letters, digits, dot, dash and underscore.');
  const url = parseUrl(address.url);
  const Redis = classOf(host.load('ioredis'));
  const inTime = answersWithin(BOUNDS.patienceMs, clock);
  const keys = redisKeys(namespace, version, keyPrefix);
  const client = await connect(Redis, url, keyPrefix, keys, inTime);
  const managed = manage({ client, namespace, version, clock });
  return {
    kind: 'redis',
    name: `${url.protocol}//${url.host}, namespace ${namespace}`,
    url,
    client,
    namespace,
    keyPrefix,
    keys,
    inTime,
    ask: managed.ask,
    close: async () => {
      await managed.close();
      await close(client);
    },
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === 'redis:' || url.protocol === 'rediss:') return url;
  } catch {
    // Told below, without what it says.
  }
  throw usageError('--redis takes an address such as redis://localhost:6379.');
}

function classOf(module: unknown): RedisClass {
  const found: unknown = Reflect.get(Object(module), 'Redis') ?? module;
  if (typeof found !== 'function') throw failed('The installed ioredis is none that this version knows: 5.4+ or 6.');
  return found as RedisClass;
}

async function connect(
  Redis: RedisClass,
  url: URL,
  keyPrefix: string,
  keys: RedisKeys,
  inTime: RedisWay['inTime'],
  isMoved = false,
): Promise<OwnRedis> {
  const client = new Redis(url.href, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    // It is done with INFO, which the user may not be allowed.
    enableReadyCheck: false,
    ...(keyPrefix !== '' && { keyPrefix }),
  });
  let lost: Error | undefined;
  client.on('error', (error) => {
    lost ??= error;
  });
  try {
    await client.connect();
    await inTime(client.call('HLEN', keys.table));
    return client;
  } catch (error) {
    await close(client);
    const text = errorText(error);
    const [, host, port] = MOVED.exec(text) ?? [];
    if (host !== undefined && port !== undefined && !isMoved) {
      const there = new URL(url);
      there.host = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      return connect(Redis, there, keyPrefix, keys, inTime, true);
    }
    const why = withoutPassword(lost?.message ?? text);
    if (REFUSED.test(why)) throw unreachable(`Redis at ${url.host} lets nobody in like that: ${why}`);
    if (/^ERR unknown command/i.test(why))
      throw failed(`What answers at ${url.host} keeps no data; is it a sentinel? ${why}`);
    if (/^(NOPERM|WRONGTYPE|ERR)/.test(why)) throw failed(`Redis at ${url.host} refuses: ${why}`);
    throw unreachable(`Redis at ${url.host} does not answer: ${why}`);
  }
}

async function close(client: OwnRedis): Promise<void> {
  if (client.status === 'end' || client.status === 'wait') return client.disconnect();
  const ended = new Promise<void>((resolve) => {
    client.once('end', resolve);
  });
  client.disconnect();
  await ended;
}
