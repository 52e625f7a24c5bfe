// Row triggers on a real MySQL or MariaDB, where there is one: else the run names it as skipped, and fails under CI.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { tag } from '../../../src/entry/tags.js';
import { triggersOf, type Triggers } from '../../../src/typeorm/triggers/triggers.js';
import type { DataSourceLike } from '../../../src/typeorm/typeorm-like.js';
import { mysqlUrl } from '../../outbox/support/databases.js';
import { Course, entities, Remark } from '../support/entities.js';
import { makeOutbox, NAMESPACE, rule, SCHOOL_RULES } from './support.js';

const database = `erc_triggers_${process.pid}`;
let db: DataSource;
let triggers: Triggers;

async function administer(...statements: string[]): Promise<void> {
  const server = await new DataSource({ type: 'mysql', url: String(mysqlUrl) }).initialize();
  for (const statement of statements) await server.query(statement);
  await server.destroy();
}

const rules = [...SCHOOL_RULES, ...rule(Course, { title: 'title' })];
const made = (given = rules): Triggers =>
  triggersOf(db as unknown as DataSourceLike, given, NAMESPACE, [], () => 1700000000000);

async function rows(...writes: string[]): Promise<string[][]> {
  await db.query('DELETE FROM report_cache_outbox');
  const runner = db.createQueryRunner();
  for (const write of writes) await runner.query(write);
  await runner.release();
  const found: { tags: string }[] = await db.query('SELECT tags FROM report_cache_outbox ORDER BY id');
  return found.map(({ tags }) => tags.split(' ').sort());
}

