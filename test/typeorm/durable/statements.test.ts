// Statements outside transactions: an announcement is committed before each of them, and taken back after it.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource, EntityManager } from 'typeorm';
import { OWN } from '../../../src/typeorm/typeorm-like.js';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';

let lab: Lab;
let node: Node;
beforeAll(async () => {
  lab = await Lab.open('durable_statements');
  // Whoever writes a grade waits until nobody holds this lock: a statement stands still where a test wants it.
  await lab.outside.query(`CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$`);
  await lab.outside.query(`CREATE TRIGGER wait_here BEFORE INSERT OR UPDATE OR DELETE ON grade
    FOR EACH STATEMENT EXECUTE FUNCTION wait_here()`);
});
afterAll(() => lab.close());
beforeEach(async () => {
  await lab.reset();
  node = await lab.node();
  await warm(node);
});
afterEach(() => lab.closeNodes());

const noRows = () => eventually('an empty outbox', async () => (await lab.rows()).length === 0);

/** Holds all statements on grades; resolves with how to let them go. */
async function holdStatements(): Promise<() => Promise<void>> {
  const holder = lab.outside.createQueryRunner();
  await holder.query('SELECT pg_advisory_lock(4711)');
  return async () => {
    await holder.query('SELECT pg_advisory_unlock(4711)');
    await holder.release();
  };
}

