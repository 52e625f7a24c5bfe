// The whole platform over a real database and real HTTP: rights, problems, and what a grade does to cached reports.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Material, Submission } from '../src/entities/index.js';
import type { Platform } from '../src/platform.js';
import { analytics } from '../src/reports/analytics.js';
import { gradeDistribution } from '../src/reports/grade-distribution.js';
import { parentChildren } from '../src/reports/parent-children.js';
import type { Query } from '../src/reports/sql.js';
import { studentProgress } from '../src/reports/student-progress.js';
import { tutorOverview } from '../src/reports/tutor-overview.js';
import { type Answer, askAt, type Sending } from './asking.js';
import { OwnPlatform, START_LIMIT_MS } from './own-platform.js';

const STUDENT = 11391;
const NEIGHBOUR = 28400;
const TUTOR = 9100001;
const PARENT = 9200001;
const EXAM = 900001;
const PRESENTATION = 'AAA-2013J';

let platform: Platform;
const own = new OwnPlatform('smoke');

beforeAll(async () => {
  platform = await own.start();
}, START_LIMIT_MS);

afterAll(() => own.end(), START_LIMIT_MS);

const ask = (token: string | undefined, path: string, sending?: Sending): Promise<Answer> =>
  askAt(platform.url, token, path, sending);

const send = (token: string, method: string, path: string, body: unknown): Promise<Answer> =>
  ask(token, path, { method, body: JSON.stringify(body) });

const progressOf = (student: number): string => `/api/reports/students/${student}/progress`;
const GRADES = `/api/reports/presentations/${PRESENTATION}/grades`;
const ANALYTICS = `/api/reports/presentations/${PRESENTATION}/analytics`;
const OVERVIEW = `/api/reports/tutors/${TUTOR}/overview`;
const CHILDREN = `/api/reports/parents/${PARENT}/children`;

async function aGradedAssessment(): Promise<number> {
  const work = await platform.dataSource.getRepository(Submission).findOneOrFail({
    where: { studentId: STUDENT },
    order: { assessmentId: 'ASC' },
  });
  return work.assessmentId;
}

/** Reads everything twice, so that whatever may be cached is. */
async function warm(token: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await ask(token, path);
    expect([path, (await ask(token, path)).cache]).toEqual([path, 'HIT']);
  }
}

async function cacheOf(token: string, paths: readonly string[]): Promise<Record<string, string | undefined>> {
  const seen: Record<string, string | undefined> = {};
  for (const path of paths) seen[path] = (await ask(token, path)).cache;
  return seen;
}

describe('rights', () => {
  const TOKENS = [
    undefined,
    'wrong',
    'demo-student',
    'demo-parent',
    'demo-tutor',
    'demo-teacher',
    'demo-admin',
  ] as const;
  it.each([
    [progressOf(STUDENT), [401, 401, 200, 200, 200, 200, 200]],
    [progressOf(NEIGHBOUR), [401, 401, 403, 200, 200, 200, 200]],
    [progressOf(999), [401, 401, 403, 403, 403, 403, 404]],
    [`${GRADES}?bins=5`, [401, 401, 403, 403, 403, 200, 200]],
    ['/api/reports/presentations/BBB-2013J/grades', [401, 401, 403, 403, 403, 403, 200]],
    [`${ANALYTICS}?band=age`, [401, 401, 403, 403, 403, 200, 200]],
    [OVERVIEW, [401, 401, 403, 403, 200, 403, 200]],
    [CHILDREN, [401, 401, 403, 200, 403, 403, 200]],
    ['/api/reports/4711', [401, 401, 404, 404, 404, 404, 404]],
  ])('%s', async (path, expected) => {
    const statuses: number[] = [];
    for (const token of TOKENS) statuses.push((await ask(token, path)).status);
    expect(statuses).toEqual(expected);
  });

  it('is asked before the cache: a right that is gone is gone at once', async () => {
    await warm('demo-tutor', [progressOf(NEIGHBOUR)]);
    const { dataSource } = platform;
    await dataSource.query('UPDATE tutor_assignments SET tutor_id = tutor_id + 1 WHERE student_id = $1', [NEIGHBOUR]);
    try {
      expect((await ask('demo-tutor', progressOf(NEIGHBOUR))).status).toBe(403);
    } finally {
      await dataSource.query('UPDATE tutor_assignments SET tutor_id = $2 WHERE student_id = $1', [NEIGHBOUR, TUTOR]);
    }
  });
});

it('the maintenance of the cache is shown, and what an administrator asks for is run', async () => {
  const at = '/api/reports/cache/schedule';
  expect((await ask('demo-student', at)).status).toBe(403);
  const { tasks } = (await ask('demo-teacher', at)).body as { tasks: readonly { name: string }[] };
  expect(tasks.map(({ name }) => name)).toEqual(['warm', 'refresh', 'stale', 'statistics', 'keys', 'expired']);
  expect((await send('demo-teacher', 'POST', `${at}/expired/run`, {})).status).toBe(403);
  expect((await send('demo-admin', 'POST', `${at}/expired/run`, {})).status).toBe(202);
  expect((await send('demo-admin', 'POST', `${at}/nothing/run`, {})).status).toBe(404);
});

