// Stale-while-revalidate and stale-if-error as clients see them: the whole library on real Express, over memory and Redis.
import type { Server } from 'node:http';
import { afterEach, expect, it } from '@jest/globals';
import type express from 'express';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { Redis } from 'ioredis';
import request from 'supertest';
import type { CacheEvent } from '../../src/contract/events.js';
import { BACKOFF_MS } from '../../src/core/backoff.js';
import { compose } from '../../src/create-report-cache.js';
import { tag, type ReportCache, type RouteOptions } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { gate } from '../support/gate.js';
import { onBoth } from './stage.js';

const TTL = 60_000;

interface Play {
  readonly redis?: Redis;
  readonly options?: RouteOptions;
  readonly front?: readonly RequestHandler[];
  readonly onError?: ErrorRequestHandler;
}

const open: { reports: ReportCache; server: Server; redis: Redis | undefined }[] = [];
afterEach(async () => {
  for (const { reports, server, redis } of open.splice(0)) {
    await reports.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    redis?.disconnect();
  }
});

/** A route whose handler the test can exchange, after it has answered `old` and its ttl is over. */
async function stale(framework: typeof express, handler: RequestHandler, play: Play = {}) {
  const clock = new FakeClock();
  const events: CacheEvent[] = [];
  const reports = compose(
    {
      identify: (req) => ({ user: req.get('x-user') ?? 'ann' }),
      types: { default: { ttl: '1m', jitter: 0, grace: '5m' } },
      ...(play.redis && { redis: play.redis, namespace: ownNamespace() }),
      onEvent: (event) => void events.push(event),
    },
    clock,
  );
  let runs = 0;
  let current: RequestHandler = (_req, res) => void res.set('X-Made', 'old').json({ report: 'old' });
  const app = framework();
  for (const middleware of play.front ?? []) app.use(middleware);
  app.get(
    '/report',
    reports.cache('default', { tags: () => [tag('student', 5)], ...play.options }),
    (req, res, next) => {
      runs += 1;
      return current(req, res, next);
    },
  );
  if (play.onError) app.use(play.onError);
  const server = app.listen(0, '127.0.0.1');
  open.push({ reports, server, redis: play.redis });
  const get = (headers: Record<string, string> = {}) => request(server).get('/report').set(headers);
  const head = (headers: Record<string, string> = {}) => request(server).head('/report').set(headers);
  await play.redis?.ping();
  expect((await get()).get('x-cache')).toBe('MISS');
  // Time that passes before its put is answered would make Redis look slow.
  const stored = async (count: number) => {
    while (events.filter(({ kind }) => kind === 'stored').length < count) await new Promise((go) => setImmediate(go));
  };
  await stored(1);
  current = handler;
  clock.advance(TTL + 3000);
  return {
    clock,
    events,
    reports,
    get,
    head,
    stored,
    runs: () => runs,
    handle: (next: RequestHandler) => (current = next),
  };
}

const fresh: RequestHandler = (_req, res) => void res.json({ report: 'new' });
const broken: RequestHandler = (_req, res) =>
  void res.status(503).set('X-Made', 'broken').json({ error: 'no database' });

