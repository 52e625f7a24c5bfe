// The timetable over real HTTP, PostgreSQL and Redis: two platforms, one organisation of full size and a small one beside it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../src/config.js';
import { patient } from '../src/demo/patient.js';
import { removeKeys } from '../src/demo/remove-keys.js';
import { type Platform, startPlatform } from '../src/platform.js';
import type { LoadCount } from '../src/timetable/load-counts.js';
import { RESOURCE_NAMES, type ResourceName, type Whole } from '../src/timetable/timetable.js';
import { type Answer, askAt } from './asking.js';

const START_LIMIT_MS = 60_000;
const UNIVERSITY = 1;
const COLLEGE = 2;
const ROOM = 1_000_001;
const COURSE = 1_000_001;
const whole = (organization = UNIVERSITY): string => `/api/organizations/${organization}/resources`;
const one = (resource: ResourceName, organization = UNIVERSITY): string => `${whole(organization)}/${resource}`;

/** Two of them over one database and one Redis. */
let platforms: Platform[];
const folder = mkdtempSync(join(tmpdir(), 'report-cache-timetable-'));
const schema = `report_cache_timetable_${process.pid}`;
const start = (): Promise<Platform> =>
  startPlatform(
    loadConfig({
      DATABASE_URL: process.env['DATABASE_URL'],
      REDIS_URL: process.env['REDIS_URL'],
      PORT: '0',
      COHORT_STUDENTS: '24',
      EMBEDDED_DIR: folder,
      DATABASE_SCHEMA: schema,
    }),
    pino({ level: 'silent' }),
    patient,
  );

beforeAll(async () => {
  platforms = [await start(), await start()];
}, START_LIMIT_MS);

afterAll(async () => {
  const [first, ...others] = platforms ?? [];
  for (const other of others) await other.close();
  if (first !== undefined) await first.reports.disconnect(first.dataSource);
  await first?.dataSource.query(`DROP SCHEMA "${schema}" CASCADE`);
  await first?.close();
  rmSync(folder, { recursive: true, force: true });
  // Megabytes, and until the end of their ttls.
  if (process.env['REDIS_URL'] !== undefined) await removeKeys(process.env['REDIS_URL'], schema);
}, START_LIMIT_MS);

const ask = (path: string, token = 'demo-admin', at = 0): Promise<Answer> =>
  askAt(platforms[at]?.url ?? '', token, path);
const send = (method: string, path: string, body: object, token = 'demo-admin'): Promise<Answer> =>
  askAt(platforms[0]?.url ?? '', token, path, { method, body: JSON.stringify(body) });
const resourcesOf = (answer: Answer): Whole => (answer.body as { resources: Whole }).resources;

/** How often each resource was loaded, by all platforms. */
async function loads(organization: number): Promise<Record<ResourceName, number>> {
  const sums = Object.fromEntries(RESOURCE_NAMES.map((name) => [name, 0])) as Record<ResourceName, number>;
  for (const at of platforms.keys()) {
    const { body } = await ask(`/api/resources/stats?organization_id=${organization}`, 'demo-admin', at);
    const { resources } = body as { resources: Record<ResourceName, LoadCount> };
    for (const name of RESOURCE_NAMES) sums[name] += resources[name].loads;
  }
  return sums;
}

/** Which resources of an organisation both platforms, asked for all, have loaded anew after something was done. */
async function loadedAfter(organization: number, act: () => Promise<unknown>): Promise<string[]> {
  const before = await loads(organization);
  await act();
  for (const at of platforms.keys()) expect((await ask(whole(organization), 'demo-admin', at)).status).toBe(200);
  const after = await loads(organization);
  expect(Math.max(...RESOURCE_NAMES.map((name) => after[name] - before[name]))).toBeLessThan(2);
  return RESOURCE_NAMES.filter((name) => after[name] > before[name]);
}

