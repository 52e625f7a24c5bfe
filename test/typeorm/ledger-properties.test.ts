// PROPERTY of the ledger, over random nests of transactions: what was committed is invalidated, what was rolled back is not.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { EntityManager } from 'typeorm';
import { EVERYTHING, kindOf, wholeKind } from '../../src/entry/tags.js';
import { Submission } from './support/entities.js';
import { openSchool, type School } from './support/school.js';

let school: School;
beforeAll(async () => {
  school = await openSchool('ledger_properties');
  await school.seed();
});
afterAll(() => school.close());

type Family = 1 | 2;
/** A submission of student 1 or 2 is changed, or handed to a student; both have one parent, with their own number. */
type Write =
  | { readonly write: 'save' | 'criteria' | 'raw'; readonly submission: Family }
  | { readonly write: 'move' | 'insert'; readonly submission: Family; readonly student: Family };
type Step = Write | { readonly steps: readonly Step[]; readonly ends: 'commit' | 'rollback' };

const family = fc.constantFrom<Family[]>(1, 2);
const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({ write: fc.constantFrom('save' as const, 'criteria' as const, 'raw' as const), submission: family }),
  fc.record({ write: fc.constantFrom('move' as const, 'insert' as const), submission: family, student: family }),
);
const { step } = fc.letrec<{ step: Step; nest: Step }>((tie) => ({
  step: fc.oneof({ maxDepth: 3 }, { weight: 3, arbitrary: write }, { weight: 2, arbitrary: tie('nest') }),
  nest: fc.record({
    steps: fc.array(tie('step'), { minLength: 1, maxLength: 4 }),
    ends: fc.constantFrom('commit' as const, 'rollback' as const),
  }),
}));

/** What a history should come to, kept beside the database. */
interface Model {
  /** Whose a submission is. */
  readonly studentOf: Record<Family, Family>;
  /** Families whose reports have changed. */
  readonly changed: Set<Family>;
  /** Nothing was written in a way that says which rows it touched. */
  precise: boolean;
  /** Anything was written at all. */
  wrote: boolean;
}

const newModel = (studentOf: Model['studentOf']): Model => ({
  studentOf: { ...studentOf },
  changed: new Set(),
  precise: true,
  wrote: false,
});

const CHANGED_ITS_MIND = new Error('changed its mind');
let texts = 0;

async function perform(manager: EntityManager, model: Model, steps: readonly Step[]): Promise<void> {
  for (const one of steps) {
    if ('write' in one) await change(manager, model, one);
    else await nest(manager, model, one);
  }
}

async function nest(manager: EntityManager, outer: Model, { steps, ends }: Extract<Step, { steps: unknown }>) {
  const inner = newModel(outer.studentOf);
  const done = manager.transaction(async (nested) => {
    await perform(nested, inner, steps);
    if (ends === 'rollback') throw CHANGED_ITS_MIND;
  });
  if (ends === 'rollback') return expect(done).rejects.toBe(CHANGED_ITS_MIND);
  await done;
  Object.assign(outer.studentOf, inner.studentOf);
  for (const student of inner.changed) outer.changed.add(student);
  outer.precise &&= inner.precise;
  outer.wrote ||= inner.wrote;
}

async function change(manager: EntityManager, model: Model, one: Write) {
  texts += 1;
  const text = `text ${texts}`;
  const id = one.submission;
  model.wrote = true;
  if (one.write !== 'insert') model.changed.add(model.studentOf[id]);
  switch (one.write) {
    case 'save':
      return manager.save(Submission, { id, text });
    case 'criteria':
      model.precise = false;
      return manager.update(Submission, { id }, { text });
    case 'raw':
      model.precise = false;
      return manager.query('UPDATE submission SET text = $1 WHERE id = $2', [text, id]);
    case 'move':
      model.studentOf[id] = one.student;
      model.changed.add(one.student);
      return manager.save(Submission, { id, text, studentId: one.student });
    case 'insert':
      model.changed.add(one.student);
      return manager.save(Submission, { text, studentId: one.student });
  }
}

function covers(tags: readonly string[], wanted: string): boolean {
  return [wanted, wholeKind(kindOf(wanted)), EVERYTHING].some((tag) => tags.includes(tag));
}

async function run(steps: readonly Step[]): Promise<void> {
  const { dataSource, recorder } = school;
  await dataSource.query('DELETE FROM submission WHERE id > 2');
  await dataSource.query('UPDATE submission SET "studentId" = id');
  const model = newModel({ 1: 1, 2: 2 });
  for (const one of steps) {
    recorder.reset();
    const now = newModel(model.studentOf);
    await perform(dataSource.manager, now, [one]);
    Object.assign(model.studentOf, now.studentOf);
    const { tags } = recorder;
    if (!now.wrote) expect(tags).toEqual([]);
    for (const student of now.changed) {
      for (const tag of [`student:${student}`, `parent:${student}`, 'table:submission'])
        expect({ tag, tags, covered: covers(tags, tag) }).toMatchObject({ covered: true });
    }
    if (!now.precise) continue;
    for (const student of [1, 2] as const)
      if (!now.changed.has(student)) expect(tags).not.toContain(`student:${student}`);
    expect(tags).not.toContain('student:*');
  }
  const kept = (await dataSource.query('SELECT id, "studentId" FROM submission WHERE id < 3')) as Submission[];
  expect(Object.fromEntries(kept.map(({ id, studentId }) => [id, studentId]))).toEqual(model.studentOf);
}

describe('PROPERTY the ledger', () => {
  it('names all that a history has committed and nothing that it has rolled back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => run(steps)),
      { numRuns: 150 },
    );
  });
});