onBoth('stale-while-revalidate', (framework) => {
  it.each(['memory', 'Redis'] as const)(
    'over %s: one reader computes, the others get the old report at once',
    async (where) => {
      const redis = where === 'Redis' ? new Redis(redisUrl()) : undefined;
      const [begun, finish] = [gate(), gate()];
      const s = await stale(
        framework,
        async (req, res, next) => {
          begun.open();
          await finish.opened;
          fresh(req, res, next);
        },
        { ...(redis && { redis }) },
      );
      const leading = s.get().then((answer) => answer);
      await begun.opened;
      const other = await s.get();
      expect([other.status, other.body, other.get('x-cache'), other.get('age')]).toEqual([
        200,
        { report: 'old' },
        'STALE',
        '63',
      ]);
      expect(other.get('cache-status')).toBe(`reports; hit; ttl=-3; detail=${where === 'Redis' ? 'redis' : 'memory'}`);
      finish.open();
      const lead = await leading;
      expect([lead.body, lead.get('x-cache'), lead.get('cache-status')]).toEqual([
        { report: 'new' },
        'MISS',
        'reports; fwd=stale; stored',
      ]);
      expect((await s.get()).body).toEqual({ report: 'new' });
      expect(s.runs()).toBe(2);
    },
  );

  it.each(['memory', 'Redis'] as const)(
    'over %s: what was invalidated in its grace is not served, whatever runs',
    async (where) => {
      const redis = where === 'Redis' ? new Redis(redisUrl()) : undefined;
      const [begun, finish] = [gate(), gate()];
      const s = await stale(
        framework,
        async (req, res, next) => {
          begun.open();
          await finish.opened;
          broken(req, res, next);
        },
        { ...(redis && { redis }) },
      );
      const leading = s.get().then((answer) => answer);
      await begun.opened;
      await s.reports.invalidate(tag('student', 5));
      finish.open();
      expect((await leading).status).toBe(503);
      s.handle(fresh);
      const after = await s.get();
      expect([after.body, after.get('x-cache')]).toEqual([{ report: 'new' }, 'MISS']);
    },
  );

  it.each(['memory', 'Redis'] as const)(
    'over %s: HEAD is answered from the old report, and begins no computation',
    async (where) => {
      const redis = where === 'Redis' ? new Redis(redisUrl()) : undefined;
      const s = await stale(framework, fresh, { ...(redis && { redis }) });
      const answers = [await s.head(), await s.head()];
      expect(answers.map((answer) => [answer.status, answer.get('x-cache'), answer.get('x-made')])).toEqual([
        [200, 'STALE', 'old'],
        [200, 'STALE', 'old'],
      ]);
      expect(s.runs()).toBe(1);
      expect((await s.get()).body).toEqual({ report: 'new' });
      expect((await s.head()).get('x-cache')).toBe('HIT');
    },
  );

  it('HEAD without a grace, or that asks for a fresh report, reaches the handler', async () => {
    const s = await stale(framework, fresh, { options: { grace: '0s' } });
    expect((await s.head()).get('x-cache')).toBe('MISS');
    const graceful = await stale(framework, fresh);
    expect((await graceful.head({ 'cache-control': 'no-cache' })).get('x-cache')).toBe('MISS');
    expect([s.runs(), graceful.runs()]).toEqual([2, 2]);
  });

  it('never another user’s report', async () => {
    const s = await stale(framework, broken);
    expect((await s.get({ 'x-user': 'bob' })).status).toBe(503);
  });

  it('a browser that has the old report is told so with 304', async () => {
    const s = await stale(framework, broken);
    const etag = (await s.get()).get('etag') ?? '';
    const answer = await s.get({ 'if-none-match': etag });
    expect([answer.status, answer.get('x-cache')]).toEqual([304, 'STALE']);
  });

  it.each([
    ['no-cache', 'MISS'],
    ['max-age=600', 'MISS'],
    ['max-age=600, max-stale', 'STALE'],
    ['max-stale=2', 'MISS'],
    ['max-stale=3', 'STALE'],
    ['min-fresh=0', 'MISS'],
  ])('a client that sends %s, while nobody computes because that has failed: %s', async (line, label) => {
    const s = await stale(framework, broken);
    await s.get();
    s.handle(fresh);
    expect((await s.get({ 'cache-control': line })).get('x-cache')).toBe(label);
  });

  it('only-if-cached gets nothing stale', async () => {
    const s = await stale(framework, fresh);
    expect((await s.get({ 'cache-control': 'only-if-cached' })).status).toBe(504);
  });

  it.each(['must-revalidate', 'proxy-revalidate', 's-maxage=600'])(
    'a handler that says %s forbids it',
    async (line) => {
      const s = await stale(
        framework,
        (_req, res) => void res.set('Cache-Control', `private, ${line}`).json({ report: 'strict' }),
      );
      await s.get();
      expect((await s.get()).get('x-cache')).toBe('HIT');
      s.clock.advance(TTL);
      s.handle(broken);
      expect((await s.get()).status).toBe(503);
    },
  );
});

onBoth('a ttl that adapts', (framework) => {
  const same: RequestHandler = (_req, res) => void res.set('X-Made', 'old').json({ report: 'old' });

  it.each(['memory', 'Redis'] as const)(
    'over %s: browsers and Cache-Status are told what it has adapted to',
    async (where) => {
      const redis = where === 'Redis' ? new Redis(redisUrl()) : undefined;
      const options = { adaptiveTtl: { max: '90s' }, browser: 'ttl' } as const;
      const s = await stale(framework, same, { options, ...(redis && { redis }) });
      const said = (answer: { get(name: string): string | undefined }) =>
        [answer.get('x-cache'), answer.get('cache-control'), answer.get('cache-status')].join(' | ');
      expect(said(await s.get())).toBe('MISS | private, max-age=60, must-revalidate | reports; fwd=stale; stored');
      await s.stored(2);
      s.clock.advance(TTL);
      expect(said(await s.get())).toBe('MISS | private, max-age=90, must-revalidate | reports; fwd=stale; stored');
      await s.stored(3);
      s.clock.advance(80_000);
      const layer = where === 'Redis' ? 'redis' : 'memory';
      expect(said(await s.get())).toBe(
        `HIT | private, max-age=90, must-revalidate | reports; hit; ttl=10; detail=${layer}`,
      );
      expect(s.events.filter(({ kind }) => kind === 'stored')).toMatchObject([
        { ttlMs: 60_000, nextTtlMs: 60_000, because: 'kept' },
        { ttlMs: 60_000, nextTtlMs: 90_000, because: 'unchanged' },
        { ttlMs: 90_000, nextTtlMs: 90_000, because: 'unchanged' },
      ]);
      s.handle(fresh);
      await s.reports.invalidate(tag('student', 5));
      expect((await s.get()).body).toEqual({ report: 'new' });
    },
  );
});

