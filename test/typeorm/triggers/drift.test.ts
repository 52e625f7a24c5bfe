// The check finds what differs between the rules and the database; the migration makes them equal.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from '@swc/core';
import type { DataSource } from 'typeorm';
import { triggersFor, triggersOf } from '../../../src/typeorm/triggers/triggers.js';
import type { DataSourceLike } from '../../../src/typeorm/typeorm-like.js';
import { Grade, Remark } from '../support/entities.js';
import { NAMESPACE, openOutbox, rule, SCHOOL_RULES, type Outbox } from './support.js';

let box: Outbox;
let db: DataSource;
const source = (): DataSourceLike => db as unknown as DataSourceLike;

beforeAll(async () => {
  box = await openOutbox('drift');
  db = box.dataSource;
});
afterAll(() => box.close());
afterEach(() => box.triggers.install());

const functionOf = async (table: string): Promise<string> => {
  const [{ name }] = await db.query(
    `SELECT oid::regproc::text AS name FROM pg_proc WHERE proname ~ '^report_cache_.{8}_${table}_.{8}$'`,
  );
  return name;
};

describe('the check', () => {
  it('finds nothing after an installation, and again after a second one', async () => {
    expect(await box.triggers.check()).toEqual([]);
    await box.triggers.install();
    expect(await box.triggers.check()).toEqual([]);
  });

  it('finds a trigger that is missing, and one that is disabled', async () => {
    await db.query(`DROP TRIGGER ${await functionOf('grade')}_update ON grade`);
    await db.query(`ALTER TABLE remark DISABLE TRIGGER USER`);
    await db.query(`ALTER TABLE tutor ENABLE TRIGGER ${await functionOf('tutor')}_insert`);
    const found = await box.triggers.check();
    expect(found).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining([
        { table: 'grade', problem: 'missing' },
        { table: 'remark', problem: 'disabled' },
        { table: 'tutor', problem: 'disabled' },
      ]),
    );
  });

  it('finds rules that have changed, a function that was edited, and one without its comment', async () => {
    const other = triggersOf(source(), [...SCHOOL_RULES, ...rule(Remark, { word: 'text' })], NAMESPACE, [], () => 0);
    expect(await other.check()).toEqual([{ table: 'remark', problem: 'different' }]);
    const name = await functionOf('grade');
    await db.query(
      `DO $x$ DECLARE d text := pg_get_functiondef('${name}'::regproc); BEGIN EXECUTE replace(d, 'student:*', 'pupil:*'); END $x$`,
    );
    await db.query(`COMMENT ON FUNCTION ${await functionOf('tutor')}() IS NULL`);
    expect(await box.triggers.check()).toEqual([
      { table: 'grade', problem: 'different' },
      { table: 'tutor', problem: 'different' },
    ]);
  });

  it('finds triggers of tables that have none now; installing sweeps them out', async () => {
    const fewer = triggersOf(source(), SCHOOL_RULES, NAMESPACE, ['Grade', 'remark'], () => 0);
    expect(await fewer.check()).toEqual(
      expect.arrayContaining([
        { table: 'grade', problem: 'left over' },
        { table: 'remark', problem: 'left over' },
      ]),
    );
    await fewer.install();
    expect(await fewer.check()).toEqual([]);
    expect(await box.rowsOf('UPDATE grade SET score = 1')).toEqual([]);
  });

  it('finds everything missing before the first installation and after the last', async () => {
    await box.triggers.uninstall();
    const problems = new Set((await box.triggers.check()).map(({ problem }) => problem));
    expect(problems).toEqual(new Set(['missing']));
    expect(await db.query(`SELECT proname FROM pg_proc WHERE starts_with(proname, 'report_cache_')`)).toEqual([]);
  });

  it('finds a missing helper', async () => {
    await db.query(
      `DROP FUNCTION ${await functionOf('grade')} CASCADE; DROP FUNCTION ${(await db.query(`SELECT oid::regprocedure::text AS n FROM pg_proc WHERE proname ~ '_segment$'`))[0].n}`,
    );
    expect((await box.triggers.check()).map(({ table }) => table)).toEqual([
      'grade',
      expect.stringContaining('_segment'),
    ]);
  });
});

describe('an installation', () => {
  it('is all or nothing', async () => {
    await box.triggers.uninstall();
    await db.query('ALTER TABLE topic RENAME TO away');
    await expect(box.triggers.install()).rejects.toThrow('topic');
    expect(await db.query(`SELECT proname FROM pg_proc WHERE starts_with(proname, 'report_cache_')`)).toEqual([]);
    await db.query('ALTER TABLE away RENAME TO topic');
  });

  it('locks no table when only functions change', async () => {
    const runner = db.createQueryRunner();
    await runner.startTransaction();
    await runner.query('LOCK TABLE grade IN ROW EXCLUSIVE MODE');
    const other = triggersOf(source(), [...SCHOOL_RULES, ...rule(Grade, { score: 'score' })], NAMESPACE, [], () => 0);
    await other.install();
    await runner.rollbackTransaction();
    await runner.release();
    expect(await other.check()).toEqual([]);
  });
});

describe('the migration', () => {
  it('is a class that does and undoes what install and uninstall do', async () => {
    const text = box.triggers.migration('ReportCacheTriggers');
    expect(text).toContain('export class ReportCacheTriggers1700000000000 implements MigrationInterface');
    await parse(text, { syntax: 'typescript' });
    const body = text
      .replace(/^import .*$/m, '')
      .replace('export class ReportCacheTriggers1700000000000 implements MigrationInterface', 'return class')
      .replaceAll(': QueryRunner', '')
      .replaceAll(': Promise<void>', '');
    const Migration = new Function(body)() as new () => Record<'up' | 'down', (runner: unknown) => Promise<void>>;
    await new Migration().down(db);
    expect(await box.rowsOf('UPDATE grade SET score = 1')).toEqual([]);
    await new Migration().up(db);
    expect(await box.triggers.check()).toEqual([]);
  });

  it.each([
    ['no identifier', 'a-b', 1700000000000],
    ['no time', 'Name', 17],
  ])('refuses %s', (_, name, timestamp) => {
    expect(() => box.triggers.migration(name, timestamp)).toThrow('ERC_OPTION');
  });

  it('has one hash for one set of rules, in whatever order they were declared', () => {
    const hash = (rules: typeof SCHOOL_RULES): string => triggersFor(source(), rules, NAMESPACE).hash;
    expect(hash([...SCHOOL_RULES].reverse())).toBe(box.triggers.hash);
    expect(hash(SCHOOL_RULES.slice(1))).not.toBe(box.triggers.hash);
  });
});
