// Faults around the commit: lost connections, lost answers, dirty connections, small pools, throwing neighbours.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource, type EntitySubscriberInterface } from 'typeorm';
import { entities, Grade, Student, Submission } from './support/entities.js';
import { startProxy, type Proxy } from './support/proxy.js';
import { openSchool, schoolRules, type School } from './support/school.js';
import { TypeormPlugin } from '../../src/typeorm/plugin.js';
import { Recorder } from './support/recorder.js';

let school: School;
let db: DataSource;

beforeAll(async () => {
  school = await openSchool('faults');
  db = school.dataSource;
});
afterAll(() => school.close());
beforeEach(() => school.seed());

const work = (n: number): string[] => [`parent:${n}`, `student:${n}`, 'table:submission'];
const coarseWork = ['parent:*', 'student:*', 'table:submission'];
/** Without a connection to ask, only what the row itself does not say is coarse. */
const unaskedWork = ['parent:*', 'student:1', 'table:submission'];

describe('§9.9 the connection dies around COMMIT', () => {
  it('backend killed before COMMIT: treated as possibly committed, at once and once more', async () => {
    const runner = db.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.save(Submission, { id: 1, text: 'lost' });
    const [{ pid }] = await runner.query('SELECT pg_backend_pid() AS pid');
    const client = (runner as unknown as { databaseConnection: NodeJS.EventEmitter }).databaseConnection;
    const gone = new Promise((resolve) => client.once('error', resolve));
    await db.query('SELECT pg_terminate_backend($1)', [pid]);
    await gone;
    await expect(runner.commitTransaction()).rejects.toThrow();
    await runner.rollbackTransaction().catch(() => undefined);
    expect(school.recorder.flushes).toEqual([{ cause: 'rollback', tags: unaskedWork }]);
    expect(school.recorder.tracked.at(-1)).toBe('ended');
    school.recorder.clock.advance(1000);
    await school.recorder.reaches(2);
    expect(school.recorder.causes).toEqual(['rollback', 'rollback']);
    await runner.release().catch(() => undefined);
  });

  /** A DataSource behind a proxy, with a recorder of its own. */
  async function behindProxy<T>(
    task: (behind: DataSource, proxy: Proxy, recorder: Recorder) => Promise<T>,
  ): Promise<void> {
    const url = new URL(school.url);
    const proxy = await startProxy(url.hostname, Number(url.port || 5432));
    url.port = String(proxy.port);
    const behind = await new DataSource({ type: 'postgres', url: url.href, entities }).initialize();
    const recorder = new Recorder();
    const { emit, clock } = recorder;
    await schoolRules(new TypeormPlugin({ invalidator: recorder, transactions: recorder, emit, clock })).connect(
      behind,
    );
    try {
      await task(behind, proxy, recorder);
    } finally {
      await proxy.close();
      await behind.destroy().catch(() => undefined);
    }
  }

  it('COMMIT executed, its answer lost: invalidated although the caller saw an error', () =>
    behindProxy(async (behind, proxy, recorder) => {
      const attempt = behind.transaction(async (manager) => {
        await manager.save(Submission, { id: 1, text: 'durable' });
        proxy.loseAnswerTo('COMMIT');
      });
      await expect(attempt).rejects.toThrow();
      expect(recorder.flushes).toEqual([{ cause: 'rollback', tags: unaskedWork }]);
      expect(await db.query('SELECT text FROM submission WHERE id = 1')).toEqual([{ text: 'durable' }]);
    }));

  it('an autocommitted statement executed, its answer lost: the same, and once more', () =>
    behindProxy(async (behind, proxy, recorder) => {
      proxy.loseAnswerTo('UPDATE');
      await expect(behind.manager.update(Submission, 1, { text: 'durable' })).rejects.toThrow();
      expect(recorder.flushes).toEqual([{ cause: 'rollback', tags: coarseWork }]);
      expect(await db.query('SELECT text FROM submission WHERE id = 1')).toEqual([{ text: 'durable' }]);
      recorder.clock.advance(1000);
      await recorder.reaches(2);
    }));
});

describe('§9.9 dirty connections', () => {
  it('a connection that brings an open transaction along costs everything at its commit', async () => {
    const one = await new DataSource({ type: 'postgres', url: school.url, entities, poolSize: 1 }).initialize();
    await school.plugin.connect(one);
    // An application that releases its runner without ending the transaction.
    const careless = one.createQueryRunner();
    await careless.startTransaction();
    await careless.manager.save(Submission, { id: 1, text: 'left open' });
    await careless.release();
    expect(school.recorder.flushes).toEqual([]);
    await one.transaction((manager) => manager.query('SELECT 1'));
    expect(school.recorder.flushes).toEqual([{ cause: 'commit', tags: ['*'] }]);
    expect(await db.query('SELECT text FROM submission WHERE id = 1')).toEqual([{ text: 'left open' }]);
    school.plugin.disconnect(one);
    await one.destroy();
  });

  it('a raw COMMIT of a transaction that nobody saw begin costs everything', async () => {
    const one = await new DataSource({ type: 'postgres', url: school.url, entities, poolSize: 1 }).initialize();
    await school.plugin.connect(one);
    const careless = one.createQueryRunner();
    await careless.startTransaction();
    await careless.manager.save(Submission, { id: 1, text: 'left open' });
    await careless.release();
    await one.query('COMMIT');
    expect(school.recorder.flushes).toEqual([{ cause: 'raw', tags: ['*'] }]);
    school.plugin.disconnect(one);
    await one.destroy();
  });
});

