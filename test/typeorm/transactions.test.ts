// When a write is invalidated: after the real commit, never for what was rolled back, and never twice without need.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { Course, Grade, Student, Submission } from './support/entities.js';
import { openSchool, type School } from './support/school.js';

let school: School;
let db: DataSource;
/** Sees what other connections see. */
let other: DataSource;

beforeAll(async () => {
  school = await openSchool('transactions');
  db = school.dataSource;
  other = await new DataSource({ type: 'postgres', url: school.url }).initialize();
});
afterAll(async () => {
  await other.destroy();
  await school.close();
});
beforeEach(() => school.seed());

const flushes = (): readonly (readonly string[])[] => school.recorder.flushes.map((flush) => flush.tags);
const work = (n: number): string[] => [`parent:${n}`, `student:${n}`, 'table:submission'];
const write = (manager: EntityManager, n: number): Promise<unknown> =>
  manager.save(Submission, { id: n, text: `changed ${Math.random()}` });
const failure = new Error('rolled back on purpose');

describe('§9.8 flush', () => {
  it('waits for the real commit, and the caller waits for the flush', async () => {
    const seen: unknown[] = [];
    school.recorder.during = async () => {
      seen.push(await other.query(`SELECT text FROM submission WHERE id = 1`));
    };
    await db.transaction(async (manager) => {
      await manager.save(Submission, { id: 1, text: 'new' });
      expect(flushes()).toEqual([]);
    });
    expect(seen).toEqual([[{ text: 'new' }]]);
    expect(school.recorder.causes).toEqual(['commit']);
  });

  it('an autocommitted write is durable and invalidated when the call returns', async () => {
    let seen: unknown;
    school.recorder.during = async () => void (seen = await other.query(`SELECT text FROM submission WHERE id = 1`));
    await db.manager.update(Submission, 1, { text: 'new' });
    expect(seen).toEqual([{ text: 'new' }]);
    expect(school.recorder.causes).toEqual(['autocommit']);
  });

  it('inner commit, outer commit: one flush with both', async () => {
    await db.transaction(async (manager) => {
      await write(manager, 1);
      await manager.transaction((inner) => write(inner, 2));
      expect(flushes()).toEqual([]);
    });
    expect(flushes()).toEqual([[...work(1), ...work(2)].filter((tag, i, all) => all.indexOf(tag) === i).sort()]);
  });

  it('inner commit, outer rollback: nothing', async () => {
    const attempt = db.transaction(async (manager) => {
      await manager.transaction((inner) => write(inner, 1));
      throw failure;
    });
    await expect(attempt).rejects.toBe(failure);
    expect(flushes()).toEqual([]);
  });

  it('inner rollback, outer commit: only what the outer wrote', async () => {
    await db.transaction(async (manager) => {
      await write(manager, 1);
      const inner = manager.transaction(async (nested) => {
        await write(nested, 2);
        throw failure;
      });
      await expect(inner).rejects.toBe(failure);
    });
    expect(flushes()).toEqual([work(1)]);
  });

  it('a write between an inner rollback and its end belongs to the outer level', async () => {
    const runner = db.createQueryRunner();
    await runner.startTransaction();
    await runner.startTransaction();
    await write(runner.manager, 2);
    const rollback = runner.rollbackTransaction();
    const later = runner.query(`UPDATE course SET title = 'x' WHERE code = 'c1'`);
    await Promise.all([rollback, later]);
    await runner.commitTransaction();
    await runner.release();
    expect(flushes()).toEqual([['course:*', 'table:course']]);
  });

  it('a write that overlaps the beginning of a savepoint is kept whatever happens to the savepoint', async () => {
    let announce: () => void = () => undefined;
    const sent = new Promise<void>((resolve) => (announce = resolve));
    const watcher = {
      beforeQuery: (event: { query: string }) => void (event.query.startsWith('UPDATE') && announce()),
    };
    db.subscribers.push(watcher);
    await db.transaction(async (manager) => {
      // The first UPDATE is executed before the savepoint, the second after it; the events come after both.
      const outer = manager.save(Submission, [
        { id: 1, text: 'before' },
        { id: 2, text: 'after' },
      ]);
      await sent;
      const inner = manager.transaction(async () => {
        await outer;
        throw failure;
      });
      await expect(inner).rejects.toBe(failure);
    });
    db.subscribers.splice(db.subscribers.indexOf(watcher), 1);
    // TypeORM 0.3 sends both at once, so there both survive.
    expect(await other.query('SELECT text FROM submission WHERE id = 1')).toEqual([{ text: 'before' }]);
    expect(school.recorder.tags).toEqual([...new Set([...work(1), ...work(2)])].sort());
  });

  it('a transaction that only reads flushes nothing', async () => {
    await db.transaction((manager) => manager.find(Student, { relations: { parents: true } }));
    expect(flushes()).toEqual([]);
  });

  it('several transactions in a row on one explicit runner are kept apart', async () => {
    const runner = db.createQueryRunner();
    for (const [n, end] of [
      [1, 'commit'],
      [2, 'rollback'],
      [2, 'commit'],
    ] as const) {
      await runner.startTransaction();
      await write(runner.manager, n);
      await (end === 'commit' ? runner.commitTransaction() : runner.rollbackTransaction());
    }
    await runner.release();
    expect(flushes()).toEqual([work(1), work(2)]);
  });

  it('writes on an explicit runner outside transactions are flushed at once', async () => {
    const runner = db.createQueryRunner();
    await runner.manager.insert(Submission, { text: 'x', studentId: 1 });
    expect(flushes()).toEqual([work(1)]);
    await runner.release();
  });

  it('a repository of the DataSource inside a transaction survives its rollback', async () => {
    const attempt = db.transaction(async () => {
      await db.manager.insert(Submission, { text: 'x', studentId: 2 });
      throw failure;
    });
    await expect(attempt).rejects.toBe(failure);
    expect(flushes()).toEqual([work(2)]);
  });

  it('a raw BEGIN holds writes back until the raw COMMIT', async () => {
    const runner = db.createQueryRunner();
    await runner.query('BEGIN');
    await runner.manager.insert(Submission, { text: 'x', studentId: 1 });
    await runner.manager.update(Course, 'c1', { title: 'y' });
    expect(flushes()).toEqual([]);
    await runner.query('COMMIT');
    expect(flushes()).toEqual([['course:*', ...work(1), 'table:course'].sort()]);
    expect(school.recorder.tracked.filter((word) => word !== 'wrote')).toEqual(['began', 'ended']);
    await runner.query('BEGIN');
    await runner.manager.insert(Submission, { text: 'x', studentId: 2 });
    await runner.query('ROLLBACK');
    await runner.release();
    expect(flushes()).toHaveLength(1);
  });

  it('what an unfinished transaction left on its runner goes when the next one begins', async () => {
    const runner = db.createQueryRunner();
    await runner.startTransaction();
    await write(runner.manager, 1);
    Object.assign(runner, { transactionDepth: 0, isTransactionActive: false });
    await runner.startTransaction();
    await runner.rollbackTransaction();
    await runner.release();
    expect(school.recorder.tags).toEqual(['parent:*', 'student:1', 'table:submission']);
  });
});

