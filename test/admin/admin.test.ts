// The management API over real Express and Redis: who may what, what it tells, and what it changes.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type express from 'express';
import type { RequestHandler } from 'express';
import { Redis } from 'ioredis';
import { ROUTES } from '../../src/admin/routes.js';
import type { CacheEvent } from '../../src/contract/events.js';
import {
  createReportCache,
  tag,
  type AdminOptions,
  type ReportCache,
  type ReportCacheOptions,
} from '../../src/index.js';
import { expresses } from '../support/expresses.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { authorize, identify } from './dashboard-stage.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Scene {
  readonly express?: typeof express;
  readonly at?: string;
  readonly front?: readonly RequestHandler[];
  readonly admin?: Partial<AdminOptions>;
  readonly cache?: Partial<ReportCacheOptions>;
  readonly redis?: boolean;
}

interface Told {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly json: Record<string, unknown>;
}

async function start({
  express: make = expresses[0]![1],
  at = '/api/reports/cache',
  front = [],
  admin = {},
  cache = {},
  redis: shared = true,
}: Scene = {}) {
  const events: CacheEvent[] = [];
  const redis = shared ? new Redis(redisUrl()) : undefined;
  if (redis) await redis.ping();
  const reports: ReportCache = createReportCache({
    ...(redis && { redis }),
    namespace: ownNamespace(),
    identify,
    redisDeadline: '10s',
    onEvent: (event) => void events.push(event),
    ...cache,
  });
  const app = make();
  for (const one of front) app.use(one);
  app.get(
    '/students/:id',
    reports.cache('analytics', {
      report: (req) => String(req.params['id']),
      tags: (req) => [tag('student', String(req.params['id']))],
    }),
    (req, res) => void res.json({ id: req.params['id'] }),
  );
  app.use(at, reports.admin({ authorize, ...admin }));
  app.use(
    (_error: unknown, _req: unknown, res: express.Response, _next: unknown) =>
      void res.status(500).json({ failed: true }),
  );
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  closing.push(async () => {
    await reports.close();
    redis?.disconnect();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const send = (method: string, path: string, headers: Record<string, string>, body?: string): Promise<Told> =>
    new Promise((resolve, reject) => {
      const asked = http.request({ port, method, path, agent: false, headers }, (res) => {
        let text = '';
        res.on('data', (chunk: Buffer) => (text += chunk.toString()));
        res.on('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            json: text === '' ? {} : (JSON.parse(text) as Told['json']),
          }),
        );
      });
      asked.on('error', reject);
      asked.end(body);
    });
  const ask = (method: string, path: string, role = 'operator', body?: unknown) =>
    send(
      method,
      `${at === '/' ? '' : at}${path}`,
      { ...(role && { 'x-user': `7 ${role}` }), ...(method === 'POST' && { 'content-type': 'application/json' }) },
      body === undefined ? undefined : JSON.stringify(body),
    );
  const read = (id: number, user = 1) => send('GET', `/students/${id}`, { 'x-user': `${user} reader` });
  const label = async (id: number, user?: number) => (await read(id, user)).headers['x-cache'];
  /** Stored before the next one asks. */
  const warm = async (id: number, user?: number) => {
    await read(id, user);
    while ((await label(id, user)) !== 'HIT');
  };
  return { reports, events, ask, send, read, label, warm, at };
}

