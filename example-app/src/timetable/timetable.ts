// What an organisation makes its timetable of: five lists from the database and two that are derived, each with its ttl.
import type { DataSource } from 'typeorm';
import type { Reports, ResourceOptions, Resources, ResourceScope, ValueCodec } from '../cache.js';
import { notFound } from '../problem.js';
import type { Query } from '../reports/sql.js';
import { type LoadCount, LoadCounts } from './load-counts.js';
import { type Grid, slotsOf, type TimeSlot } from './slots.js';

/** Plain rows, as the cache keeps them: instances of entities would come back without their class. */
export interface TimetableShape {
  courses: readonly { readonly id: number; readonly departmentId: string; readonly [column: string]: unknown }[];
  faculty: readonly object[];
  rooms: readonly object[];
  students: readonly object[];
  config: Grid;
  departments: readonly string[];
  time_slots: readonly TimeSlot[];
}
export type ResourceName = keyof TimetableShape;

export const RESOURCE_NAMES = [
  'courses',
  'faculty',
  'rooms',
  'students',
  'config',
  'departments',
  'time_slots',
] as const satisfies readonly ResourceName[];

/** How long each is kept; the whole set as long as what is kept for the shortest. */
export const TTL = {
  courses: '1800s',
  faculty: '3600s',
  rooms: '3600s',
  students: '1800s',
  config: '86400s',
  departments: '7200s',
  time_slots: '7200s',
  whole: '1800s',
} as const satisfies Record<ResourceName | 'whole', string>;

const COURSES = `
SELECT id, code, title, department_id AS "departmentId", semester, weekly_hours AS "weeklyHours", faculty_id AS "facultyId"
  FROM courses WHERE organization_id = $1 AND ($2::text IS NULL OR semester = $2) ORDER BY id`;
const FACULTY = `
SELECT id, name, department_id AS "departmentId", max_hours AS "maxHours" FROM faculty WHERE organization_id = $1 ORDER BY id`;
const ROOMS = `SELECT id, name, kind, capacity FROM rooms WHERE organization_id = $1 ORDER BY id`;
const STUDENTS = `
SELECT id, name, department_id AS "departmentId", year FROM timetable_students WHERE organization_id = $1 ORDER BY id`;
const CONFIG = `
SELECT days, periods, first_minute AS "firstMinute", period_minutes AS "periodMinutes", break_minutes AS "breakMinutes"
  FROM timetable_configs WHERE organization_id = $1`;

/** Rows of numbers and texts: JSON is read faster than Node's structured clone, which also knows dates and maps. */
const codec: ValueCodec = {
  encode: (rows) => Buffer.from(JSON.stringify(rows)),
  decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
};

export type Whole = { readonly [K in ResourceName]: TimetableShape[K] };

export interface Timetable {
  /** Whether the lists are kept in the database, too, made up as they are sent. */
  readonly persist: boolean;
  readonly resources: Resources<TimetableShape>;
  /** All of them; what several are derived from is loaded once. */
  whole(organization: number, semester?: string): Promise<Whole>;
  loads(organization: number): Readonly<Record<ResourceName, LoadCount>>;
}

/** @param persist worth it where a list costs more than reading it as one row; these do not, but for demonstrations */
export function createTimetable(reports: Reports, dataSource: DataSource, persist = false): Timetable {
  const query: Query = (sql, parameters) => dataSource.query(sql, [...parameters]);
  const counts = new LoadCounts();

  type Load<K extends ResourceName> = ResourceOptions<TimetableShape, K>['load'];
  const counted =
    <K extends ResourceName>(name: K, load: Load<K>): Load<K> =>
    (sources, scope) =>
      counts.count(String(scope.organization), name, () => load(sources, scope));
  const rowsOf =
    (sql: string) =>
    (_: unknown, { organization }: ResourceScope) =>
      query<object>(sql, [organization]);

  const resources = reports.resources<TimetableShape>({
    courses: {
      ttl: TTL.courses,
      codec,
      persist,
      load: counted('courses', (_, { organization, semester }) => query(COURSES, [organization, semester ?? null])),
    },
    faculty: { ttl: TTL.faculty, bySemester: false, codec, persist, load: counted('faculty', rowsOf(FACULTY)) },
    rooms: { ttl: TTL.rooms, bySemester: false, codec, persist, load: counted('rooms', rowsOf(ROOMS)) },
    students: { ttl: TTL.students, bySemester: false, codec, persist, load: counted('students', rowsOf(STUDENTS)) },
    config: {
      ttl: TTL.config,
      bySemester: false,
      codec,
      persist,
      load: counted('config', async (_, { organization }) => {
        const [grid] = await query<Grid>(CONFIG, [organization]);
        if (grid === undefined) throw notFound(`timetable of organization ${organization}`);
        return grid;
      }),
    },
    departments: {
      ttl: TTL.departments,
      codec,
      persist,
      from: ['courses'],
      load: counted('departments', ({ courses }) =>
        [...new Set(courses.map(({ departmentId }) => departmentId))].toSorted((a, b) => (a < b ? -1 : 1)),
      ),
    },
    time_slots: {
      ttl: TTL.time_slots,
      codec,
      persist,
      from: ['config', 'departments'],
      load: counted('time_slots', ({ config, departments }) => slotsOf(config, departments)),
    },
  });

  const forEach = async <T>(value: (name: ResourceName) => T | Promise<T>): Promise<[ResourceName, T][]> =>
    Promise.all(RESOURCE_NAMES.map(async (name): Promise<[ResourceName, T]> => [name, await value(name)]));

  return {
    persist,
    resources,
    whole: async (organization, semester) =>
      Object.fromEntries(await forEach((name) => resources.get(name, organization, semester))) as unknown as Whole,
    loads: (organization) =>
      Object.fromEntries(RESOURCE_NAMES.map((name) => [name, counts.of(String(organization), name)])) as Record<
        ResourceName,
        LoadCount
      >,
  };
}