describe('§9.9 rollback', () => {
  it('a rolled-back transaction invalidates nothing', async () => {
    const attempt = db.transaction(async (manager) => {
      await write(manager, 1);
      await manager.update(Grade, 1, { score: 3 });
      await manager.query(`DELETE FROM submission`);
      throw failure;
    });
    await expect(attempt).rejects.toBe(failure);
    expect(flushes()).toEqual([]);
    expect(school.recorder.tracked).toEqual(['began', 'wrote', 'wrote', 'wrote', 'ended']);
  });

  it('a failing save() invalidates nothing', async () => {
    await expect(db.manager.save(Grade, { score: 'many' as never })).rejects.toThrow();
    expect(flushes()).toEqual([]);
  });

  it('COMMIT that fails on a deferred constraint was refused by the server: nothing', async () => {
    await db.query(`ALTER TABLE grade ALTER CONSTRAINT "${await studentKey()}" DEFERRABLE INITIALLY DEFERRED`);
    school.recorder.reset();
    const attempt = db.transaction((manager) =>
      manager.query(`INSERT INTO grade (score, "studentId") VALUES (1, 999)`),
    );
    await expect(attempt).rejects.toThrow('foreign key');
    expect(school.recorder.flushes).toEqual([]);
    expect(school.recorder.tracked.at(-1)).toBe('ended');
  });

  it('a swallowed failure turns COMMIT into ROLLBACK: nothing was stored, nothing is invalidated', async () => {
    await db.transaction(async (manager) => {
      await write(manager, 1);
      await manager.query('SELECT 1 / 0').catch(() => undefined);
    });
    expect(flushes()).toEqual([]);
    expect(await other.query(`SELECT text FROM submission WHERE id = 1`)).toEqual([{ text: 's1' }]);
  });

  it('the same by hand', async () => {
    const runner = db.createQueryRunner();
    await runner.query('BEGIN');
    await runner.manager.insert(Submission, { text: 'x', studentId: 1 });
    await runner.query('SELECT 1 / 0').catch(() => undefined);
    await runner.query('COMMIT');
    await runner.release();
    expect(flushes()).toEqual([]);
  });

  it('a retry after a serialization failure delivers only what the second attempt committed', async () => {
    const runner: QueryRunner = db.createQueryRunner();
    await runner.startTransaction('SERIALIZABLE');
    await runner.query('SELECT text FROM submission WHERE id = 1');
    await other.query(`UPDATE submission SET text = 'meanwhile' WHERE id = 1`);
    await expect(write(runner.manager, 1)).rejects.toThrow('could not serialize');
    await runner.rollbackTransaction();
    expect(flushes()).toEqual([]);
    await runner.startTransaction('SERIALIZABLE');
    await write(runner.manager, 1);
    await runner.commitTransaction();
    await runner.release();
    expect(flushes()).toEqual([work(1)]);
  });
});

