// Who may do what over the management API, route by route; and what is made ready ahead: for whom, and for nobody else.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createAccess } from '../src/access.js';
import type { WarmTarget } from '../src/cache.js';
import { Submission } from '../src/entities/index.js';
import type { Platform } from '../src/platform.js';
import { gradesReaders, inPages, progressReaders } from '../src/warming.js';
import { type Answer, askAt, type Sending } from './asking.js';
import { OwnPlatform, START_LIMIT_MS } from './own-platform.js';

const STUDENT = 11391;
const TEACHER = 9000001;
const TUTOR = 9100001;
const PARENT = 9200001;
const MANAGE = '/api/reports/cache';

let platform: Platform;
const own = new OwnPlatform('management');

beforeAll(async () => {
  platform = await own.start();
}, START_LIMIT_MS);

afterAll(() => own.end(), START_LIMIT_MS);

const ask = (token: string | undefined, path: string, sending?: Sending): Promise<Answer> =>
  askAt(platform.url, token, path, sending);
const manage = (token: string | undefined, method: string, path: string, body?: unknown): Promise<Answer> =>
  ask(token, MANAGE + path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
const warm = async (body: object): Promise<Record<string, unknown>> =>
  (await manage('demo-admin', 'POST', '/warm', body)).body as Record<string, unknown>;
const progressOf = (student: number): string => `/api/reports/students/${student}/progress`;
const gradesOf = (code: string): string => `/api/reports/presentations/${code}/grades`;

describe('the management API', () => {
  const ROLES = [
    [undefined, 'nobody'],
    ['demo-student', 'student'],
    ['demo-parent', 'parent'],
    ['demo-tutor', 'tutor'],
    ['demo-teacher', 'teacher'],
    ['demo-admin', 'administrator'],
  ] as const;
  /** What is sent where a body is expected: enough to be done, once somebody may. */
  const BODIES: Readonly<Record<string, object>> = {
    '/explain': { url: progressOf(STUDENT), user: STUDENT, role: 'student' },
    '/warm': { user: STUDENT },
    '/invalidate': { event: 'grade_updated', facts: { student: STUDENT } },
  };
  const NAMES: Readonly<Record<string, string>> = { '{task}': 'expired', '{name}': 'lessons', '{report}': '1' };

  interface Route {
    readonly method: string;
    readonly path: string;
    readonly action: string;
  }

  async function routes(): Promise<Route[]> {
    const { paths } = (await manage('demo-admin', 'GET', '/openapi.json')).body as {
      paths: Record<string, Record<string, { 'x-action': string }>>;
    };
    const found = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        action: operation['x-action'],
      })),
    );
    // What takes everything away comes last, so that there is something to look at.
    return found.toSorted((a, b) => Number(a.action === 'clear') - Number(b.action === 'clear'));
  }

  /** Only the head of the answer: one of them may be without end. */
  async function statusOf(token: string | undefined, { method, path }: Route): Promise<number> {
    const body = BODIES[path] ?? {};
    const sent = request(platform.url + MANAGE + path.replace(/\{\w+\}/, (name) => NAMES[name] ?? 'nothing'), {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(method === 'POST' && { 'content-type': 'application/json' }),
      },
    });
    sent.end(method === 'POST' ? JSON.stringify(body) : undefined);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.destroy();
    return response.statusCode ?? 0;
  }

  /** All that somebody who may not could have changed. */
  async function standing(): Promise<unknown> {
    const looks = ['/entries', '/invalidations', '/warm', '/schedule/expired'];
    const bodies = await Promise.all(looks.map(async (path) => (await manage('demo-admin', 'GET', path)).body));
    return { bodies, cached: (await ask('demo-student', progressOf(STUDENT))).cache };
  }

  it('each route by each role: nobody gets 401, the wrong role 403, and nothing has changed', async () => {
    await ask('demo-student', progressOf(STUDENT));
    await ask('demo-student', progressOf(STUDENT));
    const table: [route: string, action: string, ...statuses: number[]][] = (await routes()).map(
      ({ method, path, action }) => [`${method} ${path}`, action],
    );
    for (const [token, role] of ROLES) {
      const before = await standing();
      for (const [at, route] of (await routes()).entries()) table[at]?.push(await statusOf(token, route));
      if (role !== 'teacher' && role !== 'administrator') expect([role, await standing()]).toEqual([role, before]);
    }
    const heads = ['route', 'action', ...ROLES.map(([, role]) => role)];
    const rows = [heads, ...table].map((row) =>
      row.map((cell, at) => String(cell).padEnd(at === 0 ? 28 : 14)).join(''),
    );
    process.stdout.write(`${rows.join('\n')}\n`);

    expect(table.length).toBeGreaterThan(20);
    for (const [route, action, nobody, student, parent, tutor, teacher, administrator] of table) {
      expect([route, nobody, student, parent, tutor]).toEqual([route, 401, 403, 403, 403]);
      // 404 and 409: of what is not there, or runs already. Nothing is told of that to who may not ask.
      const done = [200, 202, 404, 409];
      expect([route, done.includes(administrator ?? 0)]).toEqual([route, true]);
      if (action === 'read') expect([route, done.includes(teacher ?? 0)]).toEqual([route, true]);
      else expect([route, teacher]).toEqual([route, 403]);
    }
  });

  it('looking is for GET and questions: whatever changes something is an administrator’s', async () => {
    const looks = (await routes()).filter(({ action }) => action === 'read');
    expect(looks.filter(({ method }) => method !== 'GET').map(({ path }) => path)).toEqual(['/explain']);
  });
});