describe('the resources of an organisation', () => {
  it('are as many as the university has, and derived ones as the rest says', async () => {
    const { courses, faculty, rooms, students, config, departments, time_slots } = resourcesOf(await ask(whole()));
    expect([departments, rooms, courses, faculty, students, time_slots].map(({ length }) => length)).toEqual([
      127, 1167, 2494, 645, 12_500, 6096,
    ]);
    expect(departments).toEqual([...new Set(courses.map(({ departmentId }) => departmentId))].toSorted());
    expect(time_slots).toHaveLength(departments.length * config.days * config.periods);
    expect(time_slots[0]).toEqual({ id: 'D001-1-1', department: 'D001', day: 1, start: '08:00', end: '08:50' });
    const [{ count }] = await platforms[0]!.dataSource.query(
      'SELECT count(*)::int AS count FROM timetable_students WHERE organization_id = $1',
      [UNIVERSITY],
    );
    expect(students).toHaveLength(count);
  });

  it('are the same cold, warm, and from the other process', async () => {
    for (const path of [whole(), ...RESOURCE_NAMES.map((name) => one(name)), `${whole()}?semester=2026-1`]) {
      await send('POST', '/api/resources/invalidate', { organization_id: UNIVERSITY, resource_type: 'all' });
      const cold = await ask(path);
      const warm = await ask(path);
      const other = await ask(path, 'demo-admin', 1);
      expect([path, cold.cache, warm.cache, other.cache]).toEqual([path, 'MISS', 'HIT', 'HIT']);
      expect(cold.status).toBe(200);
      expect([warm.etag, other.etag]).toEqual([cold.etag, cold.etag]);
      // As text: looking through so many rows for a difference takes seconds.
      const [text, ...others] = [cold, warm, other].map(({ body }) => JSON.stringify(body));
      expect(others.map((same) => same === text)).toEqual([true, true]);
    }
  });

  it('are kept as long as each of them should be, less a tenth at most by chance', async () => {
    const ttls = { courses: 1800, faculty: 3600, rooms: 3600, students: 1800 };
    const expected = { ...ttls, config: 86_400, departments: 7200, time_slots: 7200 };
    await send('POST', '/api/resources/invalidate', { organization_id: COLLEGE, resource_type: 'all' });
    for (const [path, ttl] of [
      [whole(COLLEGE), 1800] as const,
      ...RESOURCE_NAMES.map((name) => [one(name, COLLEGE), expected[name]] as const),
    ]) {
      await ask(path);
      const left = Number(/;\s*ttl=(\d+)/.exec((await ask(path)).cacheStatus ?? '')?.[1]);
      expect([path, left <= ttl, left > ttl * 0.89 - 5]).toEqual([path, true, true]);
    }
  });

  it('differ by semester where courses do', async () => {
    const both = resourcesOf(await ask(whole()));
    const halves = ['2026-1', '2026-2'].map((semester) => ask(`${one('courses')}?semester=${semester}`));
    const lengths = (await Promise.all(halves)).map(({ body }) => (body as { value: unknown[] }).value.length);
    expect(Math.min(...lengths)).toBeGreaterThan(0);
    expect(lengths[0]! + lengths[1]!).toBe(both.courses.length);
    expect(await ask(`${one('courses')}?semester=1999-1`)).toMatchObject({ status: 400 });
  });
});

describe('a change', () => {
  beforeEach(async () => {
    for (const organization of [UNIVERSITY, COLLEGE]) await loadedAfter(organization, async () => undefined);
  });

  it('of one room has the rooms loaded anew, and nothing else, in neither organisation', async () => {
    let answer: Answer | undefined;
    const change = async () => {
      answer = await send('PUT', `/api/organizations/${UNIVERSITY}/rooms/${ROOM}`, { capacity: 321 });
    };
    expect(await loadedAfter(UNIVERSITY, change)).toEqual(['rooms']);
    expect(answer).toMatchObject({ status: 200, body: { id: ROOM, capacity: 321 } });
    expect(await loadedAfter(COLLEGE, change)).toEqual([]);
    for (const at of platforms.keys())
      expect(resourcesOf(await ask(whole(), 'demo-admin', at)).rooms[0]).toMatchObject({ id: ROOM, capacity: 321 });
  });

  it('of one course reaches courses, departments and time slots, whatever was asked for, in both processes', async () => {
    const change = (department: string) =>
      send('PUT', `/api/organizations/${UNIVERSITY}/courses/${COURSE}`, { department });
    expect(await loadedAfter(UNIVERSITY, () => change('NEW'))).toEqual(['courses', 'departments', 'time_slots']);
    expect(await loadedAfter(COLLEGE, () => change('NEWER'))).toEqual([]);
    for (const at of platforms.keys()) {
      const { departments, time_slots } = resourcesOf(await ask(whole(), 'demo-admin', at));
      expect(departments).toContain('NEWER');
      expect(departments).not.toContain('NEW');
      expect(time_slots.filter(({ department }) => department === 'NEWER')).toHaveLength(48);
      expect((await ask(one('departments'), 'demo-admin', at)).body).toMatchObject({ value: departments });
    }
    await change('D001');
  });

  it('past the routes is followed as well: a table written by statement', async () => {
    const grow = () =>
      platforms[1]!.dataSource.query('UPDATE timetable_configs SET periods = 9 WHERE organization_id = $1', [COLLEGE]);
    // Which organisation, no one can tell from the statement: each of them.
    expect(await loadedAfter(COLLEGE, grow)).toEqual(['config', 'time_slots']);
    expect(resourcesOf(await ask(whole(COLLEGE))).time_slots).toHaveLength(9 * 5 * 9);
  });
});

