// Analyses and snapshots over real HTTP, PostgreSQL and Redis: two platforms, an AI service that the test answers for.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../src/config.js';
import { patient } from '../src/demo/patient.js';
import { removeKeys } from '../src/demo/remove-keys.js';
import { Submission } from '../src/entities/index.js';
import type { Delivery } from '../src/insights/delivered.js';
import type { DayRow } from '../src/insights/statistics.js';
import { type Platform, startPlatform } from '../src/platform.js';
import { answer, completion, INSIGHT, startAiServer, type AiServer } from './ai-server.js';
import { type Answer, askAt } from './asking.js';

const START_LIMIT_MS = 60_000;
const STUDENT = 11391;
const NEIGHBOUR = 28400;
const KEY = 'sk-secret-of-the-house';
const insightOf = (student: number, query = ''): string => `/api/insights/students/${student}/AAA${query}`;

let platforms: Platform[];
let ai: AiServer;
let logged = '';
const folder = mkdtempSync(join(tmpdir(), 'report-cache-insights-'));
const schema = `report_cache_insights_${process.pid}`;

beforeAll(async () => {
  ai = await startAiServer();
  const config = loadConfig({
    DATABASE_URL: process.env['DATABASE_URL'],
    REDIS_URL: process.env['REDIS_URL'],
    PORT: '0',
    COHORT_STUDENTS: '24',
    EMBEDDED_DIR: folder,
    DATABASE_SCHEMA: schema,
    AI_URL: ai.url,
    AI_KEY: KEY,
    AI_MODEL: 'small',
    AI_PRICE_INPUT: '1',
    AI_PRICE_OUTPUT: '2',
    AI_DAILY_STUDENT_TOKENS: '40000',
    LOCAL_AI_MS: '0',
  });
  const logger = pino({ level: 'debug' }, { write: (line: string) => (logged += line) });
  platforms = [await startPlatform(config, logger, patient), await startPlatform(config, logger, patient)];
}, START_LIMIT_MS);

afterAll(async () => {
  const [first, ...others] = platforms ?? [];
  for (const other of others) await other.close();
  if (first !== undefined) await first.reports.disconnect(first.dataSource);
  await first?.dataSource.query(`DROP SCHEMA "${schema}" CASCADE`);
  await first?.close();
  await ai.close();
  rmSync(folder, { recursive: true, force: true });
  if (process.env['REDIS_URL'] !== undefined) await removeKeys(process.env['REDIS_URL'], schema);
}, START_LIMIT_MS);

beforeEach(async () => {
  ai.reply = answer(completion(INSIGHT));
  await platforms[0]?.reports.clear();
});

const ask = (path: string, token = 'demo-admin', at = 0): Promise<Answer> =>
  askAt(platforms[at]?.url ?? '', token, path);
const send = (method: string, path: string, body: object, token = 'demo-admin', at = 0): Promise<Answer> =>
  askAt(platforms[at]?.url ?? '', token, path, { method, body: JSON.stringify(body) });
const resultOf = (one: Answer): Delivery => (one.body as { result: Delivery }).result;

async function gradedOf(student: number): Promise<number> {
  const where = { studentId: student };
  const found = await platforms[0]!.dataSource
    .getRepository(Submission)
    .findOneOrFail({ where, order: { assessmentId: 'ASC' } });
  return found.assessmentId;
}

/** What is done today. */
async function statistics(): Promise<DayRow | undefined> {
  // What is counted elsewhere and waits.
  await ask('/api/insights/statistics', 'demo-admin', 1);
  return ((await ask('/api/insights/statistics')).body as { days: DayRow[] }).days.at(-1);
}

