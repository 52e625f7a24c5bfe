// Relations and cascades: what one call changes in other tables, and which of it the events reveal.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { Grade, Parent, Remark, Student, Submission, Tutor } from './support/entities.js';
import { openSchool, type School } from './support/school.js';

let school: School;
let db: DataSource;

beforeAll(async () => {
  school = await openSchool('relations');
  db = school.dataSource;
});
afterAll(() => school.close());
beforeEach(() => school.seed());

const family = (n: number): string[] => [`parent:${n}`, `student:${n}`, `tutor:${n}`];
const all = (...tags: (string | string[])[]): string[] => [...new Set(tags.flat())].sort();
const everySubmission = ['parent:*', 'student:*', 'table:submission'];
const everyStudent = ['parent:*', 'student:*', 'tutor:*', 'table:student'];
const link = ['table:parent', 'table:student', 'table:student_parents_parent'];
const student = (id: number, ...relations: string[]): Promise<Student> =>
  db.getRepository(Student).findOneOrFail({
    where: { id },
    relations: Object.fromEntries(relations.map((name) => [name, true])),
  });

describe('§9.6 parents: the old and the new one', () => {
  it.each<readonly [string, () => Promise<unknown>, readonly string[]]>([
    [
      'moved by save({ id, student })',
      () => db.manager.save(Grade, { id: 1, student: { id: 2 } }),
      all('course:c1', family(1), family(2), 'table:grade'),
    ],
    [
      'moved by save({ id, studentId })',
      () => db.manager.save(Submission, { id: 1, studentId: 2 }),
      all('parent:1', 'parent:2', 'student:1', 'student:2', 'table:submission'),
    ],
    [
      'moved through a loaded relation',
      async () => {
        const one = await db
          .getRepository(Submission)
          .findOneOrFail({ where: { id: 1 }, relations: { student: true } });
        one.student = await student(2);
        await db.manager.save(one);
      },
      all('parent:1', 'parent:2', 'student:1', 'student:2', 'table:submission'),
    ],
    [
      'set to null',
      () => db.manager.save(Grade, { id: 1, student: null as never }),
      all('course:c1', family(1), 'table:grade'),
    ],
    [
      'another column of a row whose parent is a relation alone',
      () => db.manager.save(Remark, { id: 1, text: 'x' }),
      all('student:1', 'table:remark'),
    ],
    [
      'adopted by saving the new parent',
      async () => db.manager.save(Student, { id: 2, submissions: [{ id: 1 }, { id: 2 }] }),
      all('parent:1', 'parent:2', 'student:1', 'student:2', 'table:submission'),
    ],
    ['moved by repo.update()', () => db.manager.update(Submission, 1, { studentId: 2 }), everySubmission],
    [
      'relation query builder .set() on N:1',
      () => db.createQueryBuilder().relation(Submission, 'student').of(1).set(2),
      everySubmission,
    ],
    [
      'relation query builder .add() on 1:N',
      () => db.createQueryBuilder().relation(Student, 'submissions').of(2).add(1),
      everySubmission,
    ],
    [
      'relation query builder .remove() on 1:N',
      () => db.createQueryBuilder().relation(Student, 'submissions').of(1).remove(1),
      everySubmission,
    ],
    [
      'moved by upsert()',
      () => db.manager.upsert(Submission, { id: 1, text: 'x', studentId: 2 }, ['id']),
      everySubmission,
    ],
  ])('%s', async (_name, act, tags) => {
    await act();
    expect(school.recorder.tags).toEqual([...tags].sort());
    expect(school.recorder.eventsOf('cascadeFailed')).toEqual([]);
  });
});

