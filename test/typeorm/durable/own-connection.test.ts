// The sweeper has a connection of its own, so that readers who wait for its watermark do not stand in front of it.
import { EventEmitter, once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { OwnConnection, poolSizeOf, type OwnRunner } from '../../../src/sql/own-connection.js';
import { systemClock } from '../../../src/contract/clock.js';
import { FakeClock } from '../../fakes/fake-clock.js';
import { eventually } from '../../support/eventually.js';
import { Lab, warm } from './support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open('own_connection');
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());
afterEach(() => lab.closeNodes());

describe('a pool that is used up', () => {
  it('does not keep the sweeper waiting', async () => {
    const node = await lab.node({ source: { extra: { max: 4 } } as object });
    await warm(node);
    const held = Array.from({ length: 3 }, () => node.db.createQueryRunner());
    await Promise.all(held.map((runner) => runner.query('SELECT 1')));
    const queued = Array.from({ length: 20 }, () => node.db.query('SELECT pg_sleep(60)').catch(() => 'given up'));
    const before = (await node.reports.health()).outbox?.lastSuccess ?? 0;
    await eventually('another sweep', async () => ((await node.reports.health()).outbox?.lastSuccess ?? 0) > before);
    expect(node.eventsOf('sweepFailed')).toEqual([]);
    // Ends what waits, as far as it has begun.
    await Promise.all(held.map((runner) => runner.release()));
    const sleeping = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND datname = current_database()`;
    let left = queued.length;
    for (const one of queued) void one.then(() => (left -= 1));
    await eventually('an empty queue', async () => {
      await lab.outside.query(sleeping);
      return left === 0;
    });
  });

  it('of two connections is left to the application', async () => {
    const node = await lab.node({ source: { extra: { max: 2 } } as object });
    await warm(node);
    const both = [node.db.createQueryRunner(), node.db.createQueryRunner()];
    expect(await Promise.all(both.map((runner) => runner.query('SELECT 1 AS one')))).toHaveLength(2);
    await Promise.all(both.map((runner) => runner.release()));
  });

  it('never hands a connection that was cut to who waits for one', async () => {
    const db = await new DataSource({ ...lab.options, extra: { max: 1 } } as DataSourceOptions).initialize();
    const own = new OwnConnection({ createRunner: () => db.createQueryRunner(), patienceMs: 50, clock: systemClock });
    const asking = own.ask('SELECT pg_sleep(60)').catch((error: Error) => error.message);
    const waiting = Array.from({ length: 3 }, () => db.query('SELECT 1 AS one'));
    expect(await asking).toMatch('50 ms');
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => [{ one: 1 }]));
    await own.close();
    await db.destroy();
  });

  it('ends although the cache was closed, or had waited long enough, while it was being given a connection', async () => {
    const options = { ...lab.options, extra: { max: 1 } } as DataSourceOptions;
    const make = (db: DataSource, patienceMs: number) =>
      new OwnConnection({ createRunner: () => db.createQueryRunner(), patienceMs, clock: systemClock });

    const closed = await new DataSource(options).initialize();
    const asking = make(closed, 20_000);
    const asked = asking.ask('SELECT 1');
    await Promise.all([asking.close(), asked]);
    await closed.destroy();

    const used = await new DataSource(options).initialize();
    const holder = used.createQueryRunner();
    await holder.query('SELECT 1');
    const impatient = make(used, 50);
    await expect(impatient.ask('SELECT 1')).rejects.toThrow('50 ms');
    await holder.release();
    await used.query('SELECT 1');
    await impatient.close();
    await used.destroy();
  });

  it('ends with the DataSource, whether the cache was closed before or not', async () => {
    const node = await lab.node();
    await warm(node);
    await node.db.destroy();
    await node.db.initialize();
    expect(node.db.isInitialized).toBe(true);
    await eventually('sweeps again', async () => (await node.reports.health()).state === 'ready');
  });
});

describe('one connection', () => {
  const runner = (query: OwnRunner['query']) => {
    const destroyed: string[] = [];
    const stream = Object.assign(new EventEmitter(), {
      destroy: () => {
        destroyed.push('cut');
        setImmediate(() => stream.emit('close'));
      },
    });
    const release = async () => void destroyed.push('released');
    return { query, release, destroyed, databaseConnection: { connection: { stream } } };
  };
  const over = (...runners: OwnRunner[]) => {
    const clock = new FakeClock();
    const createRunner = () => runners.shift() as OwnRunner;
    return { clock, own: new OwnConnection({ createRunner, patienceMs: 4000, clock }) };
  };

  it('is kept as long as it answers', async () => {
    const first = runner(async (sql) => sql);
    const { own, clock } = over(first);
    expect([await own.ask('a'), await own.ask('b')]).toEqual(['a', 'b']);
    expect([first.destroyed, clock.waiting]).toEqual([[], 0]);
    await own.close();
    expect(first.destroyed).toEqual(['released']);
    await expect(own.ask('c')).rejects.toThrow('closed');
  });

  it('that fails is cut, because it may be closing, and the next statement takes another', async () => {
    const first = runner(() => Promise.reject(new Error('terminated')));
    const { own } = over(
      first,
      runner(async () => 'answer'),
    );
    await expect(own.ask('a')).rejects.toThrow('terminated');
    await once(first.databaseConnection.connection.stream, 'close');
    await new Promise(setImmediate);
    expect(first.destroyed).toEqual(['cut', 'released']);
    expect(await own.ask('b')).toBe('answer');
  });

  it('RACE two statements fail on it: it is given back once, and what somebody else has by then is left alone', async () => {
    const first = runner((sql) =>
      sql === 'a' ? Promise.reject(new Error('terminated')) : new Promise(() => undefined),
    );
    const { own, clock } = over(first);
    const failing = own.ask('a').catch((error: Error) => error.message);
    const hanging = own.ask('b').catch((error: Error) => error.message);
    expect(await failing).toBe('terminated');
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(first.destroyed).toEqual(['cut', 'released']);
    clock.advance(4000);
    expect(await hanging).toMatch('4000 ms');
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(first.destroyed).toEqual(['cut', 'released']);
  });

  it('that does not answer is cut, so that nobody gets it from the pool', async () => {
    const first = runner(() => new Promise(() => undefined));
    const { own, clock } = over(
      first,
      runner(async () => 'answer'),
    );
    const asking = own.ask('a').catch((error: Error) => error.message);
    clock.advance(4000);
    expect(await asking).toMatch('4000 ms');
    expect(first.destroyed).toEqual(['cut']);
    await once(first.databaseConnection.connection.stream, 'close');
    await new Promise(setImmediate);
    expect(first.destroyed).toEqual(['cut', 'released']);
    expect(await own.ask('b')).toBe('answer');
  });

  it('knows the size of the pools of both drivers', () => {
    expect(poolSizeOf({ master: { options: { max: 7 } } })).toBe(7);
    expect(poolSizeOf({ pool: { config: { connectionLimit: 5 } } })).toBe(5);
    expect(poolSizeOf({})).toBeUndefined();
  });
});
