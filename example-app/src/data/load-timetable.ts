// Writes the organisations of the timetable into their empty tables.
import type { EntityManager } from 'typeorm';
import { COLLEGE, generateCampus, UNIVERSITY } from './campus.js';
import { insert } from './insert.js';

export const TIMETABLE_TABLES = [
  'organizations',
  'organization_members',
  'faculty',
  'courses',
  'rooms',
  'timetable_students',
  'timetable_configs',
] as const;

/** After the users: those are members of the organisations. In one transaction of the caller. */
export async function loadTimetable(manager: EntityManager): Promise<void> {
  const organizations = [UNIVERSITY, COLLEGE];
  const campuses = organizations.map(generateCampus);
  await insert(manager, 'organizations', organizations, [
    ['id', 'int', (row) => row.id],
    ['name', 'text', (row) => row.name],
  ]);
  // The teachers work at the university, the tutors at the college.
  for (const [organization, role] of [
    [UNIVERSITY, 'teacher'],
    [COLLEGE, 'tutor'],
  ] as const)
    await manager.query(
      'INSERT INTO organization_members (organization_id, user_id) SELECT $1, id FROM users WHERE role = $2',
      [organization.id, role],
    );
  for (const { faculty, courses, rooms, students, config } of campuses) {
    await insert(manager, 'faculty', faculty, [
      ['id', 'int', (row) => row.id],
      ['organization_id', 'int', (row) => row.organizationId],
      ['name', 'text', (row) => row.name],
      ['department_id', 'text', (row) => row.departmentId],
      ['max_hours', 'smallint', (row) => row.maxHours],
    ]);
    await insert(manager, 'courses', courses, [
      ['id', 'int', (row) => row.id],
      ['organization_id', 'int', (row) => row.organizationId],
      ['code', 'text', (row) => row.code],
      ['title', 'text', (row) => row.title],
      ['department_id', 'text', (row) => row.departmentId],
      ['semester', 'text', (row) => row.semester],
      ['weekly_hours', 'smallint', (row) => row.weeklyHours],
      ['faculty_id', 'int', (row) => row.facultyId],
    ]);
    await insert(manager, 'rooms', rooms, [
      ['id', 'int', (row) => row.id],
      ['organization_id', 'int', (row) => row.organizationId],
      ['name', 'text', (row) => row.name],
      ['kind', 'text', (row) => row.kind],
      ['capacity', 'smallint', (row) => row.capacity],
    ]);
    await insert(manager, 'timetable_students', students, [
      ['id', 'int', (row) => row.id],
      ['organization_id', 'int', (row) => row.organizationId],
      ['name', 'text', (row) => row.name],
      ['department_id', 'text', (row) => row.departmentId],
      ['year', 'smallint', (row) => row.year],
    ]);
    await insert(
      manager,
      'timetable_configs',
      [config],
      [
        ['organization_id', 'int', (row) => row.organizationId],
        ['days', 'smallint', (row) => row.days],
        ['periods', 'smallint', (row) => row.periods],
        ['first_minute', 'smallint', (row) => row.firstMinute],
        ['period_minutes', 'smallint', (row) => row.periodMinutes],
        ['break_minutes', 'smallint', (row) => row.breakMinutes],
      ],
    );
  }
}
