// Generated lessons over real HTTP, PostgreSQL and Redis: two platforms, the local writer behind gates that the test keeps.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../src/config.js';
import { patient } from '../src/demo/patient.js';
import { removeKeys } from '../src/demo/remove-keys.js';
import type { Lesson } from '../src/lessons/lesson.js';
import { MAX_VERSIONS } from '../src/lessons/lessons.js';
import { localWriter } from '../src/lessons/local-writer.js';
import type { Statistics } from '../src/lessons/statistics.js';
import type { LessonWriter, Usage, WritingOrder } from '../src/lessons/writer.js';
import { type Platform, startPlatform } from '../src/platform.js';
import { type Answer, askAt } from './asking.js';

const START_LIMIT_MS = 60_000;
const STUDENT = 11391;
const folder = mkdtempSync(join(tmpdir(), 'report-cache-lessons-'));
const schema = `report_cache_lessons_${process.pid}`;
const today = new Date().toISOString().slice(0, 10);

/** What all platforms have had written. */
let orders: WritingOrder[] = [];
/** What comes before each writing. */
let before: (used: (usage: Usage) => void) => Promise<unknown>;
/** What becomes of what was written. */
let after: (lesson: Lesson) => Lesson;
const local = localWriter(0);
const writer: LessonWriter = {
  async write(order, used) {
    orders.push(order);
    await before(used);
    return after(await local.write(order, used));
  },
};

/** Two of them over one database and one Redis. */
let platforms: Platform[];
let logged = '';
const start = (env: Record<string, string> = {}): Promise<Platform> =>
  startPlatform(
    loadConfig({
      DATABASE_URL: process.env['DATABASE_URL'],
      REDIS_URL: process.env['REDIS_URL'],
      PORT: '0',
      COHORT_STUDENTS: '24',
      EMBEDDED_DIR: folder,
      DATABASE_SCHEMA: schema,
      ...env,
    }),
    pino({ level: 'debug' }, { write: (line: string) => (logged += line) }),
    patient,
    writer,
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
  if (process.env['REDIS_URL'] !== undefined) await removeKeys(process.env['REDIS_URL'], schema);
}, START_LIMIT_MS);

beforeEach(() => {
  orders = [];
  before = async () => undefined;
  after = (lesson) => lesson;
});

/** A promise that the test keeps. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

let number = 0;
/** A lesson that nobody has asked for. */
const fresh = (): string => `/api/lessons/Adding%20fractions/${(number += 1)}/visual`;

const ask = (path: string, token = 'demo-student', at = 0, headers = {}): Promise<Answer> =>
  askAt(platforms[at]?.url ?? '', token, path, { headers });
const send = (method: string, path: string, body?: object, token = 'demo-admin', at = 0): Promise<Answer> =>
  askAt(platforms[at]?.url ?? '', token, path, { method, ...(body && { body: JSON.stringify(body) }) });
const rewrite = (path: string, reason: string, token = 'demo-teacher', at = 0): Promise<Answer> =>
  send('POST', `${path}/versions`, { reason }, token, at);
const vote = (path: string, version: number, ballot: string, token = 'demo-student', at = 0): Promise<Answer> =>
  send('PUT', `${path}/versions/${version}/vote`, { vote: ballot }, token, at);

interface Told {
  readonly version: number;
  readonly cached: boolean;
  readonly source: string;
  readonly reason?: string;
  readonly lesson: Lesson;
}
const told = (answer: Answer): Told => answer.body as Told;

interface Listed {
  readonly version: number;
  readonly up: number;
  readonly down: number;
  readonly approved: boolean;
  readonly views: number;
  readonly pinned: boolean;
  readonly served: boolean;
  readonly by?: number;
  readonly cost?: { readonly inputTokens: number; readonly outputTokens: number; readonly money: number };
}
const listed = async (path: string, token = 'demo-admin', at = 0): Promise<Listed[]> =>
  ((await ask(`${path}/versions`, token, at)).body as { versions: Listed[] }).versions;

const STATISTICS = `/api/lessons/statistics?from=${today}&to=2099-12-31`;

