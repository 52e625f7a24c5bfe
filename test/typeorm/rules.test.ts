// Cascade rules: paths, functions of partly known rows, and what happens when a rule is wrong.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { EVERYTHING, tag, type Tag } from '../../src/entry/tags.js';
import { TypeormPlugin } from '../../src/typeorm/plugin.js';
import { Enrolment, Grade, Parent, Remark, Student, Submission, Topic } from './support/entities.js';
import { openSchool, type School } from './support/school.js';

let school: School;
let db: DataSource;
let plugin: TypeormPlugin;

beforeAll(async () => {
  school = await openSchool('rules', { rules: () => undefined });
  db = school.dataSource;
  school.plugin.disconnect(db);
});
afterAll(() => school.close());
beforeEach(async () => {
  await school.seed();
  const { recorder } = school;
  plugin = new TypeormPlugin({
    invalidator: recorder,
    transactions: recorder,
    emit: recorder.emit,
    clock: recorder.clock,
  });
});
afterEach(() => plugin.disconnect(db));

const tags = (): string[] => school.recorder.tags;

describe('paths', () => {
  it('end at columns, relations, embedded columns and lists of paths', async () => {
    plugin
      .cascade(Grade, { class: 'courseCode', person: ['student', 'student.tutor.id', 'student.parents.id'] })
      .cascade(Student, { city: 'address.city', work: 'submissions' });
    await plugin.connect(db);
    await db.query(`UPDATE student SET "addressCity" = 'Oslo' WHERE id = 1`);
    await db.query(`INSERT INTO parent (name) VALUES ('third'); INSERT INTO student_parents_parent VALUES (1, 3)`);
    school.recorder.reset();
    await db.manager.save(Grade, { id: 1, score: 8 });
    expect(tags()).toEqual(['class:c1', 'person:1', 'person:3', 'table:grade']);
    school.recorder.reset();
    await db.manager.save(Student, { id: 1, address: { city: 'Rome' } });
    expect(tags()).toEqual(['city:Oslo', 'city:Rome', 'table:student', 'work:1']);
  });

  it('ask once per path and flush, however many rows', async () => {
    plugin.cascade(Submission, { parent: 'student.parents', tutor: 'student.tutor' });
    await plugin.connect(db);
    await db.manager.insert(
      Submission,
      Array.from({ length: 40 }, () => ({ text: 'x', studentId: 1 })),
    );
    const asked: string[] = [];
    db.subscribers.push({ beforeQuery: (event: { query: string }) => void asked.push(event.query) });
    await db.transaction(async (manager) => {
      for (const id of [1, 2, 3, 4, 5]) await manager.save(Submission, { id, text: 'y', studentId: (id % 2) + 1 });
    });
    db.subscribers.pop();
    const committed = asked.indexOf('COMMIT');
    expect(asked.slice(committed + 1)).toHaveLength(2);
    expect(tags()).toEqual(['parent:1', 'parent:2', 'table:submission', 'tutor:1', 'tutor:2']);
  });

  it('survive a row that refers to nothing', async () => {
    plugin.cascade(Grade, { student: 'student.id', parent: 'student.parents' });
    await plugin.connect(db);
    await db.manager.save(Grade, { score: 1 });
    expect(tags()).toEqual(['table:grade']);
  });

  it('resolve a removed row before it is gone, inside its transaction and without harming it', async () => {
    plugin.cascade(Student, { parent: 'parents', remark: 'remarks' });
    await plugin.connect(db);
    await db.query('UPDATE remark SET "studentId" = 1');
    await db.query('DELETE FROM remark');
    school.recorder.reset();
    await db.transaction(async (manager) => {
      await manager.remove(await manager.findOneByOrFail(Student, { id: 1 }));
      await manager.save(Parent, { id: 1, name: 'still works' });
    });
    expect(tags()).toEqual(expect.arrayContaining(['parent:1', 'table:student', 'table:parent']));
    expect(tags()).not.toContain('parent:*');
  });

  it('a look-up that fails becomes an event and the coarse tag, and the write goes through', async () => {
    plugin.cascade(Submission, { parent: 'student.parents', student: 'studentId' });
    await plugin.connect(db);
    await db.query('ALTER TABLE student_parents_parent RENAME TO hidden');
    school.recorder.reset();
    try {
      await db.manager.save(Submission, { id: 1, text: 'x' });
      expect(tags()).toEqual(['parent:*', 'student:1', 'table:submission']);
      expect(school.recorder.eventsOf('cascadeFailed')).toMatchObject([{ entity: 'Submission' }]);
      school.recorder.reset();
      // Inside the transaction, before a removal: the failure must not poison it.
      await db.transaction(async (manager) => {
        await manager.remove(await manager.findOneByOrFail(Submission, { id: 1 }));
      });
      expect(tags()).toEqual(['parent:*', 'student:1', 'table:submission']);
      expect(await db.manager.countBy(Submission, { id: 1 })).toBe(0);
    } finally {
      await db.query('ALTER TABLE hidden RENAME TO student_parents_parent');
    }
  });

  it.each<readonly [string, () => unknown]>([
    ['a column that does not exist', () => plugin.cascade('Grade', { student: 'pupil' as never })],
    ['a step behind a column', () => plugin.cascade('Grade', { student: 'score.id' as never })],
    ['an embedded object', () => plugin.cascade('Student', { city: 'address' as never })],
    ['a relation whose end has several keys', () => plugin.cascade('Student', { city: 'parents.nobody' as never })],
  ])('%s is refused by connect()', async (_name, register) => {
    register();
    await expect(plugin.connect(db)).rejects.toMatchObject({ code: 'ERC_CASCADE' });
    expect(db.subscribers).toHaveLength(0);
  });

  it('are refused at once when connected already, and then nothing is kept', async () => {
    await plugin.connect(db);
    expect(() => plugin.cascade(Grade, { ok: 'courseCode', bad: 'nonsense' as never })).toThrow('ERC_CASCADE');
    expect(() => plugin.cascade(Grade, { 'not a kind': 'courseCode' })).toThrow('ERC_CASCADE');
    await db.manager.save(Grade, { id: 1, score: 8 });
    expect(tags()).toEqual(['table:grade']);
    plugin.cascade(Grade, { course: 'courseCode' });
    school.recorder.reset();
    await db.manager.save(Grade, { id: 1, score: 9 });
    expect(tags()).toEqual(['course:c1', 'table:grade']);
  });

  it('wrong paths do not compile', () => {
    // @ts-expect-error no such property
    plugin.cascade(Grade, { student: 'pupil' });
    // @ts-expect-error no such property behind the relation
    plugin.cascade(Grade, { student: 'student.pupil' });
    // @ts-expect-error nothing comes after a column
    plugin.cascade(Grade, { student: 'score.id' });
    plugin.cascade(Grade, { tutor: 'student.tutor.name', street: 'student.address.street' });
    expect(plugin).toBeInstanceOf(TypeormPlugin);
  });
});

