// Triggers on PostgreSQL: every way of writing rows leaves the cascade's tags in the outbox.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { systemClock } from '../../../src/contract/clock.js';
import { LateRows } from '../../../src/outbox/late-rows.js';
import { postgres } from '../../../src/sql/postgres.js';
import { SqlOutbox } from '../../../src/outbox/sql-outbox.js';
import { NAMESPACE, openOutbox, seed, type Outbox } from './support.js';

let box: Outbox;
let db: DataSource;
const rows: Outbox['rowsOf'] = (write) => box.rowsOf(write);
const tags: Outbox['tagsOf'] = (write) => box.tagsOf(write);

beforeAll(async () => {
  box = await openOutbox('statements');
  db = box.dataSource;
});
afterAll(() => box.close());
beforeEach(() => seed(box));

const family = (n: number): string[] => [`course:c${n}`, `parent:${n}`, `student:${n}`, 'table:grade', `tutor:${n}`];
const both = [
  'course:c1',
  'course:c2',
  'parent:1',
  'parent:2',
  'student:1',
  'student:2',
  'table:grade',
  'tutor:1',
  'tutor:2',
];
const everyGrade = ['course:*', 'parent:*', 'student:*', 'table:grade', 'tutor:*'];

describe('one row in the outbox per statement', () => {
  it('for INSERT, UPDATE and DELETE, with the namespace, the connection and the source', async () => {
    expect(await rows(`INSERT INTO grade (score, "studentId", "courseCode") VALUES (3, 1, 'c1')`)).toEqual([family(1)]);
    expect(await rows('UPDATE grade SET score = 4 WHERE id = 1')).toEqual([family(1)]);
    expect(await rows('DELETE FROM grade WHERE id = 2')).toEqual([family(2)]);
    const [row] = await db.transaction(async (manager) => {
      await manager.query('UPDATE grade SET score = 5');
      return manager.query(
        'SELECT namespace, source, intent, pid = pg_backend_pid() AS own FROM report_cache_outbox ORDER BY id DESC',
      );
    });
    expect(row).toEqual({ namespace: 'school', source: 'trigger', intent: false, own: true });
  });

  it('with the old and the new owners of rows that move', async () => {
    expect(await rows(`UPDATE grade SET "studentId" = 2 WHERE id = 1`)).toEqual([
      ['course:c1', 'parent:1', 'parent:2', 'student:1', 'student:2', 'table:grade', 'tutor:1', 'tutor:2'],
    ]);
    expect(await tags(`UPDATE student SET "tutorId" = 2 WHERE id = 1`)).toEqual(
      expect.arrayContaining(['tutor:1', 'tutor:2']),
    );
  });

  it('and none for a statement that touches no row', async () => {
    expect(await rows('UPDATE grade SET score = 1 WHERE false')).toEqual([]);
    expect(await rows('DELETE FROM grade WHERE id = 99')).toEqual([]);
    expect(await rows('INSERT INTO grade (score) SELECT 1 WHERE false')).toEqual([]);
  });

  it('for INSERT … SELECT, COPY, MERGE and a CTE that writes', async () => {
    expect(
      await rows('INSERT INTO grade (score, "studentId", "courseCode") SELECT 9, id, \'c\' || id FROM student'),
    ).toEqual([both]);
    expect(
      await rows(`COPY grade (score, "studentId", "courseCode") FROM PROGRAM 'printf "5\\t1\\tc1\\n6\\t2\\tc2\\n"'`),
    ).toEqual([both]);
    const merge = `MERGE INTO grade USING (VALUES (1), (99)) AS s(id) ON grade.id = s.id
      WHEN MATCHED THEN UPDATE SET score = 7
      WHEN NOT MATCHED THEN INSERT (score, "studentId", "courseCode") VALUES (8, 2, 'c2')`;
    expect(await tags(merge)).toEqual(both);
    const moved = `WITH gone AS (DELETE FROM submission WHERE id = 1 RETURNING *)
      INSERT INTO remark (text, "studentId") SELECT text, 2 FROM gone`;
    expect(await tags(moved)).toEqual(['parent:1', 'student:1', 'student:2', 'table:remark', 'table:submission']);
  });

  it('for an upsert that updates', async () => {
    const upsert = `INSERT INTO enrolment VALUES (1, 'c1', 'done'), (2, 'c9', 'new')
      ON CONFLICT ("studentId", "courseCode") DO UPDATE SET state = excluded.state`;
    expect(await tags(upsert)).toEqual(['course:c1', 'course:c9', 'student:1', 'student:2', 'table:enrolment']);
    expect(await rows(`INSERT INTO enrolment VALUES (1, 'c1') ON CONFLICT DO NOTHING`)).toEqual([]);
  });

  it('for writes of another connection, with or without the ORM', async () => {
    const other = await new DataSource({ type: 'postgres', url: box.url }).initialize();
    try {
      expect(await rows(() => other.query('UPDATE grade SET score = 3 WHERE id = 2'))).toEqual([family(2)]);
    } finally {
      await other.destroy();
    }
  });
});

