// Random writes: what the ORM's own path names, and what changed by a plain comparison, the triggers have written too.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { TypeormPlugin } from '../../../src/typeorm/plugin.js';
import { Enrolment, Grade, type Parent, Student, Submission, type Tutor } from '../support/entities.js';
import { Recorder } from '../support/recorder.js';
import { schoolRules } from '../support/school.js';
import { openOutbox, rule, SCHOOL_RULES, seed, type Outbox } from './support.js';

let box: Outbox;
let db: DataSource;
const recorder = new Recorder();

beforeAll(async () => {
  // A path is followed as things stand after each statement, so a row that joins it later has to name itself.
  box = await openOutbox('differential', { rules: [...SCHOOL_RULES, ...rule(Submission, { work: 'id' })] });
  db = box.dataSource;
  // Nothing forbids a student to go or to be renumbered.
  const keys: { table: string; name: string }[] =
    await db.query(`SELECT conrelid::regclass::text AS table, quote_ident(conname) AS name
    FROM pg_constraint WHERE confrelid = 'student'::regclass AND contype = 'f' AND confupdtype = 'a'`);
  for (const { table, name } of keys) await db.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
  await db.query(`ALTER TABLE grade ADD FOREIGN KEY ("studentId") REFERENCES student ON DELETE CASCADE ON UPDATE CASCADE;
    ALTER TABLE submission ADD FOREIGN KEY ("studentId") REFERENCES student ON DELETE SET NULL ON UPDATE CASCADE`);
  const plugin = new TypeormPlugin({
    invalidator: recorder,
    transactions: recorder,
    emit: recorder.emit,
    clock: recorder.clock,
    ownTables: ['report_cache_outbox'],
  });
  schoolRules(plugin).cascade(Student, { work: 'submissions' }).cascade(Submission, { work: 'id' });
  await plugin.connect(db);
});
afterAll(() => box.close());

type Write = (a: number, b: number) => string | (() => Promise<unknown>);
const m = (run: (manager: DataSource['manager']) => Promise<unknown>) => () => run(db.manager);

/** `a` and `b` are small ids; many of them exist. */
const writes: Readonly<Record<string, Write>> = {
  'insert grades': (a, b) =>
    `INSERT INTO grade (score, "studentId", "courseCode") SELECT 1, id, 'c1' FROM student WHERE id IN (${a}, ${b})`,
  'move grades': (a, b) =>
    `UPDATE grade SET "studentId" = (SELECT id FROM student WHERE id = ${a}) WHERE id % 3 = ${b % 3}`,
  'delete grades': (a) => `DELETE FROM grade WHERE "studentId" = ${a}`,
  'update every grade': () => 'UPDATE grade SET score = score + 1',
  'truncate grades': () => 'TRUNCATE grade',
  'another tutor': (a, b) => `UPDATE student SET "tutorId" = (SELECT id FROM tutor WHERE id = ${b}) WHERE id = ${a}`,
  'delete a student': (a) => `DELETE FROM student WHERE id = ${a}`,
  'delete a student whose remarks go first': (a) =>
    `WITH gone AS (DELETE FROM remark WHERE "studentId" = ${a}) DELETE FROM student WHERE id = ${a}`,
  'delete a parent': (a) => `DELETE FROM parent WHERE id = ${a}`,
  'a new number': (a, b) => `UPDATE student SET id = id + 50 WHERE id = ${a} AND ${b} > 2`,
  link: (a, b) =>
    `INSERT INTO student_parents_parent SELECT s.id, p.id FROM student s, parent p WHERE s.id = ${a} AND p.id = ${b} ON CONFLICT DO NOTHING`,
  relink: (a, b) =>
    `UPDATE student_parents_parent SET "parentId" = (SELECT id FROM parent WHERE id = ${b}) WHERE "studentId" = ${a} AND EXISTS (SELECT FROM parent WHERE id = ${b})`,
  unlink: (a) => `DELETE FROM student_parents_parent WHERE "studentId" = ${a}`,
  'upsert enrolments': (a, b) =>
    `INSERT INTO enrolment VALUES (${a}, 'c${b}'), (${b}, 'c${b}') ON CONFLICT ("studentId", "courseCode") DO UPDATE SET state = 'again'`.replace(
      a === b ? /, \(\d+, 'c\d'\)/ : /^$/,
      '',
    ),
  'grade and student in one statement': (a, b) =>
    `WITH g AS (UPDATE grade SET score = 7 WHERE "studentId" = ${a}) UPDATE student SET "tutorId" = NULL WHERE id IN (${a}, ${b})`,
  'move submissions': (a, b) =>
    `UPDATE submission SET "studentId" = (SELECT id FROM student WHERE id = ${b}) WHERE "studentId" = ${a}`,
  'more people': () =>
    `INSERT INTO tutor (name) VALUES ('t'); INSERT INTO parent (name) VALUES ('p'); INSERT INTO student (name, "tutorId") SELECT 's', max(id) FROM tutor`,
  'orm: save a grade': (a, b) => m((e) => e.save(Grade, { id: a, score: b, student: { id: b } })),
  'orm: update grades': (a, b) => m((e) => e.update(Grade, { student: { id: a } }, { score: b })),
  'orm: remove a grade': (a) =>
    m(async (e) => e.remove(await e.find(Grade, { where: { id: a }, relations: { student: true } }))),
  'orm: soft remove': (a) => m(async (e) => e.softRemove(await e.findBy(Grade, { id: a }))),
  'orm: save parents': (a, b) => m((e) => e.save(Student, { id: a, name: `n${b}`, parents: [{ id: b }] as Parent[] })),
  'orm: save a tutor': (a, b) => m((e) => e.save(Student, { id: a, tutor: { id: b } as Tutor })),
  'orm: remove a student': (a) =>
    m(async (e) => e.remove(await e.find(Student, { where: { id: a }, relations: { parents: true } }))),
  'orm: insert work': (a, b) => m((e) => e.insert(Submission, { text: `w${b}`, studentId: a })),
  'orm: save work': (a, b) =>
    m((e) => e.save(Student, { id: a, name: 'w', submissions: [{ text: `x${b}` }] as Submission[] })),
  'orm: delete work': (a) => m((e) => e.delete(Submission, { studentId: a })),
  'orm: upsert': (a, b) =>
    m((e) => e.upsert(Enrolment, { studentId: a, courseCode: `c${b}` }, ['studentId', 'courseCode'])),
};