describe('functions', () => {
  it('see the old and the new state of the row', async () => {
    const seen: unknown[] = [];
    plugin.cascade(
      Enrolment,
      (row, change) => {
        seen.push([change.kind, change.version, row.state]);
        return [tag('state', row.state ?? '')];
      },
      { kinds: ['state'] },
    );
    await plugin.connect(db);
    await db.manager.save(Enrolment, { studentId: 1, courseCode: 'c1', state: 'done' });
    expect(seen).toEqual([
      ['update', 'old', 'open'],
      ['update', 'new', 'done'],
    ]);
    expect(tags()).toEqual(['state:done', 'state:open', 'table:enrolment']);
  });

  it('§9.3 old values come from databaseEntity only, and invented nulls are no values', async () => {
    plugin.cascade(
      Student,
      (row) => (row.nickname === null ? [tag('nick', 'none')] : [tag('nick', row.nickname ?? '')]),
      {
        kinds: ['nick'],
      },
    );
    await db.query(`UPDATE student SET nickname = 'ace'`);
    school.recorder.reset();
    await plugin.connect(db);
    const saved = await db.manager.save(Student, { id: 1, name: 'x' });
    expect(saved).toMatchObject({ nickname: null });
    expect(tags()).toEqual(['nick:ace', 'table:student']);
  });

  it('that read an unknown column are called again with the whole row', async () => {
    plugin.cascade(
      Remark,
      (row) => (row.student ? [tag('student', row.student.id), tag('text', row.text ?? '')] : []),
      { kinds: ['student', 'text'] },
    );
    await plugin.connect(db);
    // The foreign key has no property and is not loaded; `row.student && …` alone would lose it.
    await db.manager.save(Remark, { id: 1, text: 'new' });
    expect(tags()).toEqual(['student:1', 'table:remark', 'text:new', 'text:r1']);
    school.recorder.reset();
    await db.manager.remove(db.manager.create(Remark, { id: 1 }));
    expect(tags()).toEqual(['student:1', 'table:remark', 'text:new']);
  });

  it('may name constants', async () => {
    plugin.cascade(Parent, () => [tag('dashboard', 'all')], { kinds: ['dashboard'] });
    await plugin.connect(db);
    await db.manager.save(Parent, { id: 1, name: 'x' });
    expect(tags()).toEqual(['dashboard:all', 'table:parent']);
  });

  it('without declared kinds cost everything when the rows are unknown, and advice is given once', async () => {
    plugin.cascade(Parent, (row) => [tag('parent', row.id ?? 0)]);
    await plugin.connect(db);
    await db.manager.save(Parent, { id: 1, name: 'x' });
    expect(tags()).toEqual(['parent:1', 'table:parent']);
    await db.manager.update(Parent, 1, { name: 'y' });
    await db.manager.update(Parent, 2, { name: 'y' });
    expect(tags()).toContain('*');
    expect(school.recorder.eventsOf('advice')).toMatchObject([{ code: 'cascade-kinds:Parent' }]);
  });

  it.each<readonly [string, () => Iterable<Tag>]>([
    [
      'throws',
      () => {
        throw new Error('broken rule');
      },
    ],
    ['returns something else than a tag', () => ['parent 1' as Tag]],
    ['returns nothing', () => undefined as never],
    ['is asynchronous', (() => Promise.reject(new Error('late'))) as never],
  ])('a rule that %s costs its coarse tags, not the write', async (_name, rule) => {
    plugin.cascade(Parent, rule, { kinds: ['parent'] });
    await plugin.connect(db);
    await db.manager.save(Parent, { id: 1, name: 'x' });
    expect(tags()).toEqual(['parent:*', 'table:parent']);
    expect(school.recorder.eventsOf('cascadeFailed')).toMatchObject([{ entity: 'Parent' }]);
    expect(await db.manager.countBy(Parent, { name: 'x' })).toBe(1);
  });

  it('that produce a kind they did not declare cost everything once', async () => {
    plugin.cascade(Parent, (row) => [tag('surprise', row.id ?? 0)], { kinds: ['parent'] });
    await plugin.connect(db);
    await db.manager.save(Parent, { id: 1, name: 'x' });
    expect(tags()).toEqual([EVERYTHING]);
    school.recorder.reset();
    await db.manager.update(Parent, 1, { name: 'y' });
    expect(tags()).toEqual(['parent:*', 'surprise:*', 'table:parent']);
  });

  it('and paths may both be registered', async () => {
    plugin.cascade(Topic, { topic: 'id' }).cascade(Topic, () => [tag('menu', 'main')], { kinds: ['menu'] });
    await plugin.connect(db);
    await db.manager.save(Topic, { name: 'x' });
    expect(tags()).toEqual(expect.arrayContaining(['menu:*', 'topic:*', 'table:topic', 'table:topic_closure']));
  });
});

describe('ids in tags', () => {
  it('are spelled as the database spells them, whatever the caller wrote', async () => {
    plugin.cascade(Submission, { student: 'studentId' });
    await plugin.connect(db);
    await db.manager.insert(Submission, { text: 'x', studentId: ' 01 ' as never });
    expect(tags()).toEqual(['student:1', 'table:submission']);
    school.recorder.reset();
    await db.manager.insert(Submission, { text: 'x', studentId: (() => '1 + 1') as never });
    expect(tags()).toEqual(['student:2', 'table:submission']);
  });
});