describe('who may what', () => {
  const actions: Record<string, readonly string[]> = {
    '': [],
    nobody: [],
    viewer: ['read'],
    editor: ['read', 'invalidate'],
    operator: ['read', 'warm', 'invalidate', 'clear'],
  };

  it('is a matter of the action of each route: without login 401, not allowed 403, and nothing changes', async () => {
    const { ask, warm, label } = await start();
    await warm(1);
    const table: string[] = [];
    for (const [role, allowed] of Object.entries(actions)) {
      for (const { method, path, action } of ROUTES) {
        if (allowed.includes(action)) continue;
        const { status, headers, json } = await ask(
          method,
          path.replace('{report}', '1'),
          role,
          method === 'POST' ? { type: 'analytics' } : undefined,
        );
        table.push(`${role || 'nobody logged in'} ${method} ${path} ${status}`);
        expect(status).toBe(role === '' ? 401 : 403);
        expect(headers['content-type']).toBe('application/problem+json');
        expect(json).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
      }
    }
    expect(table).toHaveLength(
      2 * ROUTES.length +
        ROUTES.filter(({ action }) => action !== 'read').length +
        ROUTES.filter(({ action }) => action === 'clear' || action === 'warm').length,
    );
    expect(await label(1)).toBe('HIT');
  });

  it('an authorize that throws, or says anything but true, lets nobody in', async () => {
    for (const authorize of [
      () => {
        throw new Error('broken');
      },
      () => Promise.reject(new Error('broken')),
      () => 'yes' as never,
      () => undefined as never,
    ]) {
      const { ask } = await start({ admin: { authorize } });
      expect((await ask('GET', '/stats')).status).toBe(403);
    }
  });

  it('there is no admin() without authorize', () => {
    const cache = createReportCache({ identify });
    closing.push(() => cache.close());
    for (const options of [undefined, {}, { authorize: true }, { authorize: () => true, authorise: 1 }])
      expect(() => cache.admin(options as never)).toThrow('ERC_OPTION');
  });

  it('paths that are none are told of only to who may look', async () => {
    const { ask } = await start();
    expect((await ask('GET', '/nothing/here', 'nobody')).status).toBe(403);
    expect((await ask('GET', '/nothing/here', '')).status).toBe(401);
    expect((await ask('GET', '/nothing/here', 'viewer')).status).toBe(404);
    const { status, headers } = await ask('DELETE', '/stats/reset', 'viewer');
    expect([status, headers['allow']]).toEqual([405, 'POST']);
  });
});

describe.each(expresses)('%s', (_name, make) => {
  it.each([['/api/reports/cache'], ['/']])(
    'answers the same at %s, behind a body parser or without one',
    async (at) => {
      for (const front of [[], [make.json()]]) {
        const { ask, warm, label } = await start({ express: make, at, front });
        await warm(5);
        expect(await ask('POST', '/invalidate', 'editor', { report: '5' })).toMatchObject({
          status: 200,
          json: { tags: ['report:5'], exact: true },
        });
        expect(await label(5)).toBe('MISS');
        expect((await ask('GET', '/stats/')).status).toBe(200);
        expect((await ask('GET', '/openapi.json')).json).toMatchObject({ openapi: '3.1.0', servers: [{ url: at }] });
      }
    },
  );
});

describe('what it tells', () => {
  it('requests of the last day, by type and outcome, and their hit rate', async () => {
    const { ask, warm, read } = await start();
    await warm(1);
    await read(1);
    await read(2);
    const { json } = await ask('GET', '/stats', 'viewer');
    expect(json).toMatchObject({ complete: true, types: { analytics: { misses: 2 } }, memory: { entries: 2 } });
    expect(json['series']).toHaveLength(1);
    const { hits, total_requests: requests } = json['total'] as { hits: number; total_requests: number };
    expect(requests).toBe(hits + 2);
    const { json: rate } = await ask('GET', '/hit-rate');
    expect(rate).toMatchObject({
      hits,
      misses: 2,
      hit_rate: hits / (hits + 2),
      total_requests: requests,
      complete: true,
    });
    expect(Date.parse(String(rate['last_updated']))).toBeLessThanOrEqual(Date.now());
    expect((await ask('GET', '/hit-rate?type=analytics')).json).toMatchObject({ hits });
    expect((await ask('GET', '/hit-rate?type=custom')).json).toMatchObject({ hits: 0, hit_rate: 0 });
    expect((await ask('POST', '/stats/reset')).json).toEqual({ reset: true });
    expect((await ask('GET', '/hit-rate')).json).toMatchObject({ total_requests: 0 });
  });

  it('health, with its reasons, and 503 when the cache is down', async () => {
    const { ask, reports } = await start({ redis: false });
    expect(await ask('GET', '/health')).toMatchObject({ status: 200, json: { state: 'ready', reasons: [] } });
    await reports.close();
    expect(await ask('GET', '/health')).toMatchObject({ status: 503, json: { state: 'down', reasons: ['closed'] } });
  });

  it('what was invalidated lately', async () => {
    const { ask, reports } = await start();
    await reports.invalidate(tag('student', 1), 'first');
    await reports.invalidate(
      Array.from({ length: 60 }, (_, at) => tag('student', at)),
      'second',
    );
    const { invalidations } = (await ask('GET', '/invalidations')).json as { invalidations: Record<string, unknown>[] };
    expect(invalidations).toMatchObject([
      { cause: 'second', count: 60 },
      { cause: 'first', tags: ['student:1'], count: 1 },
    ]);
    expect(invalidations[0]?.['tags']).toHaveLength(50);
  });

  it('costs, where they are counted', async () => {
    const counting = await start({ cache: { costs: {} } });
    await counting.read(1);
    expect((await counting.ask('GET', '/costs')).json).toMatchObject({
      days: [{ type: 'analytics' }],
      summary: { generated: 1 },
    });
    expect((await counting.ask('GET', '/costs?from=yesterday')).status).toBe(400);
    const { ask } = await start();
    expect((await ask('GET', '/costs')).status).toBe(400);
  });

  it('HEAD like GET, and nothing that may be kept', async () => {
    const { send, at } = await start();
    const { status, headers, json } = await send('HEAD', `${at}/stats`, { 'x-user': '7 viewer' });
    expect([status, headers['cache-control'], json]).toEqual([200, 'no-store', {}]);
  });
});

