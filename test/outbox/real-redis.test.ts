// Sweepers over real servers: one Redis, then two that both take themselves for the true one.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { systemClock } from '../../src/contract/clock.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { Sweeper } from '../../src/outbox/sweeper.js';
import type { SqlOutbox } from '../../src/outbox/sql-outbox.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { startPrivateRedis } from '../support/private-redis.js';
import { openPostgres, type Database } from './support/databases.js';

const LAMBDA_MS = 2000;
const TWO_SERVERS_MS = 30_000;

let database: Database;
let namespace: string;
let outbox: SqlOutbox;
let cleanups: (() => Promise<unknown>)[];

beforeEach(async () => {
  cleanups = [];
  database = await openPostgres();
  namespace = ownNamespace();
  ({ outbox } = database.outbox({ namespace }));
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await database.close();
});

/** A sweeper that sweeps when told, and the Redis that it sweeps into. */
function over(url: string): { sweeper: Sweeper; store: RedisStore; client: Redis; events: CacheEvent[] } {
  const client = new Redis(url, { lazyConnect: true });
  const store = new RedisStore(client, { namespace, version: '1', maxTags: 1000 }, systemClock);
  const events: CacheEvent[] = [];
  const sweeper = new Sweeper({
    history: store.history,
    database: outbox,
    clock: systemClock,
    lambdaMs: LAMBDA_MS,
    maxTtlMs: () => 3_600_000,
    emit: (event) => events.push(event),
  });
  store.requireWatermark(LAMBDA_MS);
  cleanups.push(async () => {
    await sweeper.close();
    await store.close();
    client.disconnect();
  });
  return { sweeper, store, client, events };
}

const commit = async (...tags: string[]): Promise<string> => outbox.write(database.ask, tags);

describe('a sweeper', () => {
  it('adopts its Redis, makes it live, and brings into force what a dead writer has left', async () => {
    const { sweeper, store, events } = over(redisUrl());
    expect((await store.position()).live).toBe(false);
    expect(await sweeper.sweepNow()).toMatchObject({ outcome: 'complete' });
    const before = await store.position();
    expect(before.live).not.toBe(false);
    const id = await commit('student:1');
    expect(await sweeper.sweepNow()).toMatchObject({ outcome: 'complete', drained: 1 });
    const after = await store.position();
    expect(after).toMatchObject({
      epoch: before.epoch,
      seq: before.seq + 1,
      lsn: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(await outbox.isGone(database.ask, id)).toBe(true);
    expect(events.map(({ kind }) => kind)).toEqual(['adopted', 'swept']);
  });

  it('leaves a Redis dead whose outbox it cannot read', async () => {
    const { sweeper, store } = over(redisUrl());
    await database.source.query(`ALTER TABLE ${database.table('outbox')} RENAME TO away`);
    expect(await sweeper.sweepNow()).toMatchObject({ outcome: 'failed', error: { step: 'scan' } });
    expect((await store.position()).live).toBe(false);
    await database.source.query(`ALTER TABLE ${database.schema}.away RENAME TO report_cache_outbox`);
    expect(await sweeper.sweepNow()).toMatchObject({ outcome: 'complete' });
    expect((await store.position()).live).not.toBe(false);
  });

  it('begins a new epoch when the database has gone back in time', async () => {
    const { sweeper, store, events } = over(redisUrl());
    await sweeper.sweepNow();
    const [backup] = (await database.source.query(`SELECT * FROM ${database.table('state')}`)) as {
      generation: string;
      epoch: string;
    }[];
    await store.history.adopt((await store.position()).epoch, 'lost', 8);
    await sweeper.sweepNow();
    expect(events.at(-1)).toMatchObject({ kind: 'adopted', generation: 9, reason: 'restored' });
    expect((await store.position()).epoch).not.toBe(backup?.epoch);
  });

  it('many at once drain every row, and one epoch comes of it', async () => {
    const many = Array.from({ length: 4 }, () => over(redisUrl()));
    const ids = await Promise.all(Array.from({ length: 30 }, (_, number) => commit(`student:${number}`)));
    await Promise.all(many.map(({ sweeper }) => sweeper.sweepNow()));
    await Promise.all(many.map(({ sweeper }) => sweeper.sweepNow()));
    expect((await outbox.scan(100)).count).toBe(0);
    expect(ids).toHaveLength(30);
    const epochs = new Set(await Promise.all(many.map(async ({ store }) => (await store.position()).epoch)));
    expect(epochs.size).toBe(1);
    expect([...epochs]).toEqual([(await outbox.scan(1)).state.epoch]);
  });
});

describe('a split', () => {
  it(
    'the promoted replica is adopted; the old master hears of no row, and is not live again until the other is silent',
    async () => {
      const [master, replica] = await Promise.all([
        startPrivateRedis(['--repl-diskless-sync-delay', '0']),
        startPrivateRedis(),
      ]);
      cleanups.push(master.stop, replica.stop);
      const old = over(master.url);
      await old.sweeper.sweepNow();
      const promoted = over(replica.url);
      await promoted.client.replicaof('127.0.0.1', master.port);
      for (let copied = 0; copied < 1; copied = Number(await promoted.client.exists(`{${namespace}}:t`)))
        await new Promise((resolve) => setImmediate(resolve));
      await promoted.client.replicaof('NO', 'ONE');

      // The first attach has changed the master's own replication id: it begins anew as well.
      await old.sweeper.sweepNow();
      expect(await promoted.sweeper.sweepNow()).toMatchObject({ outcome: 'complete' });
      const claimed = (await old.store.history.observe()).ageMs as number;
      await commit('student:1');
      expect(await old.sweeper.sweepNow()).toMatchObject({ outcome: 'fenced' });
      expect((await outbox.scan(1)).count).toBe(1);
      expect((await old.store.history.observe()).ageMs).toBeGreaterThanOrEqual(claimed);
      expect(await promoted.sweeper.sweepNow()).toMatchObject({ outcome: 'complete', drained: 1 });
      expect(old.events.at(-1)).toMatchObject({ kind: 'fenced' });

      // A writer that reaches only the old master may not take its row out.
      const id = await commit('student:2');
      const told = await old.store.invalidate(['student:2']);
      expect(await outbox.toldNow(database.ask, [id], told.epoch)).toBe(false);
      expect(await outbox.isGone(database.ask, id)).toBe(false);

      // Nobody sweeps for the promoted one any more.
      await database.source.query(`UPDATE ${database.table('state')} SET swept_at = now() - interval '5 seconds'`);
      expect(await old.sweeper.sweepNow()).toMatchObject({ outcome: 'complete', drained: 1 });
      expect(await promoted.sweeper.sweepNow()).toMatchObject({ outcome: 'fenced' });
    },
    TWO_SERVERS_MS,
  );
});