onBoth('stale-if-error', (framework) => {
  const old = { report: 'old' };

  it('the handler’s error is replaced: status, headers and bytes are the old report’s', async () => {
    const s = await stale(framework, broken, { front: [(_req, res, next) => (res.set('X-Front', 'kept'), next())] });
    const answer = await s.get();
    expect([answer.status, answer.body, answer.get('x-made'), answer.get('x-front')]).toEqual([
      200,
      old,
      'old',
      'kept',
    ]);
    expect([answer.get('x-cache'), answer.get('cache-status'), answer.get('age')]).toEqual([
      'STALE',
      'reports; fwd=stale; fwd-status=503; detail=memory',
      '63',
    ]);
    expect(answer.get('content-length')).toBe(String(answer.text.length));
    expect(s.events.filter(({ kind }) => kind !== 'ran').slice(-2)).toMatchObject([
      { kind: 'staleHit' },
      { kind: 'declined', reason: 'error' },
    ]);
  });

  it.each<[string, RequestHandler]>([
    ['throws', () => void thrown()],
    ['passes an error on', (_req, _res, next) => next(new Error('no database'))],
    [
      'writes the error piece by piece',
      (_req, res) => void (res.writeHead(500), res.write('no '), res.end('database')),
    ],
    ['ends it with a callback', (_req, res) => void res.status(502).end('bad gateway', () => undefined)],
    ['sends it to sendStatus', (_req, res) => void res.sendStatus(504)],
    ['compressed it, says its header', (_req, res) => void res.status(500).set('Content-Encoding', 'gzip').end('x')],
  ])('a handler that %s', async (_how, handler) => {
    const s = await stale(framework, handler);
    const answer = await s.get();
    expect([answer.status, answer.body, answer.get('content-encoding')]).toEqual([200, old, undefined]);
  });

  it('errors passed on reach the application’s error handler, whose 5xx is replaced', async () => {
    const seen: unknown[] = [];
    const onError: ErrorRequestHandler = (error: Error, _req, res, _next) => {
      seen.push(error.message);
      res.status(500).json({ error: error.message });
    };
    const s = await stale(framework, (_req, _res, next) => next(new Error('no database')), { onError });
    expect((await s.get()).body).toEqual(old);
    expect(seen).toEqual(['no database']);
  });

  it('a client that has the old report gets 304 instead of the error', async () => {
    const s = await stale(framework, broken);
    const etag = (await s.get()).get('etag') ?? '';
    s.clock.advance(BACKOFF_MS);
    const answer = await s.get({ 'if-none-match': etag });
    expect([answer.status, answer.text, s.runs()]).toEqual([304, '', 3]);
  });

  it('the handler is left in peace for a while, and then tried again', async () => {
    const s = await stale(framework, broken);
    await s.get();
    s.handle(fresh);
    const answers = [await s.get(), await s.get()];
    expect(answers.map((answer) => answer.get('x-cache'))).toEqual(['STALE', 'STALE']);
    expect(s.runs()).toBe(2);
    s.clock.advance(BACKOFF_MS);
    expect((await s.get()).body).toEqual({ report: 'new' });
  });

  it.each([400, 401, 403, 404, 429, 501])(
    '%d is an answer: it goes out, and the old report with it',
    async (status) => {
      const s = await stale(framework, (_req, res) => void res.status(status).json({ error: status }));
      expect((await s.get()).status).toBe(status);
      s.handle(broken);
      expect((await s.get()).status).toBe(503);
    },
  );

  it('a status that the route stores is an answer, too', async () => {
    const s = await stale(framework, broken, { options: { statuses: [200, 503] } });
    expect((await s.get()).status).toBe(503);
    expect((await s.get()).get('x-cache')).toBe('HIT');
  });

  it('who has asked for a fresh report gets the error', async () => {
    const s = await stale(framework, broken);
    expect((await s.get({ 'cache-control': 'no-cache' })).status).toBe(503);
  });

  it('after the grace the error goes out', async () => {
    const s = await stale(framework, broken);
    s.clock.advance(5 * TTL);
    expect((await s.get()).status).toBe(503);
  });

  it('so it does where the grace ends while the handler runs', async () => {
    const s = await stale(framework, (req, res, next) => {
      s.clock.advance(5 * TTL);
      broken(req, res, next);
    });
    expect((await s.get()).status).toBe(503);
  });

  it('what has been sent cannot be taken back: the answer breaks off, and nothing of it is stored', async () => {
    const s = await stale(framework, (_req, res) => {
      res.write('{"report":');
      res.destroy();
    });
    await expect(s.get()).rejects.toThrow();
    s.handle(fresh);
    expect((await s.get()).body).toEqual({ report: 'new' });
  });

  it('a route may have another grace than its type', async () => {
    const s = await stale(framework, broken, { options: { grace: '0s' } });
    expect((await s.get()).status).toBe(503);
  });
});

function thrown(): never {
  throw new Error('no database');
}