describe('what the database changes by itself', () => {
  it('rows deleted by a foreign key name whom they concerned; where their path ends in the air, the whole kind', async () => {
    await db.query('DELETE FROM remark; DELETE FROM enrolment');
    expect(await tags('DELETE FROM student WHERE id = 1')).toEqual([
      'course:c1',
      'parent:*', // of grades and submissions, whose student is gone
      'parent:1', // of the link, which went with it
      'student:1',
      'table:grade',
      'table:parent',
      'table:student',
      'table:student_parents_parent',
      'table:submission',
      'tutor:*', // of grades
      'tutor:1', // of the student
      'work:*',
    ]);
  });

  it('rows whose key is set to null name the one they had', async () => {
    await db.query('DELETE FROM grade; DELETE FROM remark');
    const found = await rows('DELETE FROM student WHERE id = 1');
    expect(found.find((row) => row.includes('table:submission'))).toEqual([
      'parent:*',
      'student:1',
      'table:submission',
    ]);
  });

  it('TRUNCATE means all rows, and so does CASCADE for the tables behind', async () => {
    expect(await rows('TRUNCATE grade')).toEqual([everyGrade]);
    expect(await tags('TRUNCATE student CASCADE')).toEqual(
      expect.arrayContaining(['parent:*', 'student:*', 'table:grade', 'table:remark', 'table:submission', 'work:*']),
    );
  });
});

describe('transactions', () => {
  it('a rollback takes the row with it, a savepoint its own', async () => {
    expect(await rows('BEGIN; UPDATE grade SET score = 1 WHERE id = 1; ROLLBACK')).toEqual([]);
    const partly = `BEGIN; UPDATE grade SET score = 1 WHERE id = 1; SAVEPOINT a; UPDATE grade SET score = 2 WHERE id = 2;
      ROLLBACK TO a; COMMIT`;
    expect(await rows(partly)).toEqual([family(1)]);
  });

  it('a replication role is heard too', async () => {
    const replica = `BEGIN; SET LOCAL session_replication_role = replica; UPDATE grade SET score = 1 WHERE id = 1; COMMIT`;
    expect(await rows(replica)).toEqual([family(1)]);
  });
});

describe('many rows', () => {
  const students = (many: number): string =>
    `INSERT INTO student (id, name, "tutorId") SELECT i, 's', 1 FROM generate_series(100, ${99 + many}) i;
     INSERT INTO grade (score, "studentId", "courseCode") SELECT 0, id, 'c1' FROM student WHERE id >= 100`;

  it('up to 64 of a kind by name, one more and it is the whole kind', async () => {
    await db.query(students(65));
    const few = await tags('UPDATE grade SET score = 1 WHERE "studentId" BETWEEN 100 AND 163');
    expect(few.filter((tag) => tag.startsWith('student:'))).toHaveLength(64);
    expect(few).toContain('tutor:1');
    expect(await tags('UPDATE grade SET score = 1 WHERE "studentId" >= 100')).toEqual([
      'course:c1',
      'parent:*',
      'student:*',
      'table:grade',
      'tutor:*',
    ]);
  });

  it('10,000 rows of 5,000 students: one row of the outbox with the kind alone', async () => {
    await db.query(students(5000));
    await db.query(
      `INSERT INTO grade (score, "studentId", "courseCode") SELECT 0, id, 'c1' FROM student WHERE id >= 100`,
    );
    expect(await rows('UPDATE grade SET score = score + 1 WHERE "studentId" >= 100')).toEqual([
      ['course:c1', 'parent:*', 'student:*', 'table:grade', 'tutor:*'],
    ]);
  });
});

describe('many-to-many', () => {
  it('link and unlink concern both ends and all that their entities name', async () => {
    await db.query(`INSERT INTO parent (name) VALUES ('p3')`);
    const linked = [
      'parent:1',
      'parent:3',
      'student:1',
      'table:parent',
      'table:student',
      'table:student_parents_parent',
      'tutor:1',
      'work:1',
    ];
    expect(await rows('INSERT INTO student_parents_parent VALUES (1, 3)')).toEqual([linked]);
    expect(await rows('DELETE FROM student_parents_parent WHERE "parentId" = 3')).toEqual([linked]);
  });

  it('a removed parent is still named by the link that went with it', async () => {
    expect(await tags('DELETE FROM parent WHERE id = 2')).toEqual(expect.arrayContaining(['parent:2', 'student:2']));
  });

  it('a closure table means all of its tree', async () => {
    expect(await tags(`INSERT INTO topic (name) VALUES ('a')`)).toEqual(['table:topic', 'topic:1']);
    expect(await tags('INSERT INTO topic_closure VALUES (1, 1)')).toEqual([
      'table:topic',
      'table:topic_closure',
      'topic:*',
    ]);
  });
});