describe('problems', () => {
  it.each([
    ['a score above 100', { score: 101 }, 422],
    ['a score below 0', { score: -1 }, 422],
    ['a score in quotes', { score: '78' }, 422],
    ['no score', {}, 422],
    ['a list', [78], 422],
    ['a stranger', { score: 78, grade: 'A' }, 422],
  ])('%s changes nothing', async (_name, body, status) => {
    const assessmentId = await aGradedAssessment();
    const submissions = platform.dataSource.getRepository(Submission);
    const before = await submissions.findOneBy({ assessmentId, studentId: STUDENT });
    const answer = await send('demo-teacher', 'PUT', `/api/submissions/${assessmentId}/${STUDENT}`, body);
    expect(answer).toMatchObject({ status, body: { status, detail: expect.any(String) } });
    expect(answer.type).toMatch(/^application\/problem\+json/);
    expect(await submissions.findOneBy({ assessmentId, studentId: STUDENT })).toEqual(before);
  });

  it('tells wrong roles, unknown things and broken bodies apart', async () => {
    const path = `/api/submissions/${await aGradedAssessment()}/${STUDENT}`;
    for (const role of ['demo-student', 'demo-tutor', 'demo-parent'])
      expect((await send(role, 'PUT', path, { score: 1 })).status).toBe(403);
    expect((await send('demo-teacher', 'PUT', `/api/submissions/777/${STUDENT}`, { score: 1 })).status).toBe(404);
    expect((await send('demo-teacher', 'PUT', `/api/submissions/x/${STUDENT}`, { score: 1 })).status).toBe(400);
    expect((await ask('demo-teacher', path, { method: 'PUT', body: '{"score":' })).status).toBe(400);
    expect((await ask('demo-teacher', path, { method: 'PUT', body: `"${'a'.repeat(70_000)}"` })).status).toBe(413);
    expect((await ask('demo-teacher', `${GRADES}?bins=0`)).status).toBe(400);
    expect((await ask('demo-teacher', '/api/nothing')).status).toBe(404);
    expect((await ask(undefined, '/health')).status).toBe(200);
  });
});