/** What was done since this test file began, by both platforms. */
async function statistics(): Promise<Statistics> {
  // What is counted there and waits.
  await ask(STATISTICS, 'demo-admin', 1);
  return (await ask(STATISTICS, 'demo-admin')).body as Statistics;
}

describe('rights', () => {
  const TOKENS = ['wrong', 'demo-parent', 'demo-tutor', 'demo-student', 'demo-teacher', 'demo-admin'];
  const VERSION_3 = '/versions/3';
  const readers = [401, 403, 403, 200, 200, 200];
  const administrator = (status: number) => [401, 403, 403, 403, 403, status];

  it.each<[method: string, below: string, body: object | undefined, expected: number[]]>([
    ['GET', '', undefined, readers],
    ['GET', '/versions', undefined, readers],
    ['GET', '/versions/1', undefined, readers],
    ['PUT', '/versions/1/vote', { vote: 'up' }, [401, 403, 403, 200, 200, 403]],
    ['POST', '/versions', { reason: 'with pizzas' }, [401, 403, 403, 403, 201, 201]],
    ['PUT', '/pin', { version: 2 }, administrator(200)],
    ['DELETE', '/pin', undefined, administrator(204)],
    ['POST', '/rollback', undefined, administrator(200)],
    ['DELETE', VERSION_3, undefined, administrator(204)],
    ['DELETE', '', undefined, administrator(204)],
  ])('%s %s', async (method, below, body, expected) => {
    const path = fresh();
    for (const reason of ['one', 'two', 'three']) await rewrite(path, reason);
    const statuses: number[] = [];
    for (const token of TOKENS) statuses.push((await send(method, `${path}${below}`, body, token)).status);
    expect(statuses).toEqual(expected);
  });

  it('statistics are an administrator’s', async () => {
    const answers = await Promise.all(TOKENS.map((token) => ask('/api/lessons/statistics', token)));
    expect(answers.map(({ status }) => status)).toEqual(administrator(200));
  });

  it('who is refused has had nothing written', async () => {
    const path = fresh();
    for (const token of ['wrong', 'demo-parent', 'demo-tutor']) await ask(path, token);
    expect(orders).toEqual([]);
    expect(await listed(path)).toEqual([]);
  });

  it('who had a version written, and what that took, is for those who may have it written', async () => {
    const path = fresh();
    await rewrite(path, 'with pizzas');
    expect(await listed(path, 'demo-teacher')).toMatchObject([{ by: expect.any(Number), cost: expect.any(Object) }]);
    const [student] = await listed(path, 'demo-student');
    expect(Object.keys(student ?? {})).toEqual(
      'version created_at up down approved views reason pinned served'.split(' '),
    );
  });
});

