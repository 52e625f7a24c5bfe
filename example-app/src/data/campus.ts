// Generates the organisations of the timetable: one of the size of a university, and a small one beside it.
import type { RoomKind } from '../entities/index.js';
import { createRandom } from './random.js';

export interface CampusSize {
  readonly departments: number;
  readonly rooms: number;
  readonly courses: number;
  readonly faculty: number;
  readonly students: number;
  readonly days: number;
  readonly periods: number;
}

export interface Campus {
  readonly id: number;
  readonly name: string;
  readonly size: CampusSize;
}

export const SEMESTERS = ['2026-1', '2026-2'] as const;

/** 127 departments times 48 periods of a week are 6,096 time slots. */
export const UNIVERSITY: Campus = {
  id: 1,
  name: 'University',
  size: { departments: 127, rooms: 1167, courses: 2494, faculty: 645, students: 12_500, days: 6, periods: 8 },
};
export const COLLEGE: Campus = {
  id: 2,
  name: 'College',
  size: { departments: 9, rooms: 40, courses: 120, faculty: 32, students: 400, days: 5, periods: 6 },
};

/** Ids of one organisation are apart from those of the others. */
const FIRST_ID = 1_000_000;

interface Row {
  readonly id: number;
  readonly organizationId: number;
}
export interface CampusRows {
  readonly faculty: readonly (Row & { name: string; departmentId: string; maxHours: number })[];
  readonly courses: readonly (Row & {
    code: string;
    title: string;
    departmentId: string;
    semester: string;
    weeklyHours: number;
    facultyId: number;
  })[];
  readonly rooms: readonly (Row & { name: string; kind: RoomKind; capacity: number })[];
  readonly students: readonly (Row & { name: string; departmentId: string; year: number })[];
  readonly config: {
    readonly organizationId: number;
    readonly days: number;
    readonly periods: number;
    readonly firstMinute: number;
    readonly periodMinutes: number;
    readonly breakMinutes: number;
  };
}

/** The same organisation always has the same rows. */
export function generateCampus({ id: organizationId, size }: Campus): CampusRows {
  const random = createRandom(organizationId);
  const first = organizationId * FIRST_ID + 1;
  const many = <T>(count: number, row: (index: number) => T): (T & Row)[] =>
    Array.from({ length: count }, (_, index) => ({ id: first + index, organizationId, ...row(index) }));
  // In turn, so that every department has courses, in each semester.
  const departmentId = (index: number): string => `D${String((index % size.departments) + 1).padStart(3, '0')}`;
  const semester = (index: number): string =>
    SEMESTERS[Math.floor(index / size.departments) % SEMESTERS.length] ?? SEMESTERS[0];

  return {
    faculty: many(size.faculty, (index) => ({
      name: `Lecturer ${index + 1}`,
      departmentId: departmentId(index),
      maxHours: random.between(8, 20),
    })),
    courses: many(size.courses, (index) => ({
      code: `C${String(index + 1).padStart(4, '0')}`,
      title: `Course ${index + 1}`,
      departmentId: departmentId(index),
      semester: semester(index),
      weeklyHours: random.between(2, 6),
      facultyId: first + (index % size.faculty),
    })),
    rooms: many(size.rooms, (index) => ({
      name: `${String.fromCharCode(65 + (index % 26))}${Math.floor(index / 26) + 101}`,
      kind: random.weighted({ lecture: 25, seminar: 60, laboratory: 15 }),
      capacity: random.between(12, 240),
    })),
    students: many(size.students, (index) => ({
      name: `Student ${index + 1}`,
      departmentId: departmentId(index),
      year: random.between(1, 5),
    })),
    config: {
      organizationId,
      days: size.days,
      periods: size.periods,
      firstMinute: 8 * 60,
      periodMinutes: 50,
      breakMinutes: 10,
    },
  };
}