describe('paths that others change meanwhile', () => {
  const late: Outbox['lateTagsOf'] = (write) => box.lateTagsOf(write);

  it('who moves a row that paths lead over has the new ends told for some time: a writer may have seen the old ones', async () => {
    await db.query('DELETE FROM report_cache_outbox');
    const [first, second] = [db.createQueryRunner(), db.createQueryRunner()];
    await first.startTransaction();
    await first.query('UPDATE grade SET score = 9 WHERE id = 1');
    await second.query('UPDATE student SET "tutorId" = 2 WHERE id = 1');
    // A report of tutor 2 that is computed here shows the student and the old score.
    await first.commitTransaction();
    await Promise.all([first.release(), second.release()]);
    const rows: { tags: string; intent: boolean }[] = await db.query('SELECT tags, intent FROM report_cache_outbox');
    expect(rows.find(({ tags }) => tags.includes('table:grade'))?.tags).not.toContain('tutor:2');
    expect(rows.filter(({ intent }) => intent)).toEqual([{ tags: 'tutor:2', intent: true }]);
  });

  it('so do new links, and new rows that refer to others', async () => {
    await db.query(`INSERT INTO parent (name) VALUES ('p3')`);
    expect(await late('INSERT INTO student_parents_parent VALUES (1, 3)')).toEqual(['parent:3']);
    expect(await late('UPDATE student_parents_parent SET "parentId" = 3 WHERE "studentId" = 2')).toEqual(['parent:3']);
    expect(await late(`INSERT INTO submission (text, "studentId") VALUES ('w', 1)`)).toEqual(['work:3']);
    expect(await late('UPDATE submission SET "studentId" = 2 WHERE id = 1')).toEqual(['work:1']);
  });

  it('but not what leaves the paths as they are', async () => {
    expect(await late(`UPDATE student SET name = 'x'`)).toEqual([]);
    expect(await late('UPDATE student SET "tutorId" = "tutorId"')).toEqual([]);
    expect(await late(`INSERT INTO student (name, "tutorId") VALUES ('new', 1)`)).toEqual([]);
    expect(await late('DELETE FROM student_parents_parent')).toEqual([]);
    expect(await late('UPDATE grade SET "studentId" = 2 WHERE id = 1')).toEqual([]);
  });

  it('never so many that the sweeper comes to mean everything', async () => {
    await db.query(`INSERT INTO parent (name) SELECT 'p' FROM generate_series(1, 400)`);
    await db.query('DELETE FROM report_cache_outbox; INSERT INTO student_parents_parent VALUES (1, 3)');
    await db.query(
      'DO $$ BEGIN FOR i IN 4..400 LOOP INSERT INTO student_parents_parent VALUES (1, i); END LOOP; END $$',
    );
    const [counted] = await db.query('SELECT count(*)::int AS late FROM report_cache_outbox WHERE intent');
    expect(counted).toEqual({ late: 300 });
  });

  it('until those who may have seen the old ones have ended, and no longer', async () => {
    await db.query('DELETE FROM report_cache_outbox');
    const outbox = new SqlOutbox({
      dialect: postgres,
      namespace: NAMESPACE,
      emit: () => undefined,
      ask: (sql, parameters) => db.query(sql, parameters),
      clock: systemClock,
    });
    const lateRows = new LateRows();
    const needed = async (): Promise<readonly boolean[]> => [...lateRows.look(await outbox.scan(100)).values()];
    const writer = db.createQueryRunner();
    await writer.startTransaction();
    await writer.query('UPDATE grade SET score = 9 WHERE id = 1');
    await db.query('UPDATE student SET "tutorId" = 2 WHERE id = 1');
    expect([await needed(), await needed()]).toEqual([[true], [true]]);
    await writer.commitTransaction();
    await writer.release();
    // Other tests have transactions open on this server too; they end.
    let last: readonly boolean[] = [];
    for (const until = performance.now() + 20_000; performance.now() < until && last[0] !== false;)
      last = await needed();
    expect(last).toEqual([false]);
  });

  it('the writer does not take these rows for his own', async () => {
    await db.query('DELETE FROM report_cache_outbox');
    const parts = { dialect: postgres, namespace: NAMESPACE, emit: () => undefined };
    const outbox = new SqlOutbox({ ...parts, ask: (sql, parameters) => db.query(sql, parameters) });
    const found = await db.transaction(async (manager) => {
      await manager.query('INSERT INTO student_parents_parent VALUES (1, 2)');
      return outbox.byTriggers((sql, parameters) => manager.query(sql, parameters));
    });
    expect(found.ids).toHaveLength(1);
    expect(found.tags).toContain('table:student_parents_parent');
    expect(await db.query('SELECT tags FROM report_cache_outbox WHERE intent')).toEqual([{ tags: 'parent:2' }]);
  });

  it.each(['REPEATABLE READ', 'SERIALIZABLE'])(
    '%s shows the trigger an old picture, so paths mean whole kinds',
    async (level) => {
      const write = (sql: string): Promise<string[]> => tags(`BEGIN ISOLATION LEVEL ${level}; ${sql}; COMMIT`);
      expect(await write('UPDATE grade SET score = 3 WHERE id = 1')).toEqual([
        'course:c1',
        'parent:*',
        'student:1',
        'table:grade',
        'tutor:*',
      ]);
    },
  );
});