describe('cache', () => {
  it('answers MISS, HIT and 304, and a grade reaches every report about it and no other', async () => {
    const assessmentId = await aGradedAssessment();
    await send('demo-teacher', 'PUT', `/api/submissions/${assessmentId}/${STUDENT}`, { score: 70 });
    const about = [progressOf(STUDENT), GRADES, `${GRADES}?bins=5`, ANALYTICS, OVERVIEW, CHILDREN];
    const others = [progressOf(NEIGHBOUR), '/api/reports/presentations/AAA-2014J/grades'];

    expect((await ask('demo-student', progressOf(STUDENT))).cache).toBe('MISS');
    const hit = await ask('demo-student', progressOf(STUDENT));
    expect(hit).toMatchObject({ status: 200, cache: 'HIT' });
    const again = await ask('demo-student', progressOf(STUDENT), { headers: { 'if-none-match': hit.etag ?? '' } });
    expect(again.status).toBe(304);

    await warm('demo-admin', [...about, ...others]);
    await send('demo-teacher', 'PUT', `/api/submissions/${assessmentId}/${STUDENT}`, { score: 91 });
    expect(await cacheOf('demo-admin', others)).toEqual(Object.fromEntries(others.map((path) => [path, 'HIT'])));
    expect(await cacheOf('demo-admin', about)).toEqual(Object.fromEntries(about.map((path) => [path, 'MISS'])));
    const after = await ask('demo-student', progressOf(STUDENT));
    expect(after.cache).toBe('MISS');
    expect(JSON.stringify(after.body)).toContain('"score":91');
  });

  it('serves, after every kind of write, what would be computed now', async () => {
    const query: Query = (sql, parameters) => platform.dataSource.query(sql, [...parameters]);
    const noFilters = { presentation: null, assessmentType: null };
    const computed: Record<string, () => Promise<object>> = {
      [progressOf(STUDENT)]: () => studentProgress(query, STUDENT, noFilters),
      [progressOf(NEIGHBOUR)]: () => studentProgress(query, NEIGHBOUR, noFilters),
      [GRADES]: () => gradeDistribution(query, PRESENTATION, { assessmentType: null, bins: 10 }),
      [ANALYTICS]: () => analytics(query, PRESENTATION, { band: 'imd' }),
      [OVERVIEW]: () => tutorOverview(query, TUTOR, { presentation: null }),
      [CHILDREN]: () => parentChildren(query, PARENT, { presentation: null }),
    };
    const paths = Object.keys(computed);
    const material = await platform.dataSource
      .getRepository(Material)
      .findOneByOrFail({ presentationCode: PRESENTATION });
    const weekly = { kind: 'tutor_weekly', title: 'Week 12', body: 'Well done.', concerns: [STUDENT] };
    const writes: [string, () => Promise<Answer>, status: number, stillCached: readonly string[]][] = [
      ['submit', () => send('demo-student', 'POST', `/api/submissions/${EXAM}`, {}), 201, [progressOf(NEIGHBOUR)]],
      [
        'grade',
        () => send('demo-teacher', 'PUT', `/api/submissions/${EXAM}/${STUDENT}`, { score: 88.5 }),
        200,
        [progressOf(NEIGHBOUR)],
      ],
      [
        'read',
        () => send('demo-student', 'POST', `/api/progress/${material.id}`, { element: 1, percent: 60 }),
        200,
        [progressOf(NEIGHBOUR), GRADES],
      ],
      [
        'save a report',
        () => send('demo-tutor', 'POST', '/api/reports', weekly),
        201,
        [progressOf(NEIGHBOUR), GRADES, ANALYTICS, CHILDREN],
      ],
    ];
    for (const [name, write, status, stillCached] of writes) {
      await warm('demo-admin', paths);
      expect([name, (await write()).status]).toEqual([name, status]);
      for (const path of paths) {
        const served = await ask('demo-admin', path);
        expect([name, path, served.body]).toEqual([name, path, JSON.parse(JSON.stringify(await computed[path]?.()))]);
        expect([name, path, served.cache]).toEqual([name, path, stillCached.includes(path) ? 'HIT' : 'MISS']);
      }
    }
  });

  it('lets administrators manage the cache, teachers look, and nobody else do anything', async () => {
    const manage = '/api/reports/cache';
    const table: [token: string | undefined, look: number, change: number][] = [
      [undefined, 401, 401],
      ['demo-student', 403, 403],
      ['demo-parent', 403, 403],
      ['demo-tutor', 403, 403],
      ['demo-teacher', 200, 403],
      ['demo-admin', 200, 200],
    ];
    await warm('demo-student', [progressOf(STUDENT)]);
    for (const [token, look, change] of table) {
      const looks = [
        '/stats',
        '/hit-rate',
        '/health',
        '/invalidations',
        '/costs',
        '/openapi.json',
        '/entries',
        '/lists',
      ];
      for (const path of [...looks, '/lists/lessons', '/metrics'])
        expect([token, path, (await ask(token, manage + path)).status]).toEqual([token, path, look]);
      for (const path of ['/lists/insights', '/lists/analytics'])
        expect([token, path, (await ask(token, manage + path)).status]).toEqual([token, path, change]);
      const question = {
        method: 'POST',
        body: JSON.stringify({ url: progressOf(STUDENT), user: STUDENT, role: 'student' }),
      };
      const explained = await ask(token, `${manage}/explain`, question);
      expect([token, explained.status]).toEqual([token, look]);
      if (look === 200) expect(explained.body).toMatchObject({ verdict: 'hit', type: 'student_progress' });
      expect([token, (await ask(token, `${manage}/entries/nothing`)).status]).toEqual([
        token,
        look === 200 ? 404 : look,
      ]);
      const event = { event: 'grade_updated', facts: { student: NEIGHBOUR } };
      const sent = { method: 'POST', body: JSON.stringify(event) };
      expect([token, (await ask(token, `${manage}/invalidate`, sent)).status]).toEqual([token, change]);
      expect([token, (await ask(token, `${manage}/1`, { method: 'DELETE' })).status]).toEqual([token, change]);
      expect([token, (await ask('demo-student', progressOf(STUDENT))).cache]).toEqual([token, 'HIT']);
    }
    const own = { method: 'POST', body: JSON.stringify({ event: 'grade_updated', facts: { student: STUDENT } }) };
    expect((await ask('demo-admin', `${manage}/invalidate`, own)).status).toBe(200);
    expect((await ask('demo-student', progressOf(STUDENT))).cache).toBe('MISS');
    expect((await ask('demo-admin', `${manage}/stats`)).body).toMatchObject({ types: { student_progress: {} } });
  });

  it('shows the dashboard in a browser, which asks for the name', async () => {
    const page = (headers: Record<string, string>) =>
      ask(undefined, '/api/reports/cache/', { method: 'HEAD', headers: { accept: 'text/html,*/*;q=0.8', ...headers } });
    const basic = (name: string) => ({ authorization: `Basic ${Buffer.from(`${name}:`).toString('base64')}` });
    for (const headers of [{}, basic('nobody')])
      expect(await page(headers)).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': expect.stringMatching(/^Basic /) },
      });
    expect((await page(basic('demo-student'))).status).toBe(403);
    expect(await page(basic('demo-admin'))).toMatchObject({ status: 200, type: 'text/html; charset=utf-8' });
    const program = await ask(undefined, '/api/reports/cache/');
    expect([program.status, program.headers['www-authenticate']]).toEqual([401, 'Bearer realm="reports"']);
  });

  it('keeps a saved report to those it concerns', async () => {
    const student = { kind: 'student', title: 'Reading', body: 'Look at week 3.', concerns: [STUDENT] };
    const saved = await send('demo-teacher', 'POST', '/api/reports', student);
    const path = `/api/reports/${(saved.body as { id: number }).id}`;
    await warm('demo-student', [path]);
    expect((await ask(`demo-user-${NEIGHBOUR}`, path)).status).toBe(403);
    expect((await ask('demo-parent', path)).status).toBe(403);
  });
});