describe('what it changes', () => {
  it.each([
    [{ report: '1' }, ['report:1'], [1]],
    [{ user: '2' }, ['viewer:2'], []],
    [{ type: 'analytics' }, ['type:analytics'], [1, 2]],
    [{ pattern: 'student:2' }, ['student:2'], [2]],
    [{ tags: ['student:1', 'student:2'] }, ['student:1', 'student:2'], [1, 2]],
    [{ event: 'grade_updated', facts: { student: 2 } }, ['student:2'], [2]],
  ] as const)('%j invalidates %j', async (body, tags, gone) => {
    const { ask, warm, label } = await start({
      admin: { events: { grade_updated: ({ student }) => [tag('student', student ?? '')] } },
    });
    for (const id of [1, 2]) await warm(id);
    const dry = await ask('POST', '/invalidate', 'editor', { ...body, dry_run: true });
    expect(dry.json).toMatchObject({ dry_run: true, tags, entries: { memory: gone.length, redis: gone.length } });
    for (const id of [1, 2]) expect(await label(id)).toBe('HIT');
    expect((await ask('POST', '/invalidate', 'editor', body)).json).toMatchObject({ tags, exact: true });
    for (const id of [1, 2]) expect(await label(id)).toBe((gone as readonly number[]).includes(id) ? 'MISS' : 'HIT');
  });

  it('one key', async () => {
    const { ask, warm, label, events } = await start();
    for (const user of [1, 2]) await warm(1, user);
    const key = events.find((event) => event.kind === 'stored')?.key;
    expect((await ask('POST', '/invalidate', 'editor', { key })).status).toBe(200);
    expect([await label(1, 1), await label(1, 2)]).toEqual(['MISS', 'HIT']);
  });

  it('DELETE: one report, or everything, with the number of entries', async () => {
    const { ask, warm, label } = await start();
    for (const user of [1, 2]) await warm(1, user);
    await warm(2);
    expect((await ask('DELETE', '/1?dry_run=true', 'editor')).json).toEqual({
      report_id: '1',
      entries: { memory: 2, redis: 2 },
      dry_run: true,
    });
    expect(await label(1)).toBe('HIT');
    expect((await ask('DELETE', '/1/', 'editor')).json).toEqual({ report_id: '1', entries: { memory: 2, redis: 2 } });
    expect([await label(1), await label(2)]).toEqual(['MISS', 'HIT']);
    expect((await ask('DELETE', '/', 'operator')).json).toMatchObject({ entries: { memory: expect.any(Number) } });
    expect([await label(1), await label(2)]).toEqual(['MISS', 'MISS']);
  });

  it('is on record: who, what, with which members, and how it ended; no value of it', async () => {
    const { ask, events } = await start();
    await ask('POST', '/invalidate', 'editor', { report: 'secret-report' });
    await ask('DELETE', '/secret-report?dry_run=true', 'editor');
    await ask('POST', '/invalidate', 'editor', { pattern: '***' });
    await ask('GET', '/stats');
    await ask('DELETE', '/', 'editor');
    const managed = events.filter(({ kind }) => kind === 'managed');
    expect(managed).toMatchObject([
      { user: '7', what: 'POST /invalidate', names: ['report'], dryRun: false, outcome: 'done' },
      { user: '7', what: 'DELETE /{report}', names: ['report'], dryRun: true, outcome: 'done' },
      { user: '7', what: 'POST /invalidate', names: ['pattern'], dryRun: false, outcome: 'refused' },
      { user: '7', what: 'DELETE /', names: [], dryRun: false, outcome: 'denied' },
    ]);
    expect(JSON.stringify(managed)).not.toContain('secret');
  });

  it.each([
    ['nothing', {}],
    ['two things', { report: '1', user: '2' }],
    ['an unknown member', { report: '1', colour: 'red' }],
    ['a type that is none', { type: 'nothing' }],
    ['a tag that is none', { tags: ['no tag'] }],
    ['too many tags', { tags: Array.from({ length: 1001 }, (_, at) => `student:${at}`) }],
    ['no list', { tags: 'student:1' }],
    ['an event that is none', { event: 'nothing' }],
    ['an event without its facts', { event: 'grade_updated' }],
    ['an event that comes to nothing', { event: 'nothing_much', facts: {} }],
    ['facts without an event', { report: '1', facts: {} }],
    ['facts that are no ids', { event: 'grade_updated', facts: { student: { $ne: 1 } } }],
    ['a pattern that is none', { pattern: 'report:' }],
    ['an empty id', { report: '' }],
    ['a member of every object', { constructor: '1' }],
  ])('refuses %s, and changes nothing', async (_name, body) => {
    const { ask, warm, label } = await start({
      admin: { events: { grade_updated: ({ student }) => [tag('student', student ?? '')], nothing_much: () => [] } },
    });
    await warm(1);
    const { status, json } = await ask('POST', '/invalidate', 'editor', body);
    expect([status, json['code']]).toEqual([400, 'bad-request']);
    expect(await label(1)).toBe('HIT');
  });

  it('takes JSON only, which another site cannot have a browser send, and no more than 64 kB of it', async () => {
    const { send, at } = await start();
    const post = (type: string, body: string) =>
      send('POST', `${at}/stats/reset`, { 'x-user': '7 operator', ...(type && { 'content-type': type }) }, body);
    for (const type of ['', 'text/plain', 'application/x-www-form-urlencoded'])
      expect((await post(type, '{}')).status).toBe(415);
    expect((await post('application/json', 'x')).status).toBe(400);
    expect((await post('application/json', '[]')).status).toBe(400);
    expect((await post('application/json', `{"a":"${'x'.repeat(70_000)}"}`)).status).toBe(413);
    expect((await post('application/json; charset=utf-8', '')).status).toBe(200);
    expect((await send('DELETE', `${at}/1?dry_run=true&dry_run=false`, { 'x-user': '7 operator' })).status).toBe(400);
    expect((await send('DELETE', `${at}/1?dry_run=maybe`, { 'x-user': '7 operator' })).status).toBe(400);
  });
});

describe('many entries', () => {
  it('are counted page by page, however many end in the same millisecond', async () => {
    const { reports, ask } = await start();
    const value = (report: number) =>
      ({ type: 'custom', report, share: 'everyone', jitter: 0, tags: [tag('half', report % 2)] }) as const;
    await Promise.all(Array.from({ length: 1300 }, (_, report) => reports.getOrLoad(value(report), () => report)));
    const count = async () =>
      (await ask('POST', '/invalidate', 'editor', { tags: ['half:1'], dry_run: true })).json['entries'] as object;
    // In the index a moment after each store.
    const all = { memory: 650, redis: 650 };
    while (JSON.stringify(await count()) !== JSON.stringify(all));
    expect(await count()).toEqual(all);
  });
});

describe('the OpenAPI document', () => {
  it('describes every route, and nothing else', async () => {
    const { ask } = await start();
    const { paths } = (await ask('GET', '/openapi.json')).json as {
      paths: Record<string, Record<string, { 'x-action': string }>>;
    };
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(
        ([method, operation]) => `${method.toUpperCase()} ${path} ${operation['x-action']}`,
      ),
    );
    expect(described.sort()).toEqual(ROUTES.map(({ method, path, action }) => `${method} ${path} ${action}`).sort());
  });
});
