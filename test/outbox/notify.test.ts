// LISTEN and NOTIFY on a real PostgreSQL: commits wake the sweeper, and a lost connection is made again.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { NotifyListener, type ListenRunner } from '../../src/outbox/notify.js';
import { wakeChannel } from '../../src/outbox/sql-outbox.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace } from '../support/isolation.js';
import { openPostgres, type Database } from './support/databases.js';

let database: Database;
let clock: FakeClock;
let events: CacheEvent[];
let listener: NotifyListener;
let namespace: string;
let woken = 0;
let waiting: { count: number; resolve: () => void }[] = [];

const wake = (): void => {
  woken += 1;
  for (const one of waiting.splice(0))
    if (woken >= one.count) one.resolve();
    else waiting.push(one);
};
const wokenTimes = (count: number): Promise<void> =>
  woken >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }));
const listen = (createRunner = () => database.source.createQueryRunner() as ListenRunner): NotifyListener =>
  new NotifyListener({ createRunner, namespace, wake, clock, emit: (event) => events.push(event) });

beforeEach(async () => {
  database = await openPostgres();
  clock = new FakeClock();
  events = [];
  woken = 0;
  waiting = [];
  namespace = ownNamespace();
  listener = listen();
});
afterEach(async () => {
  await listener.close();
  await database.close();
});

describe('a listener', () => {
  it('is woken when it begins, and by every commit of a writer that notifies, not by a rollback', async () => {
    const { outbox } = database.outbox({ namespace, notify: true });
    await listener.start();
    expect(woken).toBe(1);
    const runner = database.source.createQueryRunner();
    await runner.startTransaction();
    await outbox.write((sql, parameters) => runner.query(sql, parameters), ['a:1']);
    await runner.rollbackTransaction();
    await runner.startTransaction();
    const id = await outbox.write((sql, parameters) => runner.query(sql, parameters), ['a:1']);
    expect(woken).toBe(1);
    await runner.commitTransaction();
    await runner.release();
    await wokenTimes(2);
    expect((await outbox.scan(10)).rows.map((row) => row.id)).toEqual([id]);
  });

  it('is not woken by writers that do not notify, nor by another namespace', async () => {
    await listener.start();
    await database.outbox({ namespace }).outbox.write(database.ask, ['a:1']);
    await database.outbox({ notify: true }).outbox.write(database.ask, ['a:1']);
    // Notices arrive in the order of their commits, so the next one proves that there was none before it.
    await database.outbox({ namespace, notify: true }).outbox.write(database.ask, ['a:1']);
    await wokenTimes(2);
    expect(woken).toBe(2);
  });

  it('connects again when its connection is lost, and is woken for what it missed', async () => {
    await listener.start();
    await database.source.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN ${wakeChannel(namespace)}'`,
    );
    while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual([{ kind: 'outboxFailed', operation: 'listen', error: 'the connection was lost' }]);
    clock.advance(1000);
    await wokenTimes(2);
    await database.outbox({ namespace, notify: true }).outbox.write(database.ask, ['a:1']);
    await wokenTimes(3);
    expect(woken).toBe(3);
  });

  it('that cannot listen says so, tries again later and later, and stops when it is closed', async () => {
    let attempts = 0;
    listener = listen(() => {
      attempts += 1;
      throw new Error('no connection');
    });
    await listener.start();
    for (const pause of [1000, 2000, 4000]) {
      clock.advance(pause - 1);
      const before = attempts;
      clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
      expect(attempts).toBe(before + 1);
    }
    expect(events).toHaveLength(4);
    await listener.close();
    expect(clock.waiting).toBe(0);
  });

  it('leaves no connection that listens behind', async () => {
    await listener.start();
    await listener.close();
    // All connections of the pool, the one that listened among them.
    const runners = Array.from({ length: 4 }, () => database.source.createQueryRunner());
    const channels = runners.map((runner) => runner.query('SELECT pg_listening_channels()'));
    expect(await Promise.all(channels)).toEqual([[], [], [], []]);
    await Promise.all(runners.map((runner) => runner.release()));
  });

  it('closed while it connects gives the connection back', async () => {
    const starting = listener.start();
    await listener.close();
    await starting;
    expect(woken).toBe(0);
    expect(clock.waiting).toBe(0);
    const runners = Array.from({ length: 4 }, () => database.source.createQueryRunner());
    const channels = runners.map((runner) => runner.query('SELECT pg_listening_channels()'));
    expect(await Promise.all(channels)).toEqual([[], [], [], []]);
    await Promise.all(runners.map((runner) => runner.release()));
  });

  it('refuses a driver without a PostgreSQL client', async () => {
    listener = listen(() => ({ connect: async () => ({}), query: async () => [], release: async () => undefined }));
    await listener.start();
    expect(events).toEqual([expect.objectContaining({ error: expect.stringMatching(/no PostgreSQL client/) })]);
  });
});
