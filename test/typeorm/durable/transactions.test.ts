// Transactions: the outbox row shares their fate, and is gone when its invalidation is in force.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { EntitySubscriberInterface } from 'typeorm';
import { OWN } from '../../../src/typeorm/typeorm-like.js';
import { startProxy } from '../support/proxy.js';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';

let lab: Lab;
let node: Node;
beforeAll(async () => {
  lab = await Lab.open('durable_tx');
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());
afterEach(() => lab.closeNodes());

const grade = (score: number) => ({ id: 1, studentId: 1, score });
const noRows = () => eventually('an empty outbox', async () => (await lab.rows()).length === 0);
const count = (where: { query(sql: string): Promise<unknown> }) =>
  where.query(`${OWN}SELECT 1 FROM report_cache_outbox WHERE namespace = '${lab.namespace}'`) as Promise<unknown[]>;

/** The rows of the outbox at the last moment before COMMIT: inside the transaction and outside of it. */
function lookBeforeCommit({ db }: Node): { readonly inside: number[]; readonly outside: number[] } {
  const seen = { inside: [] as number[], outside: [] as number[] };
  const subscriber: EntitySubscriberInterface = {
    beforeQuery: async ({ query, queryRunner }) => {
      if (query !== 'COMMIT') return;
      await eventually('the row', async () => (await count(queryRunner)).length > 0);
      seen.inside.push((await count(queryRunner)).length);
      seen.outside.push((await lab.rows()).length);
    },
  };
  db.subscribers.push(subscriber);
  return seen;
}

describe('a row in the same transaction', () => {
  beforeEach(async () => {
    node = await lab.node();
    await warm(node);
  });

  it('is written before COMMIT, seen outside after it, and gone when Redis has been told', async () => {
    const seen = lookBeforeCommit(node);
    const bump = node.redis.hold('bump');
    const writing = node.db.manager.save(Grade, grade(99));
    await bump.arrived;
    expect(seen).toEqual({ inside: [1], outside: [0] });
    // The look-up comes after COMMIT; before it the row says what it can without asking.
    expect(await lab.rows()).toEqual([{ tags: 'student:1 table:grade tutor:*', intent: false }]);
    bump.open();
    await writing;
    expect((await node.read()).scores).toEqual([99]);
    await noRows();
    expect(node.eventsOf('outboxFailed')).toEqual([]);
  });

  it('is one for a transaction with savepoints and raw SQL, with the tags of all', async () => {
    const bump = node.redis.hold('bump');
    const writing = node.db.transaction(async (manager) => {
      await manager.transaction((inner) => inner.save(Grade, grade(98)));
      await manager.query('UPDATE grade SET score = 97 WHERE id = 2');
    });
    await bump.arrived;
    expect(await lab.rows()).toEqual([{ tags: 'student:* table:grade tutor:*', intent: false }]);
    bump.open();
    await writing;
    await noRows();
  });

  it('is written before a raw COMMIT too', async () => {
    const seen = lookBeforeCommit(node);
    const runner = node.db.createQueryRunner();
    await runner.query('BEGIN');
    await runner.query('UPDATE grade SET score = 96 WHERE id = 1');
    await runner.query('COMMIT');
    await runner.release();
    expect(seen).toEqual({ inside: [1], outside: [0] });
    expect((await node.read()).scores).toEqual([96]);
    await noRows();
  });

  it('is not written by a transaction that only reads', async () => {
    await node.db.transaction((manager) => manager.find(Grade));
    expect(node.eventsOf('invalidate')).toEqual([]);
    expect((await node.read()).hit).toBe(true);
  });
});

describe('nothing was stored: no row, no mark, and the cache is still warm', () => {
  beforeEach(async () => {
    node = await lab.node({ cache: { mark: true } });
    await warm(node);
  });
  const assertWarm = async () => {
    await noRows();
    expect(node.eventsOf('invalidate')).toEqual([]);
    expect(node.eventsOf('outboxFailed')).toEqual([]);
    expect((await node.reports.health()).pending).toBe(0);
    expect(await node.redis.client.hkeys(`{${lab.namespace}}:x`)).not.toContain('student:1');
    expect(await node.read()).toEqual({ scores: [10], hit: true });
  };

  it('rolled back', async () => {
    const attempt = node.db.transaction(async (manager) => {
      await manager.save(Grade, grade(99));
      throw new Error('changed my mind');
    });
    await expect(attempt).rejects.toThrow('changed my mind');
    await assertWarm();
  });

  it('the inner transaction rolled back', async () => {
    await node.db.transaction(async (manager) => {
      const inner = manager.transaction(async (inside) => {
        await inside.save(Grade, grade(99));
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
    });
    await assertWarm();
  });

  it('the server answers COMMIT with ROLLBACK', async () => {
    // Several times: the client knows by chance only that the transaction has failed when its caller is told.
    for (let time = 0; time < 10; time += 1)
      await node.db.transaction(async (manager) => {
        await manager.save(Grade, grade(99));
        await manager.query('SELECT 1 / 0').catch(() => undefined);
      });
    await assertWarm();
  });

  it('COMMIT fails on a deferred constraint', async () => {
    await lab.outside.query(
      'ALTER TABLE grade ADD CONSTRAINT later FOREIGN KEY ("studentId") REFERENCES student (id) DEFERRABLE INITIALLY DEFERRED',
    );
    await lab.outside.query(`DO $$ DECLARE one text; BEGIN
      FOR one IN SELECT conname FROM pg_constraint WHERE conrelid = 'grade'::regclass AND contype = 'f' AND conname <> 'later'
      LOOP EXECUTE format('ALTER TABLE grade DROP CONSTRAINT %I', one); END LOOP; END $$`);
    const attempt = node.db.transaction(async (manager) => {
      await manager.save(Grade, grade(99));
      await manager.query('UPDATE grade SET "studentId" = 999 WHERE id = 2');
    });
    await expect(attempt).rejects.toThrow('foreign key');
    // The same by hand: the runner is not taken to be still in its transaction.
    const runner = node.db.createQueryRunner();
    await runner.query('BEGIN');
    await runner.query('UPDATE grade SET "studentId" = 999 WHERE id = 2');
    await expect(runner.query('COMMIT')).rejects.toThrow('foreign key');
    await runner.release();
    await assertWarm();
  });

  it('Redis does not take the mark, and the host prefers no write (ERC_MARK)', async () => {
    const strict = await lab.node({ cache: { mark: true, onMarkError: 'abort' } });
    strict.redis.refuse('mark');
    await expect(strict.db.manager.save(Grade, grade(99))).rejects.toMatchObject({ code: 'ERC_MARK' });
    expect(strict.eventsOf('markFailed')).toMatchObject([{ aborted: true }]);
    expect(await lab.score()).toBe(10);
    const runner = strict.db.createQueryRunner();
    expect(await runner.query('SELECT pg_current_xact_id_if_assigned() AS xid')).toEqual([{ xid: null }]);
    await runner.release();
    await assertWarm();
  });
});

it('RACE lost answer to COMMIT: invalidated at once, and its row is there for the sweeper until it has swept', async () => {
  const { url } = lab.options as { url: string };
  const server = new URL(url);
  const proxy = await startProxy(server.hostname, Number(server.port || 5432));
  server.port = String(proxy.port);
  node = await lab.node();
  const behind = await lab.node({ source: { url: server.href } as object });
  await warm(node, behind);
  const bump = behind.redis.hold('bump');
  const live = node.redis.hold('observe');
  const attempt = behind.db.transaction(async (manager) => {
    await manager.save(Grade, grade(99));
    proxy.loseAnswerTo('COMMIT');
  });
  const failed = attempt.then(
    () => false,
    () => true,
  );
  await bump.arrived;
  expect(await lab.score()).toBe(99);
  expect(await lab.rows()).toHaveLength(1);
  bump.open();
  expect(await failed).toBe(true);
  expect((await node.read()).scores).toEqual([99]);
  expect(await lab.rows()).toHaveLength(1);
  live.open();
  await noRows();
  await proxy.close();
  await behind.db.destroy().catch(() => undefined);
});
