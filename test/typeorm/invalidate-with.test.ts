// Tags of the application's own that go with a transaction.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { createReportCache, tag, type ReportCache } from '../../src/index.js';
import { databaseUrl } from '../support/isolation.js';

let db: DataSource;
let reports: ReportCache;
let invalidated: string[];

beforeAll(async () => {
  db = await new DataSource({ type: 'postgres', url: databaseUrl() }).initialize();
  reports = createReportCache({
    identify: () => null,
    onEvent: (event) => void (event.kind === 'invalidate' && invalidated.push(...event.tags)),
  });
  await reports.connect(db);
});
beforeEach(() => {
  invalidated = [];
});
afterAll(async () => {
  await reports.close();
  await db.destroy();
});

describe('invalidateWith', () => {
  it('is in force when the transaction has committed, and not before', async () => {
    await db.transaction(async (manager) => {
      await reports.invalidateWith(manager, tag('class', 9));
      expect(invalidated).toEqual([]);
    });
    expect(invalidated).toEqual(['class:9']);
  });

  it('is nothing when it is rolled back, also to a savepoint', async () => {
    const undone = new Error('undone');
    const undo = async (manager: object) => {
      await reports.invalidateWith(manager, tag('class', 9));
      throw undone;
    };
    await expect(db.transaction(undo)).rejects.toBe(undone);
    await db.transaction(async (manager) => {
      await expect(manager.transaction(undo)).rejects.toBe(undone);
      await reports.invalidateWith(manager, [tag('class', 1), tag('class', 2)]);
    });
    expect(invalidated).toEqual(['class:1', 'class:2']);
  });

  it('outside of a transaction it is in force at once', async () => {
    const runner = db.createQueryRunner();
    await reports.invalidateWith(runner, tag('class', 9));
    expect(invalidated).toEqual(['class:9']);
    await runner.release();
  });

  it('refuses what is no tag, and what belongs to nobody', async () => {
    await db.transaction(async (manager) => {
      await expect(reports.invalidateWith(manager, 'class 9')).rejects.toMatchObject({ code: 'ERC_TAG' });
    });
    await expect(reports.invalidateWith(db.manager, tag('class', 9))).rejects.toMatchObject({
      code: 'ERC_DATA_SOURCE',
    });
    const other = await new DataSource({ type: 'sqljs' }).initialize();
    const runner = other.createQueryRunner();
    await expect(reports.invalidateWith(runner, tag('class', 9))).rejects.toMatchObject({ code: 'ERC_DATA_SOURCE' });
    await other.destroy();
    expect(invalidated).toEqual([]);
  });
});