describe('L1: get or generate', () => {
  it('looks before it generates, by title, number and style', async () => {
    const path = fresh();
    const made = await ask(path);
    expect(made).toMatchObject({ status: 200, cache: 'MISS' });
    expect(made.body).toMatchObject({ title: 'Adding fractions', style: 'visual', version: 1, source: 'writer' });
    expect(await ask(path, 'demo-teacher')).toMatchObject({ cache: 'HIT', body: { cached: true, source: 'memory' } });
    expect(orders).toHaveLength(1);
    for (const other of [path.replace('visual', 'reading'), path.replace('Adding', 'Taking%20away'), fresh()])
      expect(told(await ask(other)).cached).toBe(false);
    expect(orders).toHaveLength(4);
  });

  it('stands in the management of the cache, with its versions', async () => {
    const path = fresh();
    await ask(path);
    const lists = '/api/reports/cache/lists/lessons';
    const { items } = (await ask(`${lists}?limit=200`, 'demo-teacher')).body as {
      items: { id: string; number: number }[];
    };
    const item = items.find((one) => path.includes(`/${one.number}/`));
    expect(item).toMatchObject({ title: 'Adding fractions', style: 'visual', versions: 1, pinned: null });
    const one = await ask(`${lists}/${encodeURIComponent(item?.id ?? '')}`, 'demo-teacher');
    expect(one.body).toMatchObject({ item: { title: 'Adding fractions', versions: [{ version: 1, served: true }] } });
    for (const none of ['nothing', '1.visual.', '999.visual.None'])
      expect((await ask(`${lists}/${none}`, 'demo-teacher')).status).toBe(404);
  });

  it('takes two ways of writing a title for one lesson, and any letters', async () => {
    const path = fresh();
    const title = (text: string) => path.replace('Adding%20fractions', encodeURIComponent(text));
    const made = await ask(title('Brüche / “¾” & 分数'));
    expect(made.body).toMatchObject({ title: 'Brüche / “¾” & 分数', cached: false });
    expect(told(await ask(title('  Bru\u0308che /  “¾” & 分数 ')))).toMatchObject({ cached: true });
    expect(orders).toHaveLength(1);
  });

  it('is there after a restart, though memory and Redis have forgotten it', async () => {
    const path = fresh();
    const made = told(await ask(path));
    await vote(path, 1, 'up');
    for (const one of platforms) await one.close();
    if (process.env['REDIS_URL'] !== undefined) await removeKeys(process.env['REDIS_URL'], schema);
    platforms = [await start(), await start()];
    const found = await ask(path);
    expect(found).toMatchObject({ cache: 'HIT', body: { cached: true, source: 'database', version: 1 } });
    expect(told(found).lesson).toEqual(made.lesson);
    expect(told(await ask(path, 'demo-student', 1))).toMatchObject({ cached: true, source: 'redis' });
    expect(await listed(path)).toMatchObject([{ up: 1 }]);
    expect(orders).toHaveLength(1);
  }, 120_000);

  it('browsers have it once: 304 as long as the same version is served', async () => {
    const path = fresh();
    const { etag = '', headers } = await ask(path);
    expect(headers).toMatchObject({ 'cache-control': 'private, no-cache', etag: expect.stringMatching(/^W\/"/) });
    const conditional = (at = 0) => ask(path, 'demo-teacher', at, { 'if-none-match': etag });
    expect(await conditional()).toMatchObject({ status: 304, etag, body: undefined });
    expect(await conditional(1)).toMatchObject({ status: 304, etag });
    await rewrite(path, 'shorter');
    expect(await conditional(1)).toMatchObject({ status: 200, body: { version: 2 } });
    await send('PUT', `${path}/pin`, { version: 1 });
    expect(await conditional()).toMatchObject({ status: 304, etag });
    await send('DELETE', path);
    // Version 1 again, and another lesson.
    expect(await conditional()).toMatchObject({ status: 200, body: { version: 1 } });
  });
});

it('L2: every serving is counted, and says whether it was cached', async () => {
  const path = fresh();
  const { etag = '' } = await ask(path);
  const servings = [ask(path), ask(path, 'demo-teacher'), ask(path, 'demo-admin', 0, { 'if-none-match': etag })];
  expect((await Promise.all(servings)).map(({ cache }) => cache)).toEqual(['HIT', 'HIT', 'HIT']);
  // To look at a version is not to be served it.
  expect((await ask(`${path}/versions/1`)).body).toMatchObject({ cached: true, source: 'database' });
  expect(await listed(path)).toMatchObject([{ version: 1, views: 4 }]);
});

describe('L3: votes', () => {
  it('are one for each user, which he may change and take back', async () => {
    const path = fresh();
    await ask(path);
    expect((await vote(path, 1, 'up')).body).toEqual({ version: 1, vote: 'up', up: 1, down: 0, approved: false });
    expect((await vote(path, 1, 'up', 'demo-student', 1)).body).toMatchObject({ up: 1, down: 0 });
    expect((await vote(path, 1, 'up', `demo-user-${STUDENT}`)).body).toMatchObject({ up: 1, down: 0 });
    expect((await vote(path, 1, 'up', 'demo-teacher', 1)).body).toMatchObject({ up: 2, down: 0 });
    expect((await vote(path, 1, 'down')).body).toMatchObject({ up: 1, down: 1 });
    expect((await vote(path, 1, 'none')).body).toMatchObject({ up: 1, down: 0 });
    expect(await listed(path)).toMatchObject([{ up: 1, down: 0 }]);
  });

  it('are those of who sends them, whomever the body names', async () => {
    const path = fresh();
    await ask(path);
    const forged = { vote: 'up', user: 28400 };
    expect((await send('PUT', `${path}/versions/1/vote`, forged, 'demo-student')).status).toBe(422);
    expect(await listed(path)).toMatchObject([{ up: 0, down: 0 }]);
  });

  it('approve a version: ten more up than down, and four of five up', async () => {
    const path = fresh();
    await ask(path);
    const students = (await platforms[0]!.dataSource.query(
      `SELECT id FROM users WHERE role = 'student' ORDER BY id LIMIT 18`,
    )) as { id: number }[];
    const ballot = async (at: number, choice: string) =>
      (await vote(path, 1, choice, `demo-user-${students[at]?.id}`, at % 2)).body as Listed;
    for (let at = 0; at < 9; at += 1) expect(await ballot(at, 'up')).toMatchObject({ up: at + 1, approved: false });
    expect(await ballot(9, 'up')).toMatchObject({ up: 10, approved: true });
    expect(await listed(path)).toMatchObject([{ approved: true }]);
    expect(await ballot(10, 'down')).toMatchObject({ up: 10, down: 1, approved: false });
    for (const at of [11, 12, 13]) await ballot(at, 'up');
    for (const at of [14, 15, 16]) await ballot(at, 'down');
    // Fourteen of eighteen would be less than four of five.
    expect(await ballot(17, 'up')).toMatchObject({ up: 14, down: 4, approved: false });
    expect(await ballot(16, 'none')).toMatchObject({ up: 14, down: 3, approved: true });
  });

  it('are no part of what browsers and caches keep', async () => {
    const path = fresh();
    const { etag = '', body } = await ask(path);
    await vote(path, 1, 'down');
    expect(Object.keys(body as object)).not.toEqual(expect.arrayContaining(['up']));
    expect(await ask(path, 'demo-student', 1, { 'if-none-match': etag })).toMatchObject({ status: 304, cache: 'HIT' });
  });
});

describe('L4: versions', () => {
  it('a lesson is written anew for a reason, which the text takes up', async () => {
    const path = fresh();
    const first = told(await ask(path)).lesson;
    const made = await rewrite(path, 'with pizzas');
    expect(made).toMatchObject({ status: 201, body: { version: 2, cached: false, reason: 'with pizzas' } });
    expect(made.headers.location).toBe(`${path}/versions/2`);
    expect(told(await ask(made.headers.location ?? '')).lesson).toEqual(told(made).lesson);
    expect(JSON.stringify(told(made).lesson)).toContain('with pizzas');
    expect(told(made).lesson).not.toEqual(first);
    expect(told(await ask(`${path}/versions/1`)).lesson).toEqual(first);
    expect(orders.map(({ reason }) => reason)).toEqual([undefined, 'with pizzas']);
  });

  it('all are listed, and the best is served: approval, votes, the newest; on both platforms', async () => {
    const path = fresh();
    const served = async () => [told(await ask(path)).version, told(await ask(path, 'demo-student', 1)).version];
    await ask(path);
    expect(await served()).toEqual([1, 1]);
    await rewrite(path, 'shorter');
    await rewrite(path, 'longer', 'demo-admin', 1);
    expect(await served()).toEqual([3, 3]);
    await vote(path, 2, 'up');
    expect(await served()).toEqual([2, 2]);
    await vote(path, 1, 'up', 'demo-student', 1);
    await vote(path, 1, 'up', 'demo-teacher', 1);
    expect(await served()).toEqual([1, 1]);
    expect(
      (await listed(path)).map((one) => [one.version, one.up, one.down, one.approved, one.pinned, one.served]),
    ).toEqual([
      [3, 0, 0, false, false, false],
      [2, 1, 0, false, false, false],
      [1, 2, 0, false, false, true],
    ]);
  });

  it('an administrator pins one, rolls back, leaves it to the votes again, and removes', async () => {
    const path = fresh();
    const served = async (at: number) => told(await ask(path, 'demo-student', at)).version;
    for (const reason of ['one', 'two', 'three']) await rewrite(path, reason);
    expect((await send('PUT', `${path}/pin`, { version: 2 })).body).toEqual({ pinned: 2 });
    expect(await served(1)).toBe(2);
    expect((await send('POST', `${path}/rollback`)).body).toEqual({ pinned: 1 });
    expect(await served(1)).toBe(1);
    expect(await send('POST', `${path}/rollback`)).toMatchObject({ status: 409 });
    expect((await send('DELETE', `${path}/pin`)).status).toBe(204);
    expect(await served(1)).toBe(3);
    expect((await send('DELETE', `${path}/versions/3`)).status).toBe(204);
    expect(await served(1)).toBe(2);
    expect((await send('DELETE', path)).status).toBe(204);
    expect(await listed(path)).toEqual([]);
    expect(told(await ask(path, 'demo-student', 1))).toMatchObject({ version: 1, cached: false });
  });

  it('there are only so many of a lesson', async () => {
    const path = fresh();
    for (let at = 1; at <= MAX_VERSIONS; at += 1) expect((await rewrite(path, `wish ${at}`)).status).toBe(201);
    expect(await rewrite(path, 'one more')).toMatchObject({ status: 409, body: { status: 409 } });
    expect(orders).toHaveLength(MAX_VERSIONS);
    await send('DELETE', `${path}/versions/1`);
    expect((await rewrite(path, 'one more')).status).toBe(201);
  });
});

describe('L5: costs', () => {
  it('each generation, what each hit has saved, totals, the hit rate, and how it grows', async () => {
    const was = await statistics();
    const path = fresh();
    await ask(path);
    await rewrite(path, 'with pizzas');
    for (const at of [0, 0, 1]) await ask(path, 'demo-student', at);
    const [second, first] = (await listed(path)).map(({ cost }) => cost!);
    expect(first?.money).toBeCloseTo(0.002, 3);
    const tokens = ({ inputTokens, outputTokens }: NonNullable<typeof first>) => inputTokens + outputTokens;

    const { total, days } = await statistics();
    const { total: earlier } = was;
    const more = ([total.generated, total.hits, total.failed] as const).map(
      (count, at) => count - [earlier.generated, earlier.hits, earlier.failed][at]!,
    );
    expect(more).toEqual([2, 3, 0]);
    expect(total.tokens.used - earlier.tokens.used).toBe(tokens(first!) + tokens(second!));
    expect(total.tokens.saved - earlier.tokens.saved).toBe(3 * tokens(second!));
    const money = (which: 'used' | 'saved') =>
      (total.money['USD']?.[which] ?? 0) - (earlier.money['USD']?.[which] ?? 0);
    expect(money('used')).toBeCloseTo(first!.money + second!.money, 9);
    expect(money('saved')).toBeCloseTo(3 * second!.money, 9);
    const served = total.hits + total.joined;
    expect(total.hit_rate).toBeCloseTo(served / (served + total.generated + total.failed), 9);
    expect(days.at(-1)).toMatchObject({ day: expect.any(String), generated_so_far: total.generated });
  });

  it('what may be spent in a day is bounded: new ones are refused, what is there is served', async () => {
    const [path, other] = [fresh(), fresh()];
    await ask(path);
    const poor = await start({ LESSON_DAILY_CENTS: '0' });
    try {
      expect((await askAt(poor.url, 'demo-student', path)).status).toBe(200);
      const lesson = await askAt(poor.url, 'demo-student', other);
      const again = await askAt(poor.url, 'demo-teacher', `${path}/versions`, {
        method: 'POST',
        body: '{"reason":"with pizzas"}',
      });
      for (const refused of [lesson, again]) {
        expect(refused).toMatchObject({ status: 429, body: { status: 429, code: 'spend_limit' } });
        expect(refused.type).toMatch(/^application\/problem\+json/);
        const seconds = Number(refused.headers['retry-after']);
        expect([seconds > 0, seconds <= 86_400]).toEqual([true, true]);
      }
    } finally {
      await poor.close();
    }
    expect(orders).toHaveLength(1);
    expect(await listed(other)).toEqual([]);
  });
});

describe('L6: trouble', () => {
  it('two simultaneous first readers of two platforms cause one generation', async () => {
    const path = fresh();
    await ask('/api/lessons/Warm/1/visual', 'demo-teacher', 1);
    orders = [];
    const [entered, go] = [gate(), gate()];
    before = () => (entered.open(), go.opened);
    const first = ask(path, 'demo-student', 0);
    await entered.opened;
    const received = once(platforms[1]!.server, 'request');
    const second = ask(path, 'demo-teacher', 1);
    await received;
    // Nothing is there while it is being written; and the second reader has been on his way for several round trips.
    for (const at of [1, 1, 1]) expect(await listed(path, 'demo-teacher', at)).toEqual([]);
    go.open();
    const [made, shared] = [told(await first), told(await second)];
    expect(made).toMatchObject({ version: 1, cached: false, source: 'writer' });
    expect(shared).toMatchObject({ version: 1, cached: true });
    expect(shared.lesson).toEqual(made.lesson);
    expect(orders).toHaveLength(1);
    expect(await listed(path)).toHaveLength(1);
  });

  it('two who want it anew at once get one new version', async () => {
    const path = fresh();
    await ask(path);
    const [entered, go] = [gate(), gate()];
    before = () => (entered.open(), go.opened);
    const first = rewrite(path, 'shorter');
    await entered.opened;
    const received = once(platforms[1]!.server, 'request');
    const second = rewrite(path, 'longer', 'demo-admin', 1);
    await received;
    for (const at of [1, 1, 1]) expect(await listed(path, 'demo-teacher', at)).toHaveLength(1);
    go.open();
    expect(await first).toMatchObject({ status: 201, body: { version: 2, reason: 'shorter' } });
    // It is not what he wanted, and he is told so.
    expect(await second).toMatchObject({ status: 409, body: { version: 2 } });
    expect(orders).toHaveLength(2);
    expect((await rewrite(path, 'longer', 'demo-admin', 1)).body).toMatchObject({ version: 3, reason: 'longer' });
  });

  it('who has waited long enough is told to ask again, and what is being written is saved all the same', async () => {
    const path = fresh();
    const hurried = await start({ LESSON_PATIENCE_MS: '50' });
    const [entered, go] = [gate(), gate()];
    before = () => (entered.open(), go.opened);
    try {
      const late = await askAt(hurried.url, 'demo-student', path);
      expect(late).toMatchObject({ status: 504, body: { status: 504, code: 'lesson_late' } });
      // On a busy machine his patience ends before it is begun.
      await entered.opened;
    } finally {
      go.open();
      await hurried.close();
    }
    expect(await ask(path)).toMatchObject({ cache: 'HIT', body: { version: 1, cached: true } });
    expect(orders).toHaveLength(1);
  });

  it('a writer that fails is a clear error, and nothing is saved', async () => {
    const path = fresh();
    const was = await statistics();
    before = async (used) => {
      used({ model: 'local-lessons', inputTokens: 100, outputTokens: 0 });
      throw new Error('the model is at lunch');
    };
    const failed = await ask(path);
    expect(failed).toMatchObject({ status: 502, body: { status: 502, code: 'lesson_unwritten' } });
    expect(failed.type).toMatch(/^application\/problem\+json/);
    expect(failed.headers['cache-control']).toBe('no-store');
    expect(JSON.stringify(failed.body)).not.toContain('lunch');
    expect(logged).toContain('the model is at lunch');
    expect((await rewrite(path, 'shorter')).status).toBe(502);
    expect(await listed(path)).toEqual([]);
    const { total } = await statistics();
    // Paid for all the same; once, because for a moment who asks for the same is told the same.
    expect([total.failed - was.total.failed, total.tokens.used - was.total.tokens.used]).toEqual([1, 100]);

    before = async () => undefined;
    expect((await ask(path)).status).toBe(502);
    expect(told(await ask(fresh(), 'demo-student', 1))).toMatchObject({ version: 1, cached: false });
  });

  it('one that fails to write another leaves the one that is there', async () => {
    const path = fresh();
    await ask(path);
    before = () => Promise.reject(new Error('the model is at lunch'));
    expect((await rewrite(path, 'shorter')).status).toBe(502);
    expect(await ask(path)).toMatchObject({ cache: 'HIT', body: { version: 1 } });
    expect(await listed(path)).toHaveLength(1);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'Once upon a time'],
    ['no sections', { heading: 'Adding', sections: [] }],
    ['an empty section', { heading: 'Adding', sections: [{ heading: 'What', text: ' ' }] }],
    ['a section that is none', { heading: 'Adding', sections: [null] }],
    ['a book', { heading: 'Adding', sections: [{ heading: 'What', text: 'x'.repeat(100_001) }] }],
  ])('%s is no lesson, and is not kept', async (_name, written) => {
    const path = fresh();
    after = () => written as Lesson;
    expect(await ask(path)).toMatchObject({ status: 502, body: { code: 'lesson_unwritten' } });
    expect(await listed(path)).toEqual([]);
  });

  it('what is not there, and nonsense, is said to be; and nothing is written for it', async () => {
    const path = fresh();
    await ask(path);
    const title = (text: string) => path.replace('Adding%20fractions', text);
    const missing = [
      ask(`${path}/versions/7`),
      vote(path, 7, 'up'),
      vote(fresh(), 1, 'up'),
      send('PUT', `${path}/pin`, { version: 7 }),
      send('DELETE', `${path}/versions/7`),
      ask(`${path}/nothing`),
      ask('/api/lessons/Adding/1'),
    ];
    const malformed = [
      ask(title('%20')),
      ask(title('a'.repeat(201))),
      ask(title('a%00b')),
      ask(title('%E0%A4%A')),
      ask(path.replace('visual', 'telepathic')),
      ask('/api/lessons/Adding/0/visual'),
      ask('/api/lessons/Adding/1000/visual'),
      ask('/api/lessons/Adding/one/visual'),
      ask(`${path}/versions/0`),
      ask('/api/lessons/statistics?from=2026-02-31', 'demo-admin'),
    ];
    const impossible = [
      vote(path, 1, 'sideways'),
      send('PUT', `${path}/versions/1/vote`, {}, 'demo-student'),
      send('POST', `${path}/versions`, {}),
      rewrite(path, ' '),
      rewrite(path, 'x'.repeat(501)),
      send('PUT', `${path}/pin`, { version: 'one' }),
    ];
    for (const [status, answers] of [
      [404, missing],
      [400, malformed],
      [422, impossible],
    ] as const)
      for (const answer of await Promise.all(answers)) {
        expect(answer).toMatchObject({ status, body: { status, detail: expect.any(String) } });
        expect(answer.type).toMatch(/^application\/problem\+json/);
      }
    expect(orders).toHaveLength(1);
  });
});

describe('the local writer', () => {
  const order: WritingOrder = { title: 'Adding fractions', number: 3, style: 'visual' };
  const written = async (of: WritingOrder): Promise<{ lesson: Lesson; used: Usage[] }> => {
    const used: Usage[] = [];
    return { lesson: await local.write(of, (usage) => used.push(usage)), used };
  };

  it('writes the same for the same order, another for another, and counts what it takes', async () => {
    const one = await written(order);
    expect(await written({ ...order })).toEqual(one);
    const others: WritingOrder[] = [
      { ...order, title: 'Decimals' },
      { ...order, number: 4 },
      { ...order, style: 'reading' },
      { ...order, reason: 'with pizzas' },
      { ...order, reason: 'with apples' },
    ];
    const lessons = await Promise.all(others.map(written));
    expect(new Set([one, ...lessons].map(({ lesson }) => JSON.stringify(lesson))).size).toBe(6);
    expect(JSON.stringify(lessons[3]?.lesson)).toContain('with pizzas');
    expect(one.used).toMatchObject([{ model: 'local-lessons' }]);
    expect(lessons[3]?.used[0]?.inputTokens).toBeGreaterThan(one.used[0]?.inputTokens ?? Infinity);
  });
});