describe('rights', () => {
  const TOKENS = [undefined, 'demo-student', 'demo-parent', 'demo-tutor', 'demo-teacher', 'demo-admin'] as const;
  it.each([
    [insightOf(STUDENT), [401, 200, 200, 200, 200, 200]],
    [insightOf(NEIGHBOUR), [401, 403, 200, 200, 200, 200]],
    ['/api/analytics/users/me', [401, 200, 200, 200, 200, 200]],
    [`/api/analytics/users/${STUDENT}`, [401, 200, 403, 403, 403, 200]],
    ['/api/insights', [401, 403, 403, 403, 403, 200]],
    ['/api/insights/statistics', [401, 403, 403, 403, 403, 200]],
    ['/api/analytics', [401, 403, 403, 403, 403, 200]],
  ])('%s', async (path, expected) => {
    const statuses: number[] = [];
    for (const token of TOKENS) statuses.push((await askAt(platforms[0]?.url ?? '', token, path)).status);
    expect(statuses).toEqual(expected);
  });

  it('are asked before the cache: one that is gone is gone at once', async () => {
    expect((await ask(insightOf(NEIGHBOUR), 'demo-tutor')).status).toBe(200);
    const { dataSource } = platforms[0]!;
    await dataSource.query('UPDATE tutor_assignments SET tutor_id = tutor_id + 1 WHERE student_id = $1', [NEIGHBOUR]);
    try {
      expect((await ask(insightOf(NEIGHBOUR), 'demo-tutor')).status).toBe(403);
    } finally {
      await dataSource.query('UPDATE tutor_assignments SET tutor_id = tutor_id - 1 WHERE student_id = $1', [NEIGHBOUR]);
    }
  });

  it('nothing is made of what is not there', async () => {
    const before = ai.requests.length;
    expect((await ask('/api/insights/students/999/AAA')).status).toBe(404);
    expect((await ask(`/api/insights/students/${STUDENT}/ZZZ`)).status).toBe(404);
    expect((await ask(`/api/insights/students/${STUDENT}/AAA-BBB-CCC`)).status).toBe(404);
    expect((await ask(insightOf(STUDENT, '?engine=other'))).status).toBe(400);
    expect((await ask('/api/insights/statistics?from=2026-02-31')).status).toBe(400);
    expect((await ask('/api/analytics/users/999')).status).toBe(404);
    expect(ai.requests).toHaveLength(before);
  });
});

describe('an analysis', () => {
  it('is made once, and says where it comes from, until when it holds and what it took', async () => {
    const before = ai.requests.length;
    const made = await ask(insightOf(STUDENT), 'demo-student');
    expect(made.body).toMatchObject({
      student: STUDENT,
      subject: 'AAA',
      engine: 'openai',
      model: 'small',
      insight: INSIGHT,
    });
    const first = resultOf(made);
    expect(first).toMatchObject({
      cached: false,
      source: 'ai_model',
      tokens: { input: 900, output: 600, used: 1500, saved: 0 },
      money: { used: 0.0021, saved: 0, currency: 'USD' },
    });
    expect(Date.parse(first.expires_at ?? '') - Date.parse(first.created_at)).toBe(86_400_000);
    const expected = {
      cached: true,
      created_at: first.created_at,
      expires_at: first.expires_at,
      tokens: { input: 900, output: 600, used: 0, saved: 1500 },
      money: { used: 0, saved: 0.0021, currency: 'USD' },
    };
    const second = await ask(insightOf(STUDENT), 'demo-teacher');
    expect(resultOf(second)).toMatchObject({ ...expected, source: 'memory' });
    expect(second.headers).toMatchObject({
      'x-cache': 'HIT',
      'result-source': 'memory',
      'result-tokens-used': '0',
      'result-tokens-saved': '1500',
      'result-money-saved': '0.0021 USD',
      'result-created': first.created_at,
      'result-expires': first.expires_at,
    });
    expect(resultOf(await ask(insightOf(STUDENT), 'demo-parent', 1))).toMatchObject({ ...expected, source: 'redis' });
    expect(ai.requests).toHaveLength(before + 1);
  });

  it('is another one for another student, subject or engine', async () => {
    const before = ai.requests.length;
    await ask(insightOf(STUDENT));
    await ask(insightOf(NEIGHBOUR));
    expect(ai.requests).toHaveLength(before + 2);
    const local = await ask(insightOf(STUDENT, '?engine=local'));
    expect(resultOf(local)).toMatchObject({ cached: false, source: 'ai_model', tokens: { used: 1500 } });
    expect(ai.requests).toHaveLength(before + 2);
    await platforms[0]?.reports.clear();
    const { insight, figures } = local.body as { insight: unknown; figures: unknown };
    // The same figures, the same sentences.
    expect((await ask(insightOf(STUDENT, '?engine=local'))).body).toMatchObject({ insight, figures });
  });

  it("is made anew after a grade of the student, not after a neighbour's, nor after a page that he reads", async () => {
    const sources = async () => [
      resultOf(await ask(insightOf(STUDENT))).source,
      resultOf(await ask(insightOf(NEIGHBOUR))).source,
    ];
    expect(await sources()).toEqual(['ai_model', 'ai_model']);
    const [{ id }] = await platforms[0]!.dataSource.query(
      `SELECT id FROM materials WHERE presentation_code = 'AAA-2013J' LIMIT 1`,
    );
    expect((await send('POST', `/api/progress/${id}`, { element: 1, percent: 50 }, 'demo-student')).status).toBe(200);
    expect(await sources()).toEqual(['memory', 'memory']);
    const score = { score: 12 };
    expect(
      (await send('PUT', `/api/submissions/${await gradedOf(STUDENT)}/${STUDENT}`, score, 'demo-teacher', 1)).status,
    ).toBe(200);
    expect(await sources()).toEqual(['ai_model', 'memory']);
    const asked = ai.requests.at(-1)?.body.messages.at(-1)?.content ?? '';
    expect(JSON.parse(asked)).toMatchObject({ lowest: 12 });
    // Figures, and nobody's name or number.
    expect(asked).not.toMatch(/11391|name/i);
  });

  it('that was made while a grade came is given to who asked, and kept by nobody', async () => {
    const assessment = await gradedOf(STUDENT);
    const reply = ai.reply;
    const before = ai.requests.length;
    let finish: () => unknown = () => undefined;
    ai.reply = (res, asked) => (finish = () => reply(res, asked));
    const asking = ask(insightOf(STUDENT));
    await ai.asked(before + 1);
    await send('PUT', `/api/submissions/${assessment}/${STUDENT}`, { score: 55 }, 'demo-teacher', 1);
    finish();
    const early = await asking;
    expect([early.status, resultOf(early).expires_at]).toEqual([200, null]);
    ai.reply = reply;
    expect(resultOf(await ask(insightOf(STUDENT))).source).toBe('ai_model');
    expect(resultOf(await ask(insightOf(STUDENT))).source).toBe('memory');
  });
});