async function studentKey(): Promise<string> {
  const rows: { name: string }[] = await db.query(
    `SELECT conname AS name FROM pg_constraint WHERE conrelid = 'grade'::regclass AND confrelid = 'student'::regclass`,
  );
  return (rows[0] as { name: string }).name;
}

describe('transactions are told to the tracker', () => {
  it('began before the caller goes on, in its own turn', () => {
    const runner = db.createQueryRunner();
    const started = runner.startTransaction();
    expect(school.recorder.tracked).toEqual(['began']);
    return started.then(() => runner.rollbackTransaction()).then(() => runner.release());
  });

  it.each(['REPEATABLE READ', 'SERIALIZABLE'] as const)('%s keeps a snapshot', async (level) => {
    await db.transaction(level, (manager) => manager.query('SELECT 1'));
    expect(school.recorder.tracked).toEqual(['began', 'snapshot', 'ended']);
  });

  it('READ COMMITTED does not', async () => {
    await db.transaction('READ COMMITTED', (manager) => manager.query('SELECT 1'));
    expect(school.recorder.tracked).toEqual(['began', 'ended']);
  });

  it('isolation in a raw BEGIN counts', async () => {
    const runner = db.createQueryRunner();
    await runner.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await runner.query('ROLLBACK');
    await runner.release();
    expect(school.recorder.tracked).toEqual(['began', 'snapshot', 'ended']);
  });

  it('savepoints are no transactions', async () => {
    await db.transaction((manager) => manager.transaction((inner) => write(inner, 1)));
    expect(school.recorder.tracked).toEqual(['began', 'wrote', 'ended']);
  });
});
