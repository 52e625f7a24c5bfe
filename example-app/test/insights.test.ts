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