async function open(): Promise<void> {
  await administer(`DROP DATABASE IF EXISTS ${database}`, `CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  const url = new URL(String(mysqlUrl));
  url.pathname = `/${database}`;
  db = await new DataSource({ type: 'mysql', url: url.href, entities, charset: 'utf8mb4' }).initialize();
  await db.synchronize();
  await makeOutbox(db);
  triggers = made();
  await triggers.install();
}

async function seedRows(): Promise<void> {
  for (const table of [
    'student_parents_parent',
    'grade',
    'submission',
    'remark',
    'enrolment',
    'student',
    'parent',
    'tutor',
    'course',
  ])
    await db.query(`DELETE FROM ${table}`);
  await db.query(`INSERT INTO tutor (id, name) VALUES (1, 't1'), (2, 't2')`);
  await db.query(`INSERT INTO parent (id, name) VALUES (1, 'p1'), (2, 'p2')`);
  await db.query(`INSERT INTO student (id, name, tutorId) VALUES (1, 's1', 1), (2, 's2', 2)`);
  await db.query('INSERT INTO student_parents_parent VALUES (1, 1), (2, 2)');
  await db.query(`INSERT INTO course VALUES ('c1', 'one'), ('c2', 'two')`);
  await db.query(`INSERT INTO grade (id, score, studentId, courseCode) VALUES (1, 1, 1, 'c1'), (2, 2, 2, 'c2')`);
  await db.query(`INSERT INTO submission (id, text, studentId) VALUES (1, 'w1', 1)`);
}

function suite(): void {
  beforeAll(open);
  afterAll(async () => {
    await db.destroy();
    await administer(`DROP DATABASE ${database}`);
  });
  beforeEach(seedRows);

  const grade = (n: number): string[] => [`course:c${n}`, 'parent:*', `student:${n}`, 'table:grade', 'tutor:*'];

  it('every row names what stands in it, and as a whole what lies behind a path', async () => {
    expect(await rows(`INSERT INTO grade (score, studentId, courseCode) VALUES (3, 1, 'c1'), (4, 2, 'c2')`)).toEqual([
      grade(1),
      grade(2),
    ]);
    const moved = await rows('UPDATE grade SET studentId = 2 WHERE id = 1');
    expect(new Set(moved.flat())).toEqual(new Set([...grade(1), 'student:2']));
    expect(await rows('DELETE FROM grade WHERE id = 2')).toEqual([grade(2)]);
    expect(await rows('UPDATE grade SET score = 1 WHERE id = 99')).toEqual([]);
  });

  it('the connection and the namespace stand beside it', async () => {
    const [row] = await db.transaction(async (manager) => {
      await manager.query('DELETE FROM report_cache_outbox');
      await manager.query('UPDATE grade SET score = 5 WHERE id = 1');
      return manager.query('SELECT namespace, source, intent, pid = CONNECTION_ID() AS own FROM report_cache_outbox');
    });
    expect(row).toMatchObject({ namespace: 'school', source: 'trigger', intent: 0, own: expect.anything() });
    expect(Number(row.own)).toBe(1);
  });

  it('upserts, REPLACE and INSERT … SELECT', async () => {
    await db.query(`INSERT INTO enrolment VALUES (1, 'c1', 'open')`);
    const upsert = `INSERT INTO enrolment VALUES (1, 'c1', 'x'), (2, 'c1', 'x') ON DUPLICATE KEY UPDATE state = 'again'`;
    expect(new Set((await rows(upsert)).flat())).toEqual(
      new Set(['course:c1', 'student:1', 'student:2', 'table:enrolment']),
    );
    expect((await rows(`REPLACE INTO enrolment VALUES (1, 'c1', 'y')`)).flat()).toContain('student:1');
    expect((await rows(`INSERT INTO enrolment SELECT id, 'c2', 'z' FROM student`)).flat()).toEqual(
      expect.arrayContaining(['student:1', 'student:2', 'course:c2']),
    );
  });

  it('what foreign keys delete or change is told by the table that began it', async () => {
    const deleted = (await rows('DELETE FROM student WHERE id = 1')).flat();
    expect(deleted).toEqual(
      expect.arrayContaining([
        'student:*',
        'course:*',
        'table:grade',
        'table:submission',
        'table:student_parents_parent',
      ]),
    );
    expect((await rows('UPDATE student SET name = 3 WHERE id = 2')).flat()).not.toContain(
      'table:student_parents_parent',
    );
    await db.query('DELETE FROM grade');
    // Links follow the new number.
    expect((await rows('UPDATE student SET id = 9 WHERE id = 2')).flat()).toEqual(
      expect.arrayContaining(['table:student_parents_parent', 'student:2', 'student:9']),
    );
  });

  it('links name both their ends', async () => {
    const [linked] = await rows('INSERT INTO student_parents_parent VALUES (1, 2)');
    expect(linked).toEqual(
      expect.arrayContaining(['student:1', 'table:student', 'table:parent', 'table:student_parents_parent', 'tutor:*']),
    );
  });

  it('an id that has to be encoded means its whole kind', async () => {
    const code = async (id: string): Promise<string[]> =>
      (await rows(`INSERT INTO course VALUES ('${id}', 'x')`)).flat();
    expect(await code('a.B-c_9')).toContain('course:a.B-c_9');
    for (const id of ['a b', 'é', 'ſ', 'a\\n', '', 'x'.repeat(121), '😀', '%41', '*'])
      expect({ id, tags: await code(id) }).toMatchObject({ tags: expect.arrayContaining(['course:*']) });
    expect(await code('x'.repeat(120))).toContain(tag('course', 'x'.repeat(120)));
  });

  it('a rollback takes the row with it', async () => {
    expect(await rows('START TRANSACTION', 'UPDATE grade SET score = 1 WHERE id = 1', 'ROLLBACK')).toEqual([]);
  });

  it('the write goes through when a column is gone, and when the outbox is', async () => {
    await db.query('ALTER TABLE remark RENAME COLUMN studentId TO moved');
    try {
      expect(await rows(`INSERT INTO remark (text) VALUES ('x')`)).toEqual([['*']]);
    } finally {
      await db.query('ALTER TABLE remark RENAME COLUMN moved TO studentId');
    }
    await db.query('RENAME TABLE report_cache_outbox TO put_away');
    try {
      await db.query('UPDATE grade SET score = 77 WHERE id = 1');
      expect(await triggers.check()).toEqual([{ table: 'report_cache_outbox', problem: 'missing' }]);
    } finally {
      await db.query('RENAME TABLE put_away TO report_cache_outbox');
    }
    expect(await db.query('SELECT score FROM grade WHERE id = 1')).toEqual([{ score: 77 }]);
  });

  it('gaps are said: TRUNCATE, many rows, paths', async () => {
    expect(await rows('TRUNCATE grade')).toEqual([]);
    expect(triggers.advice).toEqual(
      expect.arrayContaining([
        expect.stringContaining('TRUNCATE'),
        expect.stringContaining('for each of them'),
        expect.stringContaining('"grade" invalidates parent:* tutor:*'),
      ]),
    );
  });

  it('the check finds what is missing, different and left over; installing mends it and invalidates everything', async () => {
    expect(await triggers.check()).toEqual([]);
    const [{ name }] = await db.query(
      `SELECT TRIGGER_NAME AS name FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_TABLE = 'grade' AND TRIGGER_SCHEMA = DATABASE() AND EVENT_MANIPULATION = 'UPDATE'`,
    );
    await db.query(`DROP TRIGGER ${name}`);
    const prefix = String(name).slice(0, 'report_cache_12345678_'.length);
    await db.query(`CREATE TRIGGER ${prefix}old AFTER INSERT ON tutor FOR EACH ROW SET @x = 1`);
    expect(await triggers.check()).toEqual([
      { table: 'grade', problem: 'missing' },
      { table: 'tutor', problem: 'left over' },
    ]);
    const other = made([...rules, ...rule(Remark, { word: 'text' })]);
    expect(await other.check()).toContainEqual({ table: 'remark', problem: 'different' });
    await db.query('DELETE FROM report_cache_outbox');
    await other.install();
    expect(await other.check()).toEqual([]);
    expect(await db.query('SELECT tags FROM report_cache_outbox')).toEqual([{ tags: '*' }]);
    await other.uninstall();
    expect(await db.query('SELECT * FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()')).toEqual([]);
    await triggers.install();
  });
}

describe('row triggers', () => {
  if (mysqlUrl) suite();
  else it.todo('needs MYSQL_URL or a server on 127.0.0.1:3306');
});
