// Writes a data set into the empty tables, in the order the foreign keys ask for.
import type { EntityManager } from 'typeorm';
import { generateActivity } from './activity.js';
import type { Dataset } from './dataset.js';
import { insert } from './insert.js';
import { addPeople, openExams } from './people.js';

export const TABLES = [
  'users',
  'module_presentations',
  'enrolments',
  'assessments',
  'submissions',
  'materials',
  'material_progress',
  'element_progress',
  'parent_links',
  'tutor_assignments',
  'reports',
  'report_concerns',
  'loaded_data',
] as const;

/** Everything in one transaction of the caller: a load that is interrupted leaves the tables empty. */
export async function loadDataset(manager: EntityManager, data: Dataset): Promise<void> {
  const people = addPeople(data);
  const activity = generateActivity(data);
  const presentationOf = new Map(data.assessments.map((one) => [one.id, one.presentationCode]));
  const gradedOn = new Map(data.presentations.map((one) => [one.code, Date.parse(one.startsOn)]));
  /** Marks come a week after the work: the data set has the day of submission only. */
  const gradedAt = (assessmentId: number, day: number): string | null => {
    const start = gradedOn.get(presentationOf.get(assessmentId) ?? '');
    return start === undefined ? null : new Date(start + (day + 7) * 86_400_000).toISOString();
  };

  await insert(manager, 'users', people.users, [
    ['id', 'int', (row) => row.id],
    ['role', 'text', (row) => row.role],
    ['name', 'text', (row) => row.name],
    ['login', 'text', (row) => row.login],
  ]);
  await insert(manager, 'module_presentations', data.presentations, [
    ['code', 'text', (row) => row.code],
    ['module', 'text', (row) => row.module],
    ['starts_on', 'date', (row) => row.startsOn],
    ['length_days', 'smallint', (row) => row.lengthDays],
    ['teacher_id', 'int', (row) => people.teachers.get(row.code)],
  ]);
  await insert(manager, 'tutor_assignments', people.tutorAssignments, [
    ['student_id', 'int', (row) => row.studentId],
    ['tutor_id', 'int', (row) => row.tutorId],
  ]);
  await insert(manager, 'parent_links', people.parentLinks, [
    ['parent_id', 'int', (row) => row.parentId],
    ['student_id', 'int', (row) => row.studentId],
  ]);
  await insert(manager, 'enrolments', data.enrolments, [
    ['presentation_code', 'text', (row) => row.presentationCode],
    ['student_id', 'int', (row) => row.studentId],
    ['registered_day', 'smallint', (row) => row.registeredDay],
    ['unregistered_day', 'smallint', (row) => row.unregisteredDay],
    ['final_result', 'text', (row) => row.finalResult],
    ['region', 'text', (row) => row.region],
    ['education', 'text', (row) => row.education],
    ['imd_band', 'text', (row) => row.imdBand],
    ['age_band', 'text', (row) => row.ageBand],
  ]);
  await insert(
    manager,
    'assessments',
    [...data.assessments, ...openExams(data)],
    [
      ['id', 'int', (row) => row.id],
      ['presentation_code', 'text', (row) => row.presentationCode],
      ['type', 'text', (row) => row.type],
      ['due_day', 'smallint', (row) => row.dueDay],
      ['weight', 'float8', (row) => row.weight],
    ],
  );
  await insert(manager, 'submissions', data.submissions, [
    ['assessment_id', 'int', (row) => row.assessmentId],
    ['student_id', 'int', (row) => row.studentId],
    ['submitted_day', 'smallint', (row) => row.submittedDay],
    ['banked', 'bool', (row) => row.banked],
    ['score', 'float8', (row) => row.score],
    [
      'graded_by_id',
      'int',
      (row) => (row.score === null ? null : people.teachers.get(presentationOf.get(row.assessmentId) ?? '')),
    ],
    ['graded_at', 'timestamptz', (row) => (row.score === null ? null : gradedAt(row.assessmentId, row.submittedDay))],
  ]);
  await insert(manager, 'materials', data.materials, [
    ['id', 'int', (row) => row.id],
    ['presentation_code', 'text', (row) => row.presentationCode],
    ['activity_type', 'text', (row) => row.activityType],
    ['week_from', 'smallint', (row) => row.weekFrom],
    ['week_to', 'smallint', (row) => row.weekTo],
    ['elements', 'smallint', (row) => activity.elements.get(row.id)],
  ]);
  await insert(manager, 'material_progress', activity.materialProgress, [
    ['material_id', 'int', (row) => row.materialId],
    ['student_id', 'int', (row) => row.studentId],
    ['percent', 'smallint', (row) => row.percent],
    ['updated_at', 'timestamptz', (row) => row.updatedAt],
  ]);
  await insert(manager, 'element_progress', activity.elementProgress, [
    ['material_id', 'int', (row) => row.materialId],
    ['student_id', 'int', (row) => row.studentId],
    ['element', 'smallint', (row) => row.element],
    ['percent', 'smallint', (row) => row.percent],
    ['updated_at', 'timestamptz', (row) => row.updatedAt],
  ]);
  const students = people.users.filter((user) => user.role === 'student').length;
  await insert(
    manager,
    'loaded_data',
    [data],
    [
      ['id', 'smallint', () => 1],
      ['source', 'text', (row) => row.source],
      ['students', 'int', () => students],
      ['submissions', 'int', (row) => row.submissions.length],
      ['loaded_at', 'timestamptz', () => new Date().toISOString()],
    ],
  );
}
