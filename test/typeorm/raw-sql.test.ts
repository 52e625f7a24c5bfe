// The net under everything that fires no entity event.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Grade, Student, Submission } from './support/entities.js';
import { openSchool, type School } from './support/school.js';

let school: School;
let db: DataSource;

beforeAll(async () => {
  school = await openSchool('raw', { plugin: { readOnlyFunctions: ['declared_reader'], ownTables: ['outbox'] } });
  db = school.dataSource;
  await db.query(`CREATE TABLE audit_log (line text); CREATE TABLE outbox (line text)`);
  await db.query(`CREATE FUNCTION steady(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1'`);
  await db.query(`CREATE FUNCTION declared_reader(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'`);
  await db.query(
    `CREATE FUNCTION writer() RETURNS int LANGUAGE plpgsql AS 'BEGIN UPDATE grade SET score = 7; RETURN 1; END'`,
  );
  await db.query(`CREATE VIEW good_grade AS SELECT * FROM grade WHERE score > 5`);
  await db.query(`CREATE TABLE grade_of_last_year () INHERITS (grade)`);
  await db.query(`CREATE TABLE faculty (id int PRIMARY KEY)`);
  await db.query(`ALTER TABLE course ADD faculty int REFERENCES faculty ON DELETE CASCADE`);
  await db.query(
    `CREATE PROCEDURE half() LANGUAGE plpgsql AS 'BEGIN UPDATE grade SET score = 8; COMMIT; RAISE EXCEPTION ''half''; END'`,
  );
  // The catalogue is read at connect().
  school.plugin.disconnect(db);
  await school.plugin.connect(db);
});
afterAll(() => school.close());
beforeEach(() => school.seed());

const everyGrade = ['course:*', 'parent:*', 'student:*', 'table:grade', 'tutor:*'];

describe('§9.10 raw SQL', () => {
  it.each<readonly [string, string, readonly string[]]>([
    ['an update of a mapped table', `UPDATE grade SET score = 1`, everyGrade],
    ['a quoted, qualified name', `DELETE FROM "public"."grade" WHERE id = 1`, everyGrade],
    [
      'a data-changing WITH behind a SELECT',
      `WITH x AS (UPDATE grade SET score = 2 RETURNING id) SELECT * FROM x`,
      everyGrade,
    ],
    ['a table of no entity', `INSERT INTO audit_log VALUES ('x')`, ['table:audit_log']],
    ["a table declared as nobody's business", `INSERT INTO outbox VALUES ('x')`, []],
    ['a function that may write', `SELECT writer()`, ['*']],
    ['a function that the database vouches for', `SELECT steady(1)`, []],
    ['a function that the host vouches for', `SELECT declared_reader(1)`, []],
    [
      'a built-in function',
      `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY score), to_tsvector('x') FROM grade`,
      [],
    ],
    ['a view of no entity', `UPDATE good_grade SET score = 1`, ['*']],
    ['a partition or child table', `DELETE FROM grade_of_last_year`, [...everyGrade, 'table:grade_of_last_year']],
    [
      'a foreign key that only the database knows',
      `DELETE FROM faculty`,
      ['course:*', 'table:course', 'table:faculty'],
    ],
    ['DO', `DO $$ BEGIN UPDATE grade SET score = 3; END $$`, ['*']],
    ['SELECT … FOR UPDATE', `SELECT * FROM grade FOR UPDATE`, []],
    [
      'a junction table',
      `DELETE FROM student_parents_parent WHERE "studentId" = 1`,
      ['parent:*', 'student:*', 'table:parent', 'table:student', 'table:student_parents_parent', 'tutor:*'],
    ],
  ])('%s', async (_name, sql, tags) => {
    await db.query(sql);
    expect(school.recorder.tags).toEqual([...tags].sort());
  });

  it('is named in events', async () => {
    await db.query(`UPDATE grade SET score = 1`);
    await db.query(`SELECT writer()`);
    expect(school.recorder.eventsOf('rawWrite')).toEqual([
      { kind: 'rawWrite', tables: ['grade'] },
      { kind: 'rawWrite', tables: [] },
    ]);
  });

  it('gives advice about a function once', async () => {
    await db.query(`CREATE OR REPLACE FUNCTION another() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'`);
    school.recorder.reset();
    await db.query(`SELECT another()`);
    await db.query(`SELECT another()`);
    expect(school.recorder.eventsOf('advice')).toHaveLength(1);
  });

  it('waits for the commit like any other write', async () => {
    await db.transaction(async (manager) => {
      await manager.query(`UPDATE grade SET score = 1`);
      expect(school.recorder.flushes).toEqual([]);
    });
    expect(school.recorder.flushes).toEqual([{ cause: 'commit', tags: everyGrade }]);
  });

  it('a failing statement invalidates nothing', async () => {
    await expect(db.query(`UPDATE grade SET nonsense = 1`)).rejects.toThrow();
    expect(school.recorder.flushes).toEqual([]);
  });

  it('a procedure that commits its first half and then fails has invalidated everything', async () => {
    await expect(db.query(`CALL half()`)).rejects.toThrow('half');
    expect(school.recorder.tags).toEqual(['*']);
  });

  it('stands beside an announced write without spoiling it', async () => {
    await db.transaction(async (manager) => {
      await manager.save(Submission, { id: 1, text: 'x' });
      await manager.query(`UPDATE course SET title = 'y'`);
    });
    expect(school.recorder.tags).toEqual(['course:*', 'parent:1', 'student:1', 'table:course', 'table:submission']);
  });

  it('one update too many of the same table is noticed', async () => {
    await db.transaction(async (manager) => {
      await manager.save(Submission, { id: 1, text: 'x' });
      await manager.query(`UPDATE submission SET text = 'y' WHERE id = 2`);
    });
    expect(school.recorder.tags).toEqual(['parent:*', 'student:*', 'table:submission']);
  });

  it('reads of the ORM are reads: find, joins, counts, pagination, locks', async () => {
    const students = db.getRepository(Student);
    await students.find({ relations: { parents: true, tutor: true, submissions: true }, take: 1, skip: 1 });
    await students.findAndCount({ where: { name: 'student 1' }, order: { id: 'DESC' } });
    await students
      .createQueryBuilder('s')
      .leftJoinAndSelect('s.parents', 'p')
      .where('p.id IN (:...ids)', { ids: [1] })
      .getMany();
    await db
      .getRepository(Grade)
      .createQueryBuilder('g')
      .select('AVG(g.score)', 'avg')
      .groupBy('g.courseCode')
      .getRawMany();
    await db.transaction((manager) =>
      manager.findOne(Student, { where: { id: 1 }, lock: { mode: 'pessimistic_write' } }),
    );
    expect(school.recorder.flushes).toEqual([]);
    expect(school.recorder.events).toEqual([]);
  });
});