describe('a snapshot of a user', () => {
  const path = `/api/analytics/users/${STUDENT}`;
  const readsOf = (one: Answer): number => (one.body as { reads: number }).reads;

  it('is made once a day, and its reads are counted without making it anew', async () => {
    const first = await ask(path, 'demo-student');
    expect(resultOf(first)).toMatchObject({
      cached: false,
      source: 'computed',
      tokens: { used: 0, saved: 0 },
      money: null,
    });
    const { created_at: created, expires_at: expires } = resultOf(first);
    expect(Date.parse(expires ?? '') - Date.parse(created)).toBe(86_400_000);
    // Each through the database, which is where the count is.
    for (let more = 1; more <= 3; more += 1) {
      await ask('/api/analytics');
      const next = await ask(path, 'demo-admin', more % 2);
      expect(resultOf(next)).toMatchObject({ cached: true, created_at: created });
    }
    await ask('/api/analytics', 'demo-admin', 1);
    expect(readsOf(await ask(path))).toBe(readsOf(first) + 4);
    await send('PUT', `/api/submissions/${await gradedOf(STUDENT)}/${STUDENT}`, { score: 66 }, 'demo-teacher');
    expect(resultOf(await ask(path)).created_at).toBe(created);
  });

  it('survives Redis and every process: the database has it', async () => {
    const { created_at: created } = resultOf(await ask(path));
    for (const { reports } of platforms) reports.evict();
    await removeKeys(process.env['REDIS_URL'] ?? '', schema);
    // A Redis that has lost its keys is distrusted first.
    await eventually(async () => resultOf(await ask(path)).source === 'database');
    expect(resultOf(await ask(path)).created_at).toBe(created);
  });
});

describe('administrators', () => {
  it('see each result with how it was used', async () => {
    await ask(insightOf(STUDENT));
    await ask(insightOf(STUDENT), 'demo-parent', 1);
    await ask('/api/insights', 'demo-admin', 1);
    const listed = (query: string) =>
      ask(`/api/insights${query}`).then(({ body }) => body as { total: number; items: Item[] });
    const { items } = await listed(`?user=${STUDENT}&engine=openai&state=fresh`);
    expect(items).toHaveLength(1);
    const [{ generated, hits, tokens_used: used, tokens_saved: saved } = NO_ITEM] = items;
    expect(hits).toBeGreaterThan(0);
    expect([used, saved]).toEqual([1500 * generated, 1500 * hits]);
    expect((await listed('?state=expired')).total).toBe(0);
    expect((await listed('?size=1')).items).toHaveLength(1);
    expect((await ask('/api/insights?size=1000')).status).toBe(400);
  });

  it('see what a day has made, served, spent and spared, as each answer has said', async () => {
    const before = await statistics();
    const answers: Answer[] = [];
    for (const at of [0, 1, 0, 1, 0]) answers.push(await ask(insightOf(STUDENT), 'demo-admin', at));
    for (const at of [0, 1]) answers.push(await ask(`/api/analytics/users/${NEIGHBOUR}`, 'demo-admin', at));
    const after = await statistics();
    const told = answers.map(resultOf);
    const sum = (value: (one: Delivery) => number) => told.reduce((total, one) => total + value(one), 0);
    expect({
      generated: (after?.insights.generated ?? 0) - (before?.insights.generated ?? 0),
      served: (after?.insights.served_from_cache ?? 0) - (before?.insights.served_from_cache ?? 0),
      used: (after?.tokens.used ?? 0) - (before?.tokens.used ?? 0),
      saved: (after?.tokens.saved ?? 0) - (before?.tokens.saved ?? 0),
      money: (after?.money['USD']?.saved ?? 0) - (before?.money['USD']?.saved ?? 0),
      snapshots: (after?.analytics.generated ?? 0) - (before?.analytics.generated ?? 0),
      snapshotsServed: (after?.analytics.served_from_cache ?? 0) - (before?.analytics.served_from_cache ?? 0),
    }).toEqual({
      generated: 1,
      served: 4,
      used: sum(({ tokens }) => tokens.used),
      saved: sum(({ tokens }) => tokens.saved),
      money: expect.closeTo(
        sum(({ money }) => money?.saved ?? 0),
        9,
      ),
      snapshots: 1,
      snapshotsServed: 1,
    });
    expect(after?.insights.hit_rate).toBeGreaterThan(0);
  });

  it('clear what is over, and hear how many of each kind', async () => {
    await ask(insightOf(STUDENT));
    await ask(`/api/analytics/users/${STUDENT}`);
    await send('POST', '/api/insights/prune', {});
    expect((await send('POST', '/api/insights/prune', {})).body).toEqual({
      cleared: { ai_insight: 0, user_analytics: 0 },
    });
    await platforms[0]?.reports.clear();
    expect((await send('POST', '/api/insights/prune', {})).body).toEqual({
      cleared: { ai_insight: 1, user_analytics: 1 },
    });
    expect((await send('POST', '/api/insights/prune', {}, 'demo-teacher')).status).toBe(403);
  });
});