describe('made ready ahead', () => {
  const pairsOf = async (targets: unknown): Promise<readonly string[]> => {
    const pairs: string[] = [];
    for await (const { report, identity } of targets as AsyncIterable<WarmTarget>)
      pairs.push([report, 'for', identity?.role, identity?.user].join(' '));
    return pairs;
  };
  const lists = () => {
    const { dataSource } = platform;
    const access = createAccess(dataSource);
    return { progress: progressReaders(dataSource, access), grades: gradesReaders(dataSource, access) };
  };

  it.each([
    ['a student', STUDENT, 'demo-student', 1],
    ['a parent', PARENT, 'demo-parent', 2],
    ['a tutor', TUTOR, 'demo-tutor', 25],
  ])('the dashboard of %s: what he opens then is a HIT', async (_who, user, token, count) => {
    await platform.reports.clear();
    const { progress } = lists();
    const students = (await pairsOf(progress.user?.(String(user)))).map((pair) => Number(pair.split(' ')[0]));
    expect(students).toHaveLength(count);
    expect(await warm({ user })).toMatchObject({ total: count, cached: count, computed: count, failures: [] });
    for (const student of students)
      expect(await ask(token, progressOf(student))).toMatchObject({ status: 200, cache: 'HIT' });
    expect(await warm({ user })).toMatchObject({ cached: count, computed: 0 });
  });

  it('the dashboard of a teacher: the distributions of his presentations', async () => {
    await platform.reports.clear();
    expect(await warm({ user: TEACHER })).toMatchObject({ total: 2, computed: 2 });
    for (const code of ['AAA-2013J', 'AAA-2014J'])
      expect((await ask('demo-teacher', gradesOf(code))).cache).toBe('HIT');
    expect((await ask('demo-admin', gradesOf('AAA-2013J'))).cache).toBe('MISS');
  });

  it('one report: for the student, his parent and his tutor; and a grade ends all of them', async () => {
    await platform.reports.clear();
    expect(await warm({ type: 'student_progress', reports: [STUDENT] })).toMatchObject({ total: 3, computed: 3 });
    const readers = ['demo-student', 'demo-parent', 'demo-tutor'];
    for (const reader of readers) expect((await ask(reader, progressOf(STUDENT))).cache).toBe('HIT');
    const work = await platform.dataSource.getRepository(Submission).findOneByOrFail({ studentId: STUDENT });
    const graded = { method: 'PUT', body: JSON.stringify({ score: 42 }) };
    expect((await ask('demo-teacher', `/api/submissions/${work.assessmentId}/${STUDENT}`, graded)).status).toBe(200);
    for (const reader of readers) expect((await ask(reader, progressOf(STUDENT))).cache).toBe('MISS');
  });

  it('in the morning: each student of a presentation that runs, and each teacher’s distributions', async () => {
    await platform.reports.clear();
    const { progress, grades } = lists();
    const rows: { id: number }[] = await platform.dataSource.query(
      `SELECT DISTINCT student_id AS id FROM enrolments
        WHERE unregistered_day IS NULL AND presentation_code LIKE '%-2014J' ORDER BY 1`,
    );
    const students = rows.map(({ id }) => `${id} for student ${id}`);
    expect(students.length).toBeGreaterThan(20);
    expect(await pairsOf(progress.all?.())).toEqual(students);
    const codes = (await pairsOf(grades.all?.())).map((pair) => pair.split(' ')[0]);
    expect(codes).toContain('AAA-2014J');
    expect(codes.filter((code) => !code?.endsWith('-2014J'))).toEqual([]);
    const total = students.length + codes.length;
    expect(await warm({ all: true })).toMatchObject({ total, cached: total, failed: 0 });
    const one = rows[7]?.id ?? 0;
    expect((await ask(`demo-user-${one}`, progressOf(one))).cache).toBe('HIT');
  });

  it('whoever is listed is read page by page: all of them once, and no further than somebody looks', async () => {
    const asked: string[] = [];
    const counting = {
      query: (sql: string, parameters?: unknown[]) => {
        asked.push(sql);
        return platform.dataSource.query(sql, parameters);
      },
    } as Pick<Platform['dataSource'], 'query'>;
    const everybody = 'SELECT student_id AS report, parent_id AS viewer FROM parent_links WHERE parent_id >= $1';
    const rows: { count: number }[] = await platform.dataSource.query('SELECT count(*)::int FROM parent_links');
    const seen: string[] = [];
    for await (const { report, viewer } of inPages(counting, everybody, [1], 7)) seen.push(`${report} ${viewer}`);
    expect([seen.length, new Set(seen).size]).toEqual([rows[0]?.count, rows[0]?.count]);
    expect(asked).toHaveLength(Math.floor(seen.length / 7) + 1);
    asked.length = 0;
    const pages = inPages(counting, everybody, [1], 7);
    await pages.next();
    await pages.return(undefined);
    expect(asked).toHaveLength(1);
  });

  it('for nobody who may not see it', async () => {
    const { dataSource } = platform;
    const access = createAccess(dataSource);
    const refusing = { ...access, student: async ({ role }: { role: string }) => role !== 'parent' };
    const readers = await pairsOf(progressReaders(dataSource, refusing).report?.(String(STUDENT)));
    expect(readers).toEqual([`${STUDENT} for student ${STUDENT}`, `${STUDENT} for tutor ${TUTOR}`]);
    // Who teaches is no teacher of it once he has another role.
    await dataSource.query(`UPDATE users SET role = 'tutor' WHERE id = $1`, [TEACHER]);
    try {
      expect(await pairsOf(lists().grades.user?.(String(TEACHER)))).toEqual([]);
    } finally {
      await dataSource.query(`UPDATE users SET role = 'teacher' WHERE id = $1`, [TEACHER]);
    }
  });

  it('nothing for whom there is not, or for nonsense', async () => {
    for (const user of ['77', 'me', "1' OR 1=1", '99999999999'])
      expect(await warm({ user })).toMatchObject({ total: 0, failed: 0 });
    expect(await warm({ reports: ['77', 'ZZZ-2013J'] })).toMatchObject({ total: 0, failed: 0 });
  });
});
