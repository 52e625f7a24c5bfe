// The check finds what differs between the rules and the database; the migration makes them equal.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { transform } from '@swc/core';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataSource } from 'typeorm';
import { triggersFor, triggersOf } from '../../../src/typeorm/triggers/triggers.js';
import type { DataSourceLike } from '../../../src/typeorm/typeorm-like.js';
import { TypeormPlugin } from '../../../src/typeorm/plugin.js';
import { Recorder } from '../support/recorder.js';
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

describe('the plugin', () => {
  it('gives the triggers for the rules declared so far', () => {
    const recorder = new Recorder();
    const parts = { invalidator: recorder, transactions: recorder, emit: recorder.emit, clock: recorder.clock };
    const plugin = new TypeormPlugin({ ...parts, ownTables: ['tutor'] }).cascade(Grade, { student: 'student' });
    const expected = triggersFor(source(), rule(Grade, { student: 'student' }), NAMESPACE, ['tutor']);
    expect(plugin.triggers(db, NAMESPACE).up).toEqual(expected.up);
    plugin.cascade(Remark, { student: 'student' });
    expect(plugin.triggers(db, NAMESPACE).hash).not.toBe(expected.hash);
    expect(() => plugin.triggers({}, NAMESPACE)).toThrow('ERC_DATA_SOURCE');
  });
});

describe('databases without triggers', () => {
  it.each(['sqljs', 'better-sqlite3', 'cockroachdb', 'mssql'])('%s: nothing to install, and advice', (type) => {
    const other = { ...source(), options: { type }, driver: db.driver, entityMetadatas: db.entityMetadatas };
    const set = triggersOf(other as never, SCHOOL_RULES, NAMESPACE, [], () => 0);
    expect(set).toMatchObject({ up: [], down: [], advice: [expect.stringContaining(type)] });
  });

  it('check, install and uninstall do nothing there', async () => {
    const other = { ...source(), options: { type: 'sqljs' }, driver: db.driver, entityMetadatas: db.entityMetadatas };
    const set = triggersOf(other as never, SCHOOL_RULES, NAMESPACE, [], () => 0);
    await set.install();
    await set.uninstall();
    expect(await set.check()).toEqual([]);
  });
});

describe('the migration', () => {
  it('is a class that does and undoes what install and uninstall do', async () => {
    const text = box.triggers.migration('ReportCacheTriggers');
    expect(text).toContain('export class ReportCacheTriggers1700000000000 implements MigrationInterface');
    const folder = mkdtempSync(join(tmpdir(), 'erc-migration-'));
    const file = join(folder, 'migration.mjs');
    const { code } = await transform(text, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } });
    writeFileSync(file, code);
    const { ReportCacheTriggers1700000000000: Migration } = (await import(pathToFileURL(file).href)) as Record<
      string,
      new () => Record<'up' | 'down', (runner: unknown) => Promise<void>>
    >;
    rmSync(folder, { recursive: true });
    if (!Migration) throw new Error('no migration');
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
