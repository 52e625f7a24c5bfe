// A commit in the database wakes the sweeper of a connected cache, long before its period.
import { expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { connectDurable } from '../../src/connect-durable.js';
import { systemClock } from '../../src/contract/clock.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import type { Triggers } from '../../src/typeorm/triggers/triggers.js';
import type { DataSourceLike } from '../../src/typeorm/typeorm-like.js';
import { redisUrl } from '../support/isolation.js';
import { openPostgres } from './support/databases.js';

it('a row of somebody who does not tell Redis is swept at once', async () => {
  const database = await openPostgres();
  const { outbox, namespace } = database.outbox({ notify: true });
  const client = new Redis(redisUrl(), { lazyConnect: true });
  const store = new RedisStore(client, { namespace, version: '1', maxTags: 1000 }, systemClock);
  let told: (event: CacheEvent) => void = () => undefined;
  const swept = new Promise<CacheEvent>((resolve) => (told = resolve));
  const connection = await connectDurable(
    database.source as unknown as DataSourceLike,
    { notify: true },
    {
      shared: {
        marks: store,
        claims: store,
        requireWatermark: () => undefined,
        expectBarrier: () => undefined,
      },
      history: store.history,
      persists: () => false,
      namespace,
      // An hour to the next sweep by itself.
      lambdaMs: 3 * 3_600_000,
      leaseMs: 250,
      maxTtlMs: () => 60_000,
      clock: systemClock,
      emit: (event) => event.kind === 'swept' && told(event),
      triggers: () => ({ tables: [] }) as unknown as Triggers,
    },
  );
  await outbox.write(database.ask, ['student:1']);
  expect(await swept).toMatchObject({ kind: 'swept', rows: 1 });
  await connection?.close();
  await store.close();
  client.disconnect();
  await database.close();
});
