// Redis, PostgreSQL and MySQL for one test run: provided once before all tests, taken away after them.
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { provideMysql } from './mysql-service.mjs';
import { providePostgres } from './postgres-service.mjs';
import { provideRedis } from './redis-service.mjs';

/** @type {import('./redis-service.mjs').Service[]} */
let services = [];

/** Jest's globalSetup. Workers see the addresses as REDIS_URL, DATABASE_URL and, where there is one, MYSQL_URL. */
export async function startServices() {
  const results = await Promise.allSettled([provideRedis(), providePostgres(), provideMysql()]);
  services = results.flatMap((result) => (result.status === 'fulfilled' && result.value ? [result.value] : []));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length > 0) {
    await stopServices();
    // Jest shows a stack and nothing else of an AggregateError, so the texts are joined.
    throw new Error(failures.map((failure) => failure.message).join('\n\n'));
  }
  const [redis, postgres, mysql] = /** @type {[typeof services[0], typeof services[0], ...typeof services]} */ (
    services
  );
  process.env.REDIS_URL = redis.url;
  process.env.DATABASE_URL = postgres.url;
  if (mysql) process.env.MYSQL_URL = mysql.url;
  process.env.TEST_NAMESPACE = `erc-test-${randomBytes(4).toString('hex')}`;
  console.log(`Redis: ${redis.how}. PostgreSQL: ${postgres.how}. MySQL: ${mysql?.how ?? 'none'}.`);
}

/** Jest's globalTeardown; runs whether the tests passed or not. */
export async function stopServices() {
  const running = services;
  services = [];
  const redis = running.find((service) => service.url.startsWith('redis'));
  if (redis && !redis.own && process.env.TEST_NAMESPACE) await removeKeys(redis.url, process.env.TEST_NAMESPACE);
  const stopped = await Promise.allSettled(running.map((service) => service.stop()));
  for (const result of stopped) if (result.status === 'rejected') throw result.reason;
}

/**
 * A borrowed Redis is left as it was found, whatever a failed test forgot.
 * @param {string} url
 * @param {string} namespace
 */
async function removeKeys(url, namespace) {
  const client = new Redis(url, { maxRetriesPerRequest: 1 });
  try {
    for await (const keys of client.scanStream({ match: `*${namespace}*`, count: 1000 }))
      if (keys.length > 0) await client.unlink(keys);
  } finally {
    client.disconnect();
  }
}