interface Item {
  readonly generated: number;
  readonly hits: number;
  readonly tokens_used: number;
  readonly tokens_saved: number;
}
const NO_ITEM: Item = { generated: 0, hits: 0, tokens_used: 0, tokens_saved: 0 };

async function eventually(done: () => Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a failing engine', () => {
  it('is told clearly, keeps nothing, never shows the key, and is not asked by all who waited', async () => {
    const path = insightOf(NEIGHBOUR);
    const before = ai.requests.length;
    const spent = (await statistics())?.tokens.used ?? 0;
    let finish: () => unknown = () => undefined;
    ai.reply = (res, asked) => (finish = () => answer(completion({ text: KEY }))(res, asked));
    const asking = Array.from({ length: 5 }, () => ask(path));
    await ai.asked(before + 1);
    finish();
    for (const one of await Promise.all(asking))
      expect(one).toMatchObject({
        status: 502,
        type: 'application/problem+json; charset=utf-8',
        body: { code: 'ai_wrong_shape' },
      });
    expect(ai.requests).toHaveLength(before + 1);
    expect(((await statistics())?.tokens.used ?? 0) - spent).toBe(1500);
    const rows = await platforms[0]!.dataSource.query(
      `SELECT 1 FROM report_cache_entry WHERE namespace = $1 AND type = 'ai_insight' AND entry_key LIKE '%${NEIGHBOUR}%' AND delete_at > 0`,
      [schema],
    );
    expect(rows.length).toBeLessThan(2);
    expect(logged).not.toContain(KEY);
  });

  it('that wants to be left alone is: 503 with Retry-After', async () => {
    ai.reply = answer('{}', 429, { 'retry-after': '77' });
    const refused = await ask(insightOf(STUDENT), 'demo-admin', 1);
    expect(refused).toMatchObject({ status: 503, body: { code: 'ai_rate_limited' } });
    expect(refused.headers['retry-after']).toBe('77');
  });
});

describe('what may be spent in a day', () => {
  it('ends new analyses of a student, 429 until midnight; others have their own', async () => {
    const [{ id }] = await platforms[0]!.dataSource.query(
      `SELECT student_id AS id FROM enrolments WHERE presentation_code LIKE 'AAA-%' AND student_id NOT IN ($1, $2) LIMIT 1`,
      [STUDENT, NEIGHBOUR],
    );
    const path = insightOf(id, '?engine=local');
    let made = 0;
    let last = await ask(path);
    while (last.status === 200 && made < 100) {
      made += 1;
      await platforms[0]?.reports.invalidate(`marks:${id}`);
      last = await ask(path, 'demo-admin', made % 2);
    }
    // The first that begins with 40,000 spent, counted by both processes together.
    expect(made).toBe(27);
    expect(last).toMatchObject({ status: 429, body: { code: 'spend_limit' } });
    const retryAfter = Number(last.headers['retry-after']);
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(86_400);
    expect((await ask(insightOf(NEIGHBOUR, '?engine=local'))).status).toBe(200);
  });
});
