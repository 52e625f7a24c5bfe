// Which way was asked for, by options or environment, and opening it.
import type { Clock } from '../contract/clock.js';
import { DEFAULTS } from '../options/defaults.js';
import { apiWay } from './api-way.js';
import type { Given } from './command.js';
import { usageError } from './failures.js';
import type { Host } from './host.js';
import { redisWay, type Manage } from './redis-way.js';
import type { Open } from './way.js';

export interface OpenParts {
  readonly given: Given;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly host: Host;
  readonly manage: Manage;
  readonly clock: Clock;
}

export function opening({ given, env, host, manage, clock }: OpenParts): Open {
  const url = (address: string) => apiWay(address, given.texts('header'), env['REPORT_CACHE_AUTHORIZATION']);
  const redis = (address: string) =>
    redisWay(
      {
        url: address,
        namespace: given.text('namespace') ?? DEFAULTS.namespace,
        version: given.text('app-version') ?? DEFAULTS.version,
        keyPrefix: given.text('key-prefix') ?? '',
      },
      host,
      manage,
      clock,
    );
  /** What is typed counts more than what is set: `--redis` beside a set REPORT_CACHE_URL means Redis. */
  const addresses = () => {
    const typed = { url: given.text('url'), redis: given.text('redis') };
    if (typed.url !== undefined || typed.redis !== undefined) return typed;
    return { url: env['REPORT_CACHE_URL'] || undefined, redis: env['REDIS_URL'] || undefined };
  };
  return {
    async one(allowed) {
      const typed = [given.text('url'), given.text('redis')].filter((one) => one !== undefined);
      if (typed.length > 1) throw usageError('Take --url or --redis, not both.');
      const found = addresses();
      if (found.url !== undefined && allowed.includes('url')) return url(found.url);
      if (found.redis !== undefined && allowed.includes('redis')) return redis(found.redis);
      throw usageError(
        allowed.includes('redis')
          ? 'Name the cache: --url (or REPORT_CACHE_URL), or --redis (or REDIS_URL).'
          : 'Name the cache: --url (or REPORT_CACHE_URL).',
      );
    },
    all() {
      const { url: api, redis: server } = addresses();
      return {
        ...(api !== undefined && { url: url(api) }),
        ...(server !== undefined && { redis: () => redis(server) }),
      };
    },
  };
}