const held = (count: number) =>
  eventually(`${count} statements that wait`, async () => {
    const [row] = (await lab.outside.query(
      `SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )) as [{ waiting: number }];
    return row.waiting === count;
  });

const COARSE = 'student:* table:grade tutor:*';
type Write = (manager: EntityManager, db: DataSource) => Promise<unknown>;
const WRITES: readonly (readonly [string, Write])[] = [
  ['update by criteria', (manager) => manager.update(Grade, { studentId: 1 }, { score: 99 })],
  ['insert', (manager) => manager.insert(Grade, { id: 9, studentId: 1, score: 99 })],
  ['upsert', (manager) => manager.upsert(Grade, { id: 1, studentId: 1, score: 99 }, ['id'])],
  ['delete by criteria', (manager) => manager.delete(Grade, { studentId: 1 })],
  ['increment', (manager) => manager.increment(Grade, { id: 1 }, 'score', 5)],
  [
    'a query builder',
    (manager) => manager.createQueryBuilder().update(Grade).set({ score: 99 }).where('id = 1').execute(),
  ],
  ['raw SQL', (_, db) => db.query('UPDATE grade SET score = 99 WHERE id = 1')],
  ['save() without its transaction', (manager) => manager.save(Grade, { id: 1, studentId: 1, score: 99 }, { transaction: false })], // prettier-ignore
];

describe.each(WRITES)('%s', (_name, write) => {
  it('announces itself before the statement, and withdraws when it is in force', async () => {
    const letGo = await holdStatements();
    const writing = write(node.db.manager, node.db);
    await held(1);
    expect(await lab.rows()).toEqual([{ tags: COARSE, intent: true }]);
    await letGo();
    await writing;
    expect((await node.read()).scores).not.toEqual([10]);
    await noRows();
    expect(node.eventsOf('outboxFailed')).toEqual([]);
  });
});

describe('faults', () => {
  it('a refused statement takes its announcement back, and the cache stays warm', async () => {
    await expect(node.db.manager.insert(Grade, { id: 1, studentId: 1, score: 0 })).rejects.toThrow('duplicate key');
    await expect(node.db.query('UPDATE grade SET nothing = 1')).rejects.toThrow('does not exist');
    await noRows();
    expect(node.eventsOf('invalidate')).toEqual([]);
    expect(await node.read()).toEqual({ scores: [10], hit: true });
  });

  it('RACE crash during a statement: sweeps invalidate while it is young, also after it has taken effect', async () => {
    const other = await lab.node({ cache: { lambda: '300ms' } });
    const letGo = await holdStatements();
    // What the dying process would do is held back: it neither invalidates nor sweeps any more.
    const bump = node.redis.hold('bump');
    const observe = node.redis.hold('observe');
    const writing = node.db.manager.update(Grade, { id: 1 }, { score: 99 });
    await held(1);
    await eventually(
      'a sweep before the statement',
      () =>
      other.eventsOf('invalidate').length + other.eventsOf('swept').length > 0 || other.reports.health().then(({ outbox }) => outbox?.waiting === 1), // prettier-ignore
    );
    expect((await other.read()).scores).toEqual([10]);
    await letGo();
    await eventually('the statement', async () => (await lab.score()) === 99);
    await eventually('a report without the old score', async () => (await other.read()).scores[0] === 99);
    expect(await lab.rows()).toEqual([{ tags: COARSE, intent: true }]);
    observe.open();
    bump.open();
    await writing;
    await noRows();
  });

  it('RACE two statements on one runner: the row of the one is not taken out by the invalidation of the other', async () => {
    const runner = node.db.createQueryRunner();
    let confirm = (): void => undefined;
    const confirmed = new Promise<void>((resolve) => (confirm = resolve));
    // Keeps TypeORM from telling of the first statement, which has been executed.
    node.db.subscribers.push({
      afterQuery: async ({ query }) => {
        if (query.startsWith('UPDATE "grade"')) await confirmed;
      },
    });
    const first = runner.manager.update(Grade, { id: 1 }, { score: 99 });
    await eventually('the statement', async () => (await lab.score()) === 99);
    await runner.query('UPDATE student SET "tutorId" = 1 WHERE id = 2');
    // Rows go in the order in which they were told: with this one all before it are gone.
    await node.db.query('UPDATE student SET "tutorId" = 1 WHERE id = 1');
    await eventually('the last row gone', async () => (await lab.rows()).length <= 2);
    expect(await lab.rows()).toContainEqual({ tags: COARSE, intent: true });
    confirm();
    await first;
    await runner.release();
    expect((await node.read()).scores).toEqual([99]);
    await noRows();
  });

  it('many at once on the pool, each with its own announcement', async () => {
    const letGo = await holdStatements();
    const writing = Promise.all(
      [1, 2, 3].map((n) => node.db.manager.update(Grade, { id: (n % 2) + 1 }, { score: n * 100 })),
    );
    await held(3);
    expect(await lab.rows()).toHaveLength(3);
    await letGo();
    await writing;
    await noRows();
  });

  it('on a connection that stands in somebody else’s transaction nothing is announced there', async () => {
    const single = await lab.node({ source: { poolSize: 1 } });
    const careless = single.db.createQueryRunner();
    await careless.startTransaction();
    await careless.query('SELECT 1');
    await careless.release();
    // Seen from inside that transaction, before anything could take it out again.
    const seen: unknown[] = [];
    single.db.subscribers.push({
      afterQuery: async ({ query, queryRunner }) => {
        if (!query.startsWith('UPDATE "grade"')) return;
        const mine = `${OWN}SELECT * FROM report_cache_outbox WHERE namespace = '${lab.namespace}'`;
        seen.push(await queryRunner.query(mine));
      },
    });
    await single.db.manager.update(Grade, { id: 1 }, { score: 99 });
    expect(single.eventsOf('outboxFailed')).toEqual([]);
    expect(seen).toEqual([[]]);
    await single.db.query('ROLLBACK');
    expect(await lab.score()).toBe(10);
  });

  it('SELECT of a function that may write announces itself although TypeORM calls its runner a replica’s', async () => {
    await lab.outside.query(`CREATE OR REPLACE FUNCTION give(points int) RETURNS int LANGUAGE plpgsql AS
      $$ BEGIN UPDATE grade SET score = points WHERE id = 1; RETURN points; END $$`);
    const letGo = await holdStatements();
    const writing = node.db.manager.createQueryBuilder().select('give(77)', 'given').from(Grade, 'g').where('g.id = 1').getRawMany(); // prettier-ignore
    await held(1);
    expect(await lab.rows()).toEqual([{ tags: '*', intent: true }]);
    await letGo();
    await writing;
    expect((await node.read()).scores).toEqual([77]);
    await noRows();
  });

  it('a transaction in one string is announced as a whole', async () => {
    const letGo = await holdStatements();
    const writing = node.db.query('BEGIN; UPDATE grade SET score = 66 WHERE id = 1; COMMIT');
    await held(1);
    expect(await lab.rows()).toEqual([{ tags: COARSE, intent: true }]);
    await letGo();
    await writing;
    expect((await node.read()).scores).toEqual([66]);
    await noRows();
  });
});

describe('one connection for everything (poolSize 1)', () => {
  it('an announcement does not wait for the disk, and leaves that setting to itself', async () => {
    const runner = node.db.createQueryRunner();
    await runner.manager.update(Grade, { id: 1 }, { score: 30 });
    expect(await runner.query('SHOW synchronous_commit')).toEqual([{ synchronous_commit: 'on' }]);
    await runner.release();
  });

  it('statements, transactions and look-ups wait for no other connection', async () => {
    const single = await lab.node({ cache: { mark: true }, source: { poolSize: 1 } });
    await single.db.manager.update(Grade, { id: 1 }, { score: 30 });
    await single.db.transaction(async (manager) => {
      await manager.save(Grade, { id: 1, studentId: 1, score: 31 });
    });
    await single.db.manager.remove(await single.db.manager.findOneByOrFail(Grade, { id: 2 }));
    expect((await single.read()).scores).toEqual([31]);
    expect(single.eventsOf('outboxFailed')).toEqual([]);
    await noRows();
  });

  it('a writer whose Redis is away hears over his own connection that another process was faster', async () => {
    const single = await lab.node({ source: { poolSize: 1 }, cache: { redisDeadline: '50ms', lambda: '60s' } });
    const observe = single.redis.hold('observe');
    const bump = single.redis.hold('bump');
    const writing = single.db.manager.save(Grade, { id: 1, studentId: 1, score: 99 });
    await bump.arrived;
    await (await lab.node({ cache: { lambda: '300ms' } })).read();
    await writing;
    expect(single.eventsOf('released')).toEqual([]);
    expect((await node.read()).scores).toEqual([99]);
    observe.open();
    bump.open();
  });
});
