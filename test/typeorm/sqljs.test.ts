// One query runner for everybody (sql.js, better-sqlite3): a rollback proves nothing, ids of several rows neither.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { TypeormPlugin } from '../../src/typeorm/plugin.js';
import { Recorder } from './support/recorder.js';

@Entity()
class Mark {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'int' }) student!: number;
  @Column({ type: 'int', default: 0 }) score!: number;
}

const recorder = new Recorder();
let db: DataSource;

beforeAll(async () => {
  db = await new DataSource({ type: 'sqljs', entities: [Mark], synchronize: true }).initialize();
  const plugin = new TypeormPlugin({
    invalidator: recorder,
    transactions: recorder,
    emit: recorder.emit,
    clock: recorder.clock,
  });
  plugin.cascade(Mark, { student: 'student', mark: 'id' });
  await plugin.connect(db);
});
afterAll(() => db.destroy());
beforeEach(async () => {
  await db.manager.clear(Mark);
  await db.manager.insert(Mark, { id: 1, student: 1 });
  await db.manager.insert(Mark, { id: 2, student: 2 });
  recorder.reset();
});

const one = ['mark:1', 'student:1', 'table:mark'];
const all = ['mark:*', 'student:*', 'table:mark'];

describe('§9.9 shared runner', () => {
  it('flushes at the event and again at the end of the transaction', async () => {
    await db.manager.save(Mark, { id: 1, score: 5 });
    expect(recorder.tags).toEqual(one);
    expect(recorder.causes.at(-1)).toBe('commit');
    expect(recorder.flushes.length).toBeGreaterThan(1);
  });

  it("never drops on rollback: the write may have been another request's", async () => {
    const failure = new Error('rolled back');
    const attempt = db.transaction(async (manager) => {
      await manager.save(Mark, { id: 1, score: 5 });
      throw failure;
    });
    await expect(attempt).rejects.toBe(failure);
    expect(recorder.tags).toEqual(one);
    expect(recorder.causes.at(-1)).toBe('rollback');
  });

  it('keeps what an inner rollback undid', async () => {
    await db.transaction(async (manager) => {
      const inner = manager.transaction(async (nested) => {
        await nested.save(Mark, { id: 1, score: 5 });
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
    });
    expect(recorder.flushes.at(-1)).toEqual({ cause: 'commit', tags: one });
  });

  it('single rows are told apart outside transactions', async () => {
    await db.manager.insert(Mark, { student: 1 });
    expect(recorder.tags).toEqual(['mark:3', 'student:1', 'table:mark']);
  });
});

describe('§9.5 ids that cannot be trusted', () => {
  it('several rows in one insert all get the last id: coarse', async () => {
    await db.manager.insert(Mark, [{ student: 1 }, { student: 2 }]);
    expect(recorder.tags).toEqual(all);
  });

  it('upsert and orIgnore: coarse', async () => {
    await db.manager.upsert(Mark, [{ id: 1, student: 2 }], ['id']);
    expect(recorder.tags).toEqual(all);
    recorder.reset();
    await db
      .createQueryBuilder()
      .insert()
      .into(Mark)
      .values([{ id: 1, student: 1 }])
      .orIgnore()
      .execute();
    expect(recorder.tags).toEqual(all);
  });

  it('clear() is caught although it fires nothing', async () => {
    await db.manager.clear(Mark);
    expect(recorder.tags).toEqual(all);
  });
});

it('keeps a snapshot in every transaction', async () => {
  await db.manager.save(Mark, { id: 1, score: 7 });
  expect(recorder.tracked[1]).toBe('snapshot');
});