type Rows = Readonly<Record<string, ReadonlyMap<string, Record<string, number | string | null>>>>;

async function snapshot(): Promise<Rows> {
  const tables: [string, Map<string, Record<string, number | string | null>>][] = [];
  for (const { tableName, primaryColumns } of db.entityMetadatas) {
    const rows: Record<string, number | string | null>[] = await db.query(`SELECT * FROM "${tableName}"`);
    tables.push([tableName, new Map(rows.map((row) => [primaryColumns.map((c) => row[c.databaseName]).join(), row]))]);
  }
  return Object.fromEntries(tables);
}

/** The rules of the school once more, by hand, over all rows at one moment. */
function concerned(table: string, row: Record<string, number | string | null>, state: Rows): string[] {
  const tags: string[] = [`table:${table}`];
  const add = (kind: string, id: number | string | null | undefined): void =>
    void (id !== null && id !== undefined && tags.push(`${kind}:${id}`));
  const student = state['student']!.get(String(row['studentId']));
  const parents = (id: number | string | null | undefined): void => {
    for (const link of state['student_parents_parent']!.values())
      if (link['studentId'] === id) add('parent', link['parentId']);
  };
  if (table === 'student') {
    add('student', row['id']);
    add('tutor', row['tutorId']);
    parents(row['id']);
    for (const one of state['submission']!.values()) if (one['studentId'] === row['id']) add('work', one['id']);
  }
  if (table === 'submission') add('work', row['id']);
  if (['grade', 'submission', 'remark', 'enrolment', 'student_parents_parent'].includes(table))
    add('student', row['studentId']);
  if (table === 'grade' || table === 'enrolment') add('course', row['courseCode']);
  if (table === 'grade') add('tutor', student?.['tutorId']);
  if ((table === 'grade' || table === 'submission') && student) parents(student['id']);
  if (table === 'student_parents_parent') {
    add('parent', row['parentId']);
    add('tutor', student?.['tutorId']);
  }
  return tags;
}

function needed(before: Rows, after: Rows): Set<string> {
  const tags = new Set<string>();
  for (const table of Object.keys(before)) {
    for (const key of new Set([...before[table]!.keys(), ...after[table]!.keys()])) {
      const old = before[table]!.get(key);
      const now = after[table]!.get(key);
      if (JSON.stringify(old) === JSON.stringify(now)) continue;
      if (old) for (const one of concerned(table, old, before)) tags.add(one);
      if (now) for (const one of concerned(table, now, after)) tags.add(one);
    }
  }
  return tags;
}

function uncovered(tags: Iterable<string>, written: readonly string[]): string[] {
  const have = new Set(written);
  return [...tags].filter((one) => !have.has('*') && !have.has(one) && !have.has(`${one.split(':')[0]}:*`));
}

interface Step {
  readonly name: string;
  readonly a: number;
  readonly b: number;
}

/** Does the steps one after another; returns those that wrote something. */
async function compare(steps: readonly Step[]): Promise<string[]> {
  const wrote: string[] = [];
  await seed(box);
  let before = await snapshot();
  for (const { name, a, b } of steps) {
    let failed = false;
    const written = await box.tagsOf(async () => {
      recorder.reset();
      const write = writes[name]!(a, b);
      // A write that a foreign key refuses has changed nothing.
      await (typeof write === 'string' ? db.query(write) : write()).catch(() => (failed = true));
    });
    if (failed) continue;
    const after = await snapshot();
    expect({ name, a, b, lost: uncovered(needed(before, after), written), written }).toMatchObject({ lost: [] });
    before = after;
    if (written.length === 0) continue;
    wrote.push(name);
    // Whole kinds are what the ORM path says where it does not know better; the comparison above has judged those.
    const exact = recorder.tags.filter((one) => !one.endsWith('*') && !one.startsWith('table:'));
    expect({ name, a, b, lost: uncovered(exact, written), written }).toMatchObject({ lost: [] });
  }
  return wrote;
}

describe('nothing that the ORM path or a plain comparison names is missing in the outbox', () => {
  it.each(Object.keys(writes))('%s', async (name) => {
    // Somebody without relations comes first, for what may not repeat itself.
    const steps = [
      { name: 'more people', a: 1, b: 1 },
      { name, a: 1, b: 3 },
      { name, a: 2, b: 1 },
    ];
    expect(await compare(steps)).toContain(name);
  });

  it('after any sequence of writes', async () => {
    const small = fc.integer({ min: 1, max: 4 });
    const step = fc.record({ name: fc.constantFrom(...Object.keys(writes)), a: small, b: small });
    const sequence = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      await compare(steps);
    });
    await fc.assert(sequence, { numRuns: 40, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: false });
    expect.hasAssertions();
  });
});
