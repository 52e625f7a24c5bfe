// Adds the people and the open work that neither source has: staff, parents, and one examination per presentation.
import type { Role } from '../entities/index.js';
import type { AssessmentRow, Dataset } from './dataset.js';
import { DEMO_STUDENT } from './dataset.js';

export interface UserRow {
  readonly id: number;
  readonly role: Role;
  readonly name: string;
  readonly login: string | null;
}

export interface People {
  readonly users: readonly UserRow[];
  /** Presentation code to teacher id. */
  readonly teachers: ReadonlyMap<string, number>;
  readonly tutorAssignments: readonly { readonly studentId: number; readonly tutorId: number }[];
  readonly parentLinks: readonly { readonly parentId: number; readonly studentId: number }[];
}

// Above every student id of the data set, and far enough apart for the whole of it.
const FIRST_TEACHER = 9_000_001;
const FIRST_TUTOR = 9_100_001;
const FIRST_PARENT = 9_200_001;
const ADMINISTRATOR = 9_900_001;
const FIRST_EXAM = 900_001;

const STUDENTS_PER_TUTOR = 25;
/** Every third family of two neighbours in the register has a parent who follows them. */
const FAMILY = 2;
const FAMILIES_PER_PARENT = 3;

export function addPeople(data: Dataset): People {
  const codes = data.presentations.map((one) => one.code).toSorted();
  const order = new Map(codes.map((code, index) => [code, index]));
  // A student of several presentations belongs to the first.
  const register = new Map<number, number>();
  for (const { studentId, presentationCode } of data.enrolments) {
    const at = order.get(presentationCode) ?? codes.length;
    register.set(studentId, Math.min(at, register.get(studentId) ?? at));
  }
  const students = [...register]
    // the demonstration student first, so that his tutor and his parent are the first of theirs in both sources
    .map(([id, at]) => ({ id, at: id === DEMO_STUDENT ? -1 : at }))
    .toSorted((a, b) => a.at - b.at || a.id - b.id)
    .map((student) => student.id);

  const users: UserRow[] = students.map((id) => ({
    id,
    role: 'student',
    name: `Student ${id}`,
    login: id === DEMO_STUDENT ? 'demo-student' : null,
  }));

  const modules = [
    ...new Set(data.presentations.toSorted((a, b) => (a.code < b.code ? -1 : 1)).map((one) => one.module)),
  ];
  const teacherOf = new Map(modules.map((module, index) => [module, FIRST_TEACHER + index]));
  for (const [module, id] of teacherOf)
    users.push({
      id,
      role: 'teacher',
      name: `Teacher of ${module}`,
      login: id === FIRST_TEACHER ? 'demo-teacher' : null,
    });
  const teachers = new Map(data.presentations.map((one) => [one.code, teacherOf.get(one.module) ?? FIRST_TEACHER]));

  const tutorAssignments = students.map((studentId, index) => ({
    studentId,
    tutorId: FIRST_TUTOR + Math.floor(index / STUDENTS_PER_TUTOR),
  }));
  for (const tutorId of new Set(tutorAssignments.map((one) => one.tutorId)))
    users.push({
      id: tutorId,
      role: 'tutor',
      name: `Tutor ${tutorId - FIRST_TUTOR + 1}`,
      login: tutorId === FIRST_TUTOR ? 'demo-tutor' : null,
    });

  const parentLinks: { parentId: number; studentId: number }[] = [];
  for (
    let first = 0, parentId = FIRST_PARENT;
    first < students.length;
    first += FAMILY * FAMILIES_PER_PARENT, parentId++
  ) {
    for (const studentId of students.slice(first, first + FAMILY)) parentLinks.push({ parentId, studentId });
    users.push({
      id: parentId,
      role: 'parent',
      name: `Parent ${parentId - FIRST_PARENT + 1}`,
      login: parentId === FIRST_PARENT ? 'demo-parent' : null,
    });
  }

  users.push({ id: ADMINISTRATOR, role: 'administrator', name: 'Administrator', login: 'demo-admin' });
  return { users, teachers, tutorAssignments, parentLinks };
}

/** An examination nobody has sat yet, for every presentation: something to submit and to grade. */
export function openExams(data: Dataset): AssessmentRow[] {
  return data.presentations
    .toSorted((a, b) => (a.code < b.code ? -1 : 1))
    .map((one, index) => ({
      id: FIRST_EXAM + index,
      presentationCode: one.code,
      type: 'Exam',
      dueDay: one.lengthDays,
      weight: 30,
    }));
}
