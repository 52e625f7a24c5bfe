// A trigger never makes the host's write fail, and what it cannot name it invalidates as a whole.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { administer } from '../support/school.js';
import { openOutbox, seed, type Outbox } from './support.js';

let box: Outbox;
let db: DataSource;
const tags: Outbox['tagsOf'] = (write) => box.tagsOf(write);
const role = `erc_trigger_role_${process.pid}`;

beforeAll(async () => {
  box = await openOutbox('safety');
  db = box.dataSource;
  await db.query(`CREATE ROLE ${role}`);
});
afterAll(async () => {
  await box.close();
  await administer(`DROP ROLE ${role}`);
});
beforeEach(() => seed(box));
afterEach(() => box.triggers.install());

const asRole = (write: string): string => `BEGIN; SET LOCAL ROLE ${role}; ${write}; COMMIT`;

describe('rights', () => {
  it('a writer needs none on the outbox, nor on the tables that a path leads over', async () => {
    await db.query(`GRANT SELECT, UPDATE ON grade TO ${role}`);
    await expect(db.query(asRole('SELECT * FROM report_cache_outbox'))).rejects.toThrow('permission denied');
    await db.query('ROLLBACK');
    expect(await tags(asRole('UPDATE grade SET score = 9 WHERE id = 1'))).toEqual([
      'course:c1',
      'parent:1',
      'student:1',
      'table:grade',
      'tutor:1',
    ]);
  });

  it('nobody else may use the functions', async () => {
    const rights: { may: boolean }[] = await db.query(
      `SELECT has_function_privilege('${role}', oid, 'EXECUTE') AS may FROM pg_proc WHERE starts_with(proname, 'report_cache_')`,
    );
    expect(rights.length).toBeGreaterThan(10);
    expect(rights.filter(({ may }) => may)).toEqual([]);
  });

  it('a function or an operator in the way of the search path is not called', async () => {
    await db.query(`CREATE SCHEMA trap; GRANT USAGE, CREATE ON SCHEMA trap TO ${role}; GRANT UPDATE, SELECT ON grade TO ${role};
      CREATE FUNCTION trap.concat_ws(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped' $$;
      CREATE TABLE trap.report_cache_outbox (LIKE public.report_cache_outbox INCLUDING ALL)`);
    const write = asRole(
      `SET LOCAL search_path = trap, pg_temp, public, pg_catalog; UPDATE public.grade SET score = 8 WHERE id = 2`,
    );
    expect(await tags(write)).toContain('student:2');
    await db.query('DROP SCHEMA trap CASCADE');
  });
});

describe('the write goes through', () => {
  it('when a column that a rule names is gone: everything is invalidated until the triggers are made anew', async () => {
    await db.query('ALTER TABLE grade RENAME COLUMN "courseCode" TO moved');
    try {
      expect(await tags('UPDATE grade SET score = 11 WHERE id = 1')).toEqual(['*']);
    } finally {
      await db.query('ALTER TABLE grade RENAME COLUMN moved TO "courseCode"');
    }
    expect(await db.query('SELECT score FROM grade WHERE id = 1')).toEqual([{ score: 11 }]);
  });

  it('when a table on the path is gone, and when its columns do not compare any more', async () => {
    await db.query('ALTER TABLE student_parents_parent RENAME TO elsewhere');
    expect(await tags('UPDATE grade SET score = 12 WHERE id = 1')).toEqual(['*']);
    await db.query('ALTER TABLE elsewhere RENAME TO student_parents_parent');
    expect(await tags('UPDATE grade SET score = 13 WHERE id = 1')).toContain('parent:1');
  });

  it('when the outbox is gone, or refuses the owner of the functions; the check finds both', async () => {
    await db.query('ALTER TABLE report_cache_outbox RENAME TO put_away');
    await db.query('UPDATE grade SET score = 14 WHERE id = 1');
    expect(await box.triggers.check()).toContainEqual({ table: '"public"."report_cache_outbox"', problem: 'missing' });
    await db.query('ALTER TABLE put_away RENAME TO report_cache_outbox');
    expect(await box.triggers.check()).toEqual([]);

    const functions: { name: string }[] = await db.query(
      `SELECT oid::regprocedure::text AS name FROM pg_proc WHERE proname ~ '^report_cache_.*_grade_'`,
    );
    await db.query(`GRANT CREATE ON SCHEMA public TO ${role}; ALTER FUNCTION ${functions[0]!.name} OWNER TO ${role}`);
    await db.query('UPDATE grade SET score = 15 WHERE id = 1');
    expect(await box.triggers.check()).toEqual([{ table: 'grade', problem: 'disabled' }]);
    await db.query(`ALTER FUNCTION ${functions[0]!.name} OWNER TO current_user`);
    expect(await db.query('SELECT score FROM grade WHERE id = 1')).toEqual([{ score: 15 }]);
  });

  it('takes no transaction id of its own for it', async () => {
    const [row] = await db.transaction(async (manager) => {
      await manager.query('DELETE FROM report_cache_outbox');
      await manager.query('UPDATE grade SET score = 4 WHERE id = 1');
      return manager.query(
        'SELECT xmin::text AS id, (pg_current_xact_id()::text::bigint & 4294967295)::text AS own FROM report_cache_outbox',
      );
    });
    expect(row.id).toBe(row.own);
  });

  it('a cancelled statement stays cancelled', async () => {
    await expect(
      db.transaction(async (manager) => {
        await manager.query(`SET LOCAL statement_timeout = '1ms'`);
        await manager.query(`UPDATE grade SET score = score FROM generate_series(1, 20000000)`);
      }),
    ).rejects.toThrow('statement timeout');
  });
});

describe('two caches in one database', () => {
  it('write a row each, and removing one leaves the other', async () => {
    const { triggersOf } = await import('../../../src/typeorm/triggers/triggers.js');
    const second = triggersOf(db as never, [], 'second', [], () => 0);
    await second.install();
    await db.query('DELETE FROM report_cache_outbox; UPDATE remark SET text = text WHERE id = 1');
    expect(await db.query('SELECT namespace, tags FROM report_cache_outbox ORDER BY namespace')).toEqual([
      { namespace: 'school', tags: 'table:remark student:1' },
      { namespace: 'second', tags: 'table:remark' },
    ]);
    await second.uninstall();
    expect(await second.check()).toContainEqual({ table: 'remark', problem: 'missing' });
    expect(await box.triggers.check()).toEqual([]);
    expect(await box.rowsOf('UPDATE remark SET text = text WHERE id = 1')).toEqual([['student:1', 'table:remark']]);
  });
});
