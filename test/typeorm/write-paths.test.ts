// Every way to write one table (facts of TypeORM, not wishes): which tags go, and that nobody else's do.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Course, Enrolment, Grade, Parent, Student, Submission, Topic, Tutor } from './support/entities.js';
import { openSchool, type School } from './support/school.js';

let school: School;
let db: DataSource;

beforeAll(async () => {
  school = await openSchool('paths');
  db = school.dataSource;
});
afterAll(() => school.close());
beforeEach(() => school.seed());

const family = (n: number): string[] => [`parent:${n}`, `student:${n}`, `tutor:${n}`];
const everyGrade = ['course:*', 'parent:*', 'student:*', 'table:grade', 'tutor:*'];
const grade = (n: number): Promise<Grade> => db.manager.findOneByOrFail(Grade, { id: n });

type Case = readonly [name: string, act: () => Promise<unknown>, tags: readonly string[]];

const table: readonly Case[] = [
  // One row, known: exactly the people concerned.
  [
    'save() of a new row',
    () => db.manager.save(Grade, { score: 5, student: { id: 1 }, courseCode: 'c1' }),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'save() of a changed row',
    async () => db.manager.save(Object.assign(await grade(1), { score: 9 })),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  ['save() of an unchanged row', async () => db.manager.save(await grade(1)), []],
  [
    'save() of a partial row',
    () => db.manager.save(Grade, { id: 1, score: 9 }),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'save() of an unknown id',
    () => db.manager.save(Grade, { id: 77, score: 9, student: { id: 2 } }),
    [...family(2), 'table:grade'],
  ],
  [
    'save() that changes a natural key',
    async () => {
      const course = await db.manager.findOneByOrFail(Course, { code: 'c1' });
      course.code = 'c9';
      await db.manager.save(course);
    },
    ['course:c9', 'table:course'],
  ],
  [
    'save(array)',
    () =>
      db.manager.save([
        db.manager.create(Grade, { score: 5, student: { id: 1 } }),
        db.manager.create(Grade, { id: 1, score: 8 }),
      ]),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'save(array, { chunk: 1 })',
    () =>
      db.manager.save(
        [db.manager.create(Grade, { id: 1, score: 8 }), db.manager.create(Submission, { id: 1, text: 'x' })],
        { chunk: 1 },
      ),
    ['course:c1', ...family(1), 'table:grade', 'table:submission'],
  ],
  [
    'save(row, { transaction: false })',
    () => db.manager.save(Grade, { id: 1, score: 9 }, { transaction: false }),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'save(row, { listeners: false })',
    () => db.manager.save(Grade, { id: 1, score: 9 }, { listeners: false }),
    everyGrade,
  ],
  [
    'save(new row, { reload: false })',
    () => db.manager.save(Grade, { score: 5, student: { id: 1 } }, { reload: false }),
    everyGrade,
  ],
  [
    'save() of a row with a composite key',
    () => db.manager.save(Enrolment, { studentId: 1, courseCode: 'c1', state: 'done' }),
    ['course:c1', 'student:1', 'table:enrolment'],
  ],
  [
    'save() of an embedded column',
    () => db.manager.save(Student, { id: 1, address: { city: 'Oslo' } }),
    [...family(1), 'table:student'],
  ],
  [
    'repo.insert()',
    () => db.manager.insert(Grade, { score: 5, student: { id: 1 }, courseCode: 'c1' }),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'repo.insert() of several rows',
    () =>
      db.manager.insert(Submission, [
        { text: 'a', studentId: 1 },
        { text: 'b', studentId: 1 },
      ]),
    ['parent:1', 'student:1', 'table:submission'],
  ],
  ['remove()', async () => db.manager.remove(await grade(1)), ['course:c1', ...family(1), 'table:grade']],
  [
    'remove({ id })',
    () => db.manager.remove(db.manager.create(Grade, { id: 1 })),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'remove(array)',
    async () => db.manager.remove([await grade(1), await grade(2)]),
    ['course:c1', 'course:c2', 'parent:1', 'parent:2', 'student:1', 'student:2', 'table:grade', 'tutor:1', 'tutor:2'],
  ],
  [
    'remove() of a row that does not exist',
    () => db.manager.remove(db.manager.create(Grade, { id: 99 })),
    ['table:grade'],
  ],
  ['softRemove()', async () => db.manager.softRemove(await grade(1)), ['course:c1', ...family(1), 'table:grade']],
  [
    'recover()',
    async () => {
      const one = await db.manager.softRemove(await grade(1));
      school.recorder.reset();
      await db.manager.recover(one);
    },
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'save({ id, deletedAt })',
    () => db.manager.save(Grade, { id: 1, deletedAt: new Date(0) }),
    ['course:c1', ...family(1), 'table:grade'],
  ],
  [
    'query builder .useTransaction(true)',
    () =>
      db
        .createQueryBuilder()
        .insert()
        .into(Submission)
        .values({ text: 'a', studentId: 1 })
        .useTransaction(true)
        .execute(),
    ['parent:1', 'student:1', 'table:submission'],
  ],
  [
    'query builder insert into a table name',
    () => db.createQueryBuilder().insert().into('submission').values({ text: 'a', studentId: 1 }).execute(),
    ['parent:1', 'student:1', 'table:submission'],
  ],

  // Rows unknown: the whole of every kind that the rules can name.
  [
    'query builder insert .updateEntity(false)',
    () => db.createQueryBuilder().insert().into(Grade).values({ score: 1 }).updateEntity(false).execute(),
    everyGrade,
  ],
  [
    'query builder insert .orIgnore()',
    () =>
      db
        .createQueryBuilder()
        .insert()
        .into(Grade)
        .values([{ id: 1, score: 1 }, { score: 2 }])
        .orIgnore()
        .execute(),
    everyGrade,
  ],
  [
    'upsert() of a new row',
    () => db.manager.upsert(Grade, { id: 50, score: 1, student: { id: 1 } }, ['id']),
    everyGrade,
  ],
  [
    'upsert() of an existing row',
    () => db.manager.upsert(Grade, { id: 1, score: 1, student: { id: 2 } }, ['id']),
    everyGrade,
  ],
  [
    'upsert() { skipUpdateIfNoValuesChanged }',
    () => db.manager.upsert(Grade, [{ id: 1, score: 1 }], { conflictPaths: ['id'], skipUpdateIfNoValuesChanged: true }),
    everyGrade,
  ],
  ['repo.update(id, …)', () => db.manager.update(Grade, 1, { score: 2 }), everyGrade],
  ['repo.update(criteria, …)', () => db.manager.update(Grade, { score: 1 }, { score: 2 }), everyGrade],
  ['repo.update() that meets no row', () => db.manager.update(Grade, 99, { score: 2 }), everyGrade],
  [
    'query builder update("table")',
    () => db.createQueryBuilder().update('grade').set({ score: 2 }).where('id = 1').execute(),
    everyGrade,
  ],
  [
    'query builder update .whereEntity()',
    async () =>
      db
        .createQueryBuilder()
        .update(Grade)
        .set({ score: 2 })
        .whereEntity(await grade(1))
        .execute(),
    everyGrade,
  ],
  ['increment()', () => db.manager.increment(Grade, { id: 1 }, 'score', 1), everyGrade],
  ['decrement()', () => db.manager.decrement(Grade, { id: 1 }, 'score', 1), everyGrade],
  ['softDelete(criteria)', () => db.manager.softDelete(Grade, 1), everyGrade],
  ['restore(criteria)', () => db.manager.restore(Grade, 1), everyGrade],
  ['delete(criteria)', () => db.manager.delete(Grade, 1), everyGrade],
  ['query builder delete', () => db.createQueryBuilder().delete().from(Grade).where('id = 1').execute(), everyGrade],
  [
    'query builder .callListeners(false)',
    () => db.createQueryBuilder().update(Grade).set({ score: 2 }).where('id = 1').callListeners(false).execute(),
    everyGrade,
  ],
  ['query()', () => db.query(`UPDATE grade SET score = 3 WHERE id = 1`), everyGrade],
];

describe('§9 write paths of one table', () => {
  it.each(table)('%s', async (_name, act, tags) => {
    await act();
    expect(school.recorder.tags).toEqual([...tags].sort());
    expect(school.recorder.eventsOf('cascadeFailed')).toEqual([]);
  });

  it('clear() empties the tables that the database empties with it', async () => {
    await db.query('TRUNCATE student CASCADE');
    const tables = ['grade', 'parent', 'remark', 'student', 'student_parents_parent', 'submission'];
    const expected = ['course:*', 'parent:*', 'student:*', 'tutor:*', ...tables.map((name) => `table:${name}`)];
    expect(school.recorder.tags).toEqual(expected.sort());
    school.recorder.reset();
    await db.manager.clear(Enrolment);
    expect(school.recorder.tags).toEqual(['course:*', 'student:*', 'table:enrolment']);
  });

  it('a transaction with several saves is one flush of exactly the people concerned', async () => {
    await db.transaction(async (manager) => {
      await manager.save(Grade, { id: 1, score: 9 });
      await manager.save(Submission, { text: 'new', studentId: 1 });
      await manager.insert(Enrolment, { studentId: 1, courseCode: 'c2' });
    });
    expect(school.recorder.flushes).toEqual([
      {
        cause: 'commit',
        tags: ['course:c1', 'course:c2', ...family(1), 'table:enrolment', 'table:grade', 'table:submission'].sort(),
      },
    ]);
  });

  it('nothing of an announced write counts as raw', async () => {
    await db.manager.save(Grade, { id: 1, score: 9 });
    await db.manager.save(Grade, [
      { score: 1, student: { id: 1 } },
      { score: 2, student: { id: 1 } },
    ]);
    await db.manager.insert(Submission, { text: 'x', studentId: 1 });
    await db.manager.remove(await grade(1));
    await db.manager.upsert(Course, { code: 'c1', title: 'x' }, ['code']);
    await db.manager.update(Tutor, 1, { name: 'x' });
    await db.manager.delete(Parent, { name: 'nobody' });
    expect(school.recorder.eventsOf('rawWrite')).toEqual([]);
  });

  it('more than 64 ids of one kind become the whole kind', async () => {
    const students = await db.manager.save(
      Student,
      Array.from({ length: 65 }, (_, i) => ({ name: `s${i}` })),
    );
    expect(school.recorder.tags).toEqual(['student:*', 'table:student']);
    school.recorder.reset();
    await db.manager.save(
      Student,
      students.slice(0, 64).map((one) => Object.assign(one, { name: 'x' })),
    );
    expect(school.recorder.tags).toHaveLength(65);
    expect(school.recorder.tags).not.toContain('student:*');
  });

  it('writes beside the rules are told by their table alone', async () => {
    await db.manager.save(Tutor, { id: 1, name: 'x' });
    expect(school.recorder.tags).toEqual(['table:tutor']);
  });

  it('bookkeeping of a tree is not overlooked', async () => {
    const root = await db.manager.save(Topic, { name: 'root' });
    expect(school.recorder.tags).toContain('table:topic_closure');
    const child = await db.manager.save(Topic, { name: 'child', parent: root });
    const other = await db.manager.save(Topic, { name: 'other' });
    school.recorder.reset();
    await db.manager.save(Topic, Object.assign(child, { parent: other }));
    expect(school.recorder.tags).toEqual(['table:topic', 'table:topic_closure', 'topic:*']);
  });
});