describe('operators', () => {
  it('invalidate one resource with what is derived from it, a semester, or all of an organisation', async () => {
    const all = { organization_id: UNIVERSITY, resource_type: 'all' };
    await loadedAfter(UNIVERSITY, async () => undefined);
    await loadedAfter(COLLEGE, async () => undefined);
    const invalidate = (what: object) => send('POST', '/api/resources/invalidate', { ...all, ...what });
    expect((await invalidate({ resource_type: 'faculty' })).body).toEqual({
      organization_id: UNIVERSITY,
      resource_type: 'faculty',
      tags: ['faculty:1'],
    });
    expect(await loadedAfter(UNIVERSITY, () => invalidate({ resource_type: 'config' }))).toEqual([
      'faculty',
      'config',
      'time_slots',
    ]);
    await ask(`${one('courses')}?semester=2026-1`);
    await invalidate({ semester: '2026-2', resource_type: 'courses' });
    expect((await ask(`${one('courses')}?semester=2026-1`)).cache).toBe('HIT');
    expect((await ask(one('courses'))).cache).toBe('MISS');
    expect(await loadedAfter(UNIVERSITY, () => invalidate({}))).toEqual([...RESOURCE_NAMES]);
    expect(await loadedAfter(COLLEGE, async () => undefined)).toEqual([]);
  });

  it('warm an organisation: what is asked for next is not loaded', async () => {
    await send('POST', '/api/resources/invalidate', { organization_id: UNIVERSITY, resource_type: 'all' });
    const { status, body } = await send('POST', '/api/resources/warm', { organization_id: UNIVERSITY });
    expect([status, body]).toEqual([200, { organization_id: 1, total: 7, loaded: [...RESOURCE_NAMES], failed: [] }]);
    expect(await loadedAfter(UNIVERSITY, async () => undefined)).toEqual([]);
  });
});

describe('rights', () => {
  const TOKENS = ['wrong', 'demo-student', 'demo-parent', 'demo-tutor', 'demo-teacher', 'demo-admin'];
  const statuses = async (asked: (token: string) => Promise<Answer>) =>
    (await Promise.all(TOKENS.map(asked))).map(({ status }) => status);

  it('are those of who works there, cached or not', async () => {
    for (const path of [whole(), one('students')])
      expect(await statuses((token) => ask(path, token))).toEqual([401, 403, 403, 403, 200, 200]);
    expect(await statuses((token) => ask(one('rooms', COLLEGE), token))).toEqual([401, 403, 403, 200, 403, 200]);
    expect(await statuses((token) => ask(whole(77), token))).toEqual([401, 403, 403, 403, 403, 404]);
  });

  it('to change, to invalidate, to warm and to look at counts are an administrator’s', async () => {
    const admin = [401, 403, 403, 403, 403, 200];
    const put = (token: string) => send('PUT', `/api/organizations/1/rooms/${ROOM}`, { capacity: 20 }, token);
    expect(await statuses(put)).toEqual(admin);
    const forget = { organization_id: 1, resource_type: 'rooms' };
    expect(await statuses((token) => send('POST', '/api/resources/invalidate', forget, token))).toEqual(admin);
    expect(await statuses((token) => send('POST', '/api/resources/warm', { organization_id: 1 }, token))).toEqual(
      admin,
    );
    expect(await statuses((token) => ask('/api/resources/stats?organization_id=1', token))).toEqual(admin);
  });

  it('end at what is not there, and at nonsense', async () => {
    const found = [
      ask(`${whole()}/gardens`),
      send('PUT', `/api/organizations/${COLLEGE}/rooms/${ROOM}`, { capacity: 20 }),
      send('PUT', `/api/organizations/${COLLEGE}/courses/${COURSE}`, { department: 'D001' }),
      send('POST', '/api/resources/warm', { organization_id: 77 }),
      send('POST', '/api/resources/invalidate', { organization_id: 77, resource_type: 'all' }),
      ask('/api/resources/stats?organization_id=77'),
      ask('/api/resources/stats'),
      send('POST', '/api/resources/invalidate', { organization_id: 1, resource_type: 'gardens' }),
      send('POST', '/api/resources/invalidate', { organization_id: 1 }),
      send('POST', '/api/resources/warm', { organization_id: 1, semester: '1999-1' }),
      send('PUT', `/api/organizations/1/rooms/${ROOM}`, { capacity: 0 }),
      send('PUT', `/api/organizations/1/courses/${COURSE}`, { department: 'no such:tag' }),
    ];
    expect((await Promise.all(found)).map(({ status }) => status)).toEqual([
      404, 404, 404, 404, 404, 404, 400, 422, 422, 422, 422, 422,
    ]);
  });
});

it(
  'data of an earlier release gets the timetable, and keeps what it has',
  async () => {
    const { dataSource, loaded } = platforms[0]!;
    await dataSource.query(
      'DROP TABLE organization_members, timetable_configs, timetable_students, rooms, courses, faculty, organizations',
    );
    const later = await start();
    try {
      expect(later.loaded.loadedAt).toEqual(loaded.loadedAt);
      const answer = await askAt(later.url, 'demo-tutor', one('rooms', COLLEGE));
      expect((answer.body as { value: unknown[] }).value).toHaveLength(40);
    } finally {
      await later.close();
    }
  },
  START_LIMIT_MS,
);
