// What only a sweep brings into force is an invalidation like any other: it is told, and stands in the log.
import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createReportCache, type CacheEvent } from '../../src/index.js';
import { redisUrl } from '../support/isolation.js';
import { openPostgres } from './support/databases.js';

it('a row that nobody else carries out is told with its number', async () => {
  const database = await openPostgres();
  const { outbox, namespace } = database.outbox();
  const redis = new Redis(redisUrl());
  await redis.ping();
  let told: (event: CacheEvent) => void = () => undefined;
  const swept = new Promise<CacheEvent>((resolve) => (told = resolve));
  const reports = createReportCache({
    redis,
    namespace,
    identify: () => null,
    redisDeadline: '10s',
    onEvent: (event) => event.kind === 'invalidate' && event.cause === 'outbox' && told(event),
  });
  await reports.connect(database.source, { durable: true });
  await outbox.write(database.ask, ['student:1']);
  expect(await swept).toMatchObject({ tags: ['student:1'], epoch: expect.any(String), seq: expect.any(Number) });
  await reports.close();
  // What there is to tell is told before the end.
  expect(await redis.xlen(`{${namespace}}:i`)).toBe(1);
  redis.disconnect();
  await database.close();
});