describe('§9 cascades of the ORM', () => {
  it('inserts a parent with children: the children are told apart although they lack the relation', async () => {
    const created = await db.manager.save(Student, {
      name: 'new',
      tutor: { id: 1 },
      submissions: [{ text: 'a' }],
      remarks: [{ text: 'b' }],
    });
    expect(created.id).toBe(3);
    expect(school.recorder.tags).toEqual(
      all('student:3', 'tutor:1', 'table:remark', 'table:student', 'table:submission'),
    );
    expect(school.recorder.eventsOf('rawWrite')).toEqual([]);
  });

  it('updates a child through its parent: no event for the parent, the right one for the child', async () => {
    const one = await student(1, 'submissions');
    (one.submissions[0] as Submission).text = 'changed';
    await db.manager.save(one);
    expect(school.recorder.tags).toEqual(all('parent:1', 'student:1', 'table:submission'));
  });

  it('nullifies an orphan without saying which: everything of the kinds', async () => {
    await db.manager.save(Student, { id: 1, submissions: [] });
    expect(school.recorder.tags).toEqual(all(everySubmission));
    expect((await db.manager.findOneByOrFail(Submission, { id: 1 })).studentId).toBeNull();
  });

  it('deletes an orphan by id alone: its parent is looked up before it is gone', async () => {
    await db.manager.save(Student, { id: 1, remarks: [] });
    expect(school.recorder.tags).toEqual(all('student:1', 'table:remark'));
    expect(await db.manager.countBy(Remark, { text: 'r1' })).toBe(0);
  });
});

describe('§9.7 junction tables', () => {
  it.each<readonly [string, () => Promise<unknown>, readonly string[]]>([
    [
      'a parent is added by save()',
      async () => {
        const one = await student(1, 'parents');
        one.parents.push(await db.manager.findOneByOrFail(Parent, { id: 2 }));
        await db.manager.save(one);
      },
      all(family(1), 'parent:2', link),
    ],
    [
      'a parent is removed by save(): the one who left is told too',
      async () => db.manager.save(Object.assign(await student(1, 'parents'), { parents: [] })),
      all(family(1), link),
    ],
    [
      'relation query builder .add()',
      () => db.createQueryBuilder().relation(Student, 'parents').of(1).add(2),
      all(family(1), 'parent:2', link),
    ],
    [
      'relation query builder .remove() says nothing',
      () => db.createQueryBuilder().relation(Student, 'parents').of(1).remove(1),
      all(everyStudent, link),
    ],
    [
      'relation query builder .addAndRemove()',
      () => db.createQueryBuilder().relation(Student, 'parents').of(1).addAndRemove(2, 1),
      all(everyStudent, 'student:1', 'tutor:1', 'parent:2', link),
    ],
  ])('%s', async (_name, act, tags) => {
    await act();
    expect(school.recorder.tags).toEqual([...tags].sort());
  });
});

describe('§9.6 deleted parents', () => {
  const cascaded = all(everyStudent, 'course:*', 'table:grade', 'table:remark', 'table:submission');

  it('remove(student): tables that the database empties or nullifies are written coarsely', async () => {
    await db.query('DELETE FROM remark');
    school.recorder.reset();
    await db.manager.remove(await student(1));
    // Grades go with the student (CASCADE), submissions lose it (SET NULL); junction rows are removed by the ORM.
    expect(school.recorder.tags).toEqual(
      all('course:*', 'parent:*', 'student:*', 'tutor:*', link, 'table:grade', 'table:submission'),
    );
    expect(await db.manager.countBy(Grade, { courseCode: 'c1' })).toBe(0);
  });

  it('delete(criteria): the same, and the junction as well', async () => {
    await db.query('DELETE FROM remark');
    school.recorder.reset();
    await db.manager.delete(Student, 1);
    expect(school.recorder.tags).toEqual(
      all(
        cascaded.filter((tag) => tag !== 'table:remark'),
        link,
      ),
    );
  });

  it('a parent that no foreign key follows is told alone', async () => {
    await db.query('UPDATE student SET "tutorId" = NULL WHERE id = 1');
    school.recorder.reset();
    await db.manager.remove(await db.manager.findOneByOrFail(Tutor, { id: 1 }));
    expect(school.recorder.tags).toEqual(['table:tutor']);
  });
});