describe('§9.1 one connection', () => {
  it('poolSize 1: look-ups use the connection of the write and never wait for another', async () => {
    const one = await new DataSource({
      type: 'postgres',
      url: school.url,
      entities,
      poolSize: 1,
      extra: { connectionTimeoutMillis: 2000 },
    }).initialize();
    await school.plugin.connect(one);
    await one.manager.save(Submission, { id: 1, text: 'x' });
    await one.manager.insert(Submission, { text: 'y', studentId: 2 });
    await one.manager.remove(await one.manager.findOneByOrFail(Grade, { id: 1 }));
    await one.transaction((manager) => manager.save(Student, { id: 2, name: 'z' }));
    expect(school.recorder.eventsOf('cascadeFailed')).toEqual([]);
    expect(school.recorder.flushes).toHaveLength(4);
    school.plugin.disconnect(one);
    await one.destroy();
  });
});

describe('§9.1 throwing neighbours', () => {
  const neighbours: EntitySubscriberInterface[] = [];
  const add = (subscriber: EntitySubscriberInterface): void => {
    neighbours.push(subscriber);
    db.subscribers.push(subscriber);
  };
  afterEach(() => {
    for (const one of neighbours.splice(0)) db.subscribers.splice(db.subscribers.indexOf(one), 1);
  });
  const failure = new Error('neighbour');
  const fail = (): never => {
    throw failure;
  };

  it('a synchronous throw in afterTransactionCommit does not hide the commit', async () => {
    add({ afterTransactionCommit: fail });
    await expect(db.manager.save(Submission, { id: 1, text: 'x' })).rejects.toBe(failure);
    await school.recorder.reaches(1);
    expect(school.recorder.tags).toEqual(work(1));
  });

  it('a throw in afterUpdate rolls back: nothing', async () => {
    add({ afterUpdate: fail });
    await expect(db.manager.save(Submission, { id: 1, text: 'x' })).rejects.toBe(failure);
    expect(school.recorder.flushes).toEqual([]);
  });

  it('a throw in afterUpdate of an autocommitted write: invalidated, the row is there', async () => {
    add({ afterUpdate: fail });
    await expect(db.manager.update(Submission, 1, { text: 'x' })).rejects.toBe(failure);
    await school.recorder.reaches(1);
    expect(school.recorder.tags).toEqual(coarseWork);
  });

  it('a throw in afterQuery of an autocommitted insert swallows its event, not the invalidation', async () => {
    add({
      afterQuery: async (event) => {
        if (event.query.startsWith('INSERT')) throw failure;
      },
    });
    await expect(db.manager.insert(Submission, { text: 'x', studentId: 1 })).rejects.toBe(failure);
    await school.recorder.reaches(1);
    expect(school.recorder.tags).toEqual(coarseWork);
  });

  it('the same on a runner that stays open', async () => {
    add({
      afterQuery: async (event) => {
        if (event.query.startsWith('INSERT')) throw failure;
      },
    });
    const runner = db.createQueryRunner();
    await expect(runner.manager.insert(Submission, { text: 'x', studentId: 1 })).rejects.toBe(failure);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    school.recorder.clock.advance(250);
    await school.recorder.reaches(1);
    expect(school.recorder.tags).toEqual(coarseWork);
    await runner.release();
  });

  it('a throw in afterQuery of COMMIT: the data is there, so it is invalidated', async () => {
    add({
      afterQuery: async (event) => {
        if (event.query === 'COMMIT') throw failure;
      },
    });
    await expect(db.manager.save(Submission, { id: 1, text: 'x' })).rejects.toBe(failure);
    expect(school.recorder.tags).toEqual(unaskedWork);
    expect(await db.query('SELECT text FROM submission WHERE id = 1')).toEqual([{ text: 'x' }]);
  });

  it('a failed statement whose error the host swallows in its own transaction', async () => {
    add({
      afterQuery: async (event) => {
        if (event.query.startsWith('UPDATE "submission"')) throw failure;
      },
    });
    await db.transaction(async (manager) => {
      await manager.save(Submission, { id: 1, text: 'x' }).catch(() => undefined);
    });
    // The statement was executed and committed, its after-event never came.
    expect(school.recorder.tags).toEqual(coarseWork);
  });

  it('raw writes of a neighbour inside the events of the ORM are not taken for the ORM own', async () => {
    add({
      beforeUpdate: async (event) => {
        if (event.metadata.name === 'Submission')
          await event.queryRunner.query(`UPDATE submission SET text = 'theirs' WHERE id = 2`);
      },
    });
    await db.manager.save(Submission, { id: 1, text: 'x' });
    expect(school.recorder.tags).toEqual(expect.arrayContaining(coarseWork));
  });

  it('a save() in parts without transaction that fails half-way has invalidated its first half', async () => {
    const attempt = db.manager.save(
      Submission,
      [
        { id: 1, text: 'first' },
        { id: 2, text: 'second', studentId: 999 },
      ],
      { transaction: false },
    );
    await expect(attempt).rejects.toThrow('foreign key');
    await school.recorder.reaches(1);
    expect(school.recorder.tags).toEqual(coarseWork);
    expect(await db.query('SELECT text FROM submission WHERE id = 1')).toEqual([{ text: 'first' }]);
  });

  it('an invalidator that fails breaks nothing', async () => {
    school.recorder.during = () => Promise.reject(failure);
    await db.manager.save(Submission, { id: 1, text: 'x' });
    expect(school.recorder.eventsOf('invalidateFailed')).toHaveLength(1);
  });
});
