// POST /explain over real Express and Redis: by key, by type and report, by URL; and who has ended it, in whatever process.
import { afterEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import { ownNamespace } from '../support/isolation.js';
import { startPrivateRedis } from '../support/private-redis.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { tag, type ReportCache } from '../../src/index.js';
import { expresses } from '../support/expresses.js';
import { Scenes, type SceneOptions } from './look-scene.js';

const scenes = new Scenes();
afterEach(() => scenes.close());

const routes: NonNullable<SceneOptions['routes']> = (app, reports) => {
  const router = express.Router();
  router.get(
    '/students/:id/grades',
    reports.cache('analytics', {
      report: (req) => `grades-${String(req.params['id'])}`,
      tags: (req) => [tag('student', String(req.params['id']))],
      filters: { term: 'string', page: { type: 'integer', default: 1 } },
    }),
    (_req, res) => void res.vary('Accept-Language').json({ ok: true }),
  );
  router.get('/students/top', reports.cache('custom', { share: 'tenant' }), (_req, res) => void res.json({ ok: true }));
  router.get('/students/:id', reports.cache('custom'), (_req, res) => void res.json({ ok: true }));
  router.get('/files/:name.json', reports.cache('custom'), (_req, res) => void res.json({ ok: true }));
  router.get(
    '/mine',
    reports.cache('custom', { report: (req) => (req as never as { session: { id: string } }).session.id }),
    (_req, res) => void res.json({ ok: true }),
  );
  router.get('/off', reports.cache('custom', { ttl: '0s' }), (_req, res) => void res.json({ ok: true }));
  app.use('/api', router);
};

/** Stored before anybody asks about it. */
async function stored({ read, events }: Awaited<ReturnType<Scenes['start']>>, path: string, user: string) {
  const from = events.length;
  await read(path, user);
  while (!events.slice(from).some(({ kind }) => kind === 'stored')) await new Promise(setImmediate);
}

const value = (reports: ReportCache, report = 'r') =>
  reports.getOrLoad(
    { type: 'custom', report, identity: { user: 7 }, filters: { term: 'x', of: [1, 2] }, tags: [tag('student', 5)] },
    () => 1,
  );

describe.each([
  ['with Redis', true],
  ['without Redis', false],
])('%s', (_name, redis) => {
  it('by key: a hit with where, how old and as of when; then what has ended it', async () => {
    const clock = new FakeClock();
    const { reports, post, keyOf } = await scenes.start({ redis, clock });
    await value(reports);
    const { key } = keyOf('custom');
    clock.advance(1500);
    const hit = (await post('/explain', { key })).json;
    expect(hit).toMatchObject({
      key,
      type: 'custom',
      verdict: 'hit',
      reason: 'fresh',
      layer: 'memory',
      age_ms: 1500,
      as_of: expect.any(Number),
      position: { epoch: expect.any(String), seq: expect.any(Number) },
    });
    expect(hit['tags']).toContainEqual({ tag: 'student:5', invalidated_at_seq: null });
    expect(hit['invalidated_by']).toBeUndefined();
    await reports.invalidate([tag('student', 5), tag('student', 6)], 'grading');
    const { json } = await post('/explain', { key });
    expect(json).toMatchObject({
      verdict: 'miss',
      reason: 'invalidated',
      position: { seq: hit['position'].seq + 1 },
      invalidated_by: {
        tag: 'student:5',
        seq: hit['position'].seq + 1,
        cause: 'grading',
        at: new Date(clock.now()).toISOString(),
        tags: ['student:5', 'student:6'],
        process: expect.any(String),
      },
    });
    await value(reports);
    expect((await post('/explain', { key })).json).toMatchObject({ verdict: 'hit' });
    await reports.clear();
    expect((await post('/explain', { key })).json).toMatchObject({
      verdict: 'miss',
      invalidated_by: { tag: '*', cause: 'clear' },
    });
  });

  it('by type and report, with the filters as the application gives them, however it is shared', async () => {
    const { reports, post, keyOf } = await scenes.start({ redis });
    await value(reports);
    const asked = { type: 'custom', report: 'r', user: 7, filters: { of: [1, 2], term: 'x' } };
    expect((await post('/explain', asked)).json).toMatchObject({ verdict: 'hit', key: keyOf('custom').key });
    expect((await post('/explain', { ...asked, user: 8 })).json).toMatchObject({ verdict: 'miss', reason: 'absent' });
    expect((await post('/explain', { ...asked, filters: {} })).json).toMatchObject({
      verdict: 'miss',
      reason: 'absent',
    });
    expect((await post('/explain', { type: 'custom', report: 'r' })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'no-identity',
      key: null,
    });
    for (const share of ['everyone', 'tenant', 'role'] as const) {
      await reports.getOrLoad(
        { type: 'custom', report: share, share, identity: { user: 1, tenant: 'n', role: 'r' } },
        () => 1,
      );
      const who = share === 'everyone' ? {} : { user: 2, tenant: 'n', role: 'r' };
      expect((await post('/explain', { type: 'custom', report: share, ...who })).json).toMatchObject({
        verdict: 'hit',
      });
    }
  });

  it('of what is not there, the last that would have ended it', async () => {
    const { reports, post } = await scenes.start({ redis });
    await reports.invalidate(tag('viewer', 7), 'moved');
    const { json } = await post('/explain', { type: 'custom', report: 'r', user: 7 });
    expect(json).toMatchObject({
      verdict: 'miss',
      reason: 'absent',
      invalidated_by: { tag: 'viewer:7', cause: 'moved' },
    });
    expect(json['tags']).toEqual([
      { tag: 'type:custom', invalidated_at_seq: null },
      { tag: 'report:r', invalidated_at_seq: null },
      { tag: 'viewer:7', invalidated_at_seq: json['invalidated_by'].seq },
    ]);
  });

  it('past its ttl: stale within the grace, then nothing', async () => {
    const clock = new FakeClock();
    const graceful = { types: { custom: { ttl: '1s', grace: '2s', jitter: 0 } } } as const;
    const { reports, post, keyOf } = await scenes.start({ redis, clock, cache: graceful });
    await value(reports);
    const { key } = keyOf('custom');
    clock.advance(1000);
    expect((await post('/explain', { key })).json).toMatchObject({ verdict: 'stale', age_ms: 1000 });
    clock.advance(2000);
    expect((await post('/explain', { key })).json).toMatchObject({ verdict: 'miss', reason: 'expired' });
  });

  it('a type that is off, a cache that is closed', async () => {
    const { reports, post } = await scenes.start({ redis, cache: { types: { custom: { ttl: '0s' } } } });
    expect((await post('/explain', { type: 'custom', report: 1, user: 7 })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'ttl-zero',
    });
    await reports.close();
    expect((await post('/explain', { type: 'analytics', report: 1, user: 7 })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'closed',
    });
  });

  it.each<[string, object]>([
    ['nothing', {}],
    ['two ways', { key: 'report:1:7:x', url: '/x' }],
    ['a type alone', { type: 'custom' }],
    ['a report alone', { report: '1' }],
    ['a type that is none', { type: 'none', report: '1' }],
    ['filters that are none', { type: 'custom', report: '1', filters: [1] }],
    ['a url that is none', { url: 'http://[', user: 1 }],
    ['an unknown member', { key: 'x', colour: 'red' }],
  ])('%s is a bad request', async (_case, body) => {
    const { post } = await scenes.start({ redis });
    expect(await post('/explain', body)).toMatchObject({ status: 400, json: { code: 'bad-request' } });
  });
});

describe.each(expresses)('by URL, on %s', (_name, make) => {
  it('finds the entry of a route that has been asked for, mount point, filters and sharing included', async () => {
    const scene = await scenes.start({ express: make, routes });
    const { post, port } = scene;
    const url = '/api/students/3/grades?page=1&term=a%20b';
    expect(await post('/explain', { url, user: 7 })).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining('name the key') },
    });
    await stored(scene, '/api/students/3/grades?term=a%20b', '7');
    const { key } = scene.keyOf('analytics');
    for (const asked of [url, `http://127.0.0.1:${port}${url}`, '/api/Students/3/grades/?term=a+b'].slice(0, 2))
      expect((await post('/explain', { url: asked, user: 7, headers: { 'Accept-Language': '*' } })).json).toMatchObject(
        { key, verdict: 'hit' },
      );
    expect((await post('/explain', { url, user: 8 })).json).toMatchObject({ verdict: 'miss', reason: 'absent' });
    expect((await post('/explain', { url: url.replace('3', '4'), user: 7 })).json['tags']).toContainEqual({
      tag: 'student:4',
      invalidated_at_seq: null,
    });
    expect(
      (await post('/explain', { url: 'https://elsewhere.example/api/students/3/grades?term=a%20b', user: 7 })).json,
    ).toMatchObject({ reason: 'absent' });
    expect((await post('/explain', { url })).json).toMatchObject({
      key: null,
      verdict: 'bypass',
      reason: 'no-identity',
    });
    expect((await post('/explain', { url: '/api/students/3/grades?page=x', user: 7 })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'filter-value',
    });
    expect((await post('/explain', { url: '/api/students/3/grades?colour=red', user: 7 })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'unknown-parameter',
    });
  });

  it('of two routes that take it the more literal one is meant', async () => {
    const scene = await scenes.start({ express: make, routes });
    await stored(scene, '/api/students/9', '7');
    await stored(scene, '/api/students/top', '7 north');
    const { json } = await scene.post('/explain', { url: '/api/students/top', user: 8, tenant: 'north' });
    expect(json).toMatchObject({ verdict: 'hit', key: expect.stringContaining('*!north') });
  });

  it('where a mount point has ids in it, or somebody changes them, nothing wrong is learned', async () => {
    const scene = await scenes.start({
      express: make,
      routes: (app, reports) => {
        const nested = make.Router({ mergeParams: true });
        nested.get('/grades', reports.cache('custom'), (_req, res) => void res.json({ ok: true }));
        app.use('/schools/:school', nested);
        app.get(
          '/users/:id',
          (req, _res, next) => {
            if (req.params['id'] === 'me') req.params['id'] = '7';
            next();
          },
          reports.cache('custom', { report: (req) => String(req.params['id']) }),
          (_req, res) => void res.json({ ok: true }),
        );
      },
    });
    await stored(scene, '/schools/5/grades', '7');
    expect((await scene.post('/explain', { url: '/schools/5/grades', user: 7 })).status).toBe(400);
    await stored(scene, '/users/me', '7');
    expect((await scene.post('/explain', { url: '/users/7', user: 7 })).status).toBe(400);
    await stored(scene, '/users/8', '7');
    expect((await scene.post('/explain', { url: '/users/8', user: 7 })).json).toMatchObject({ verdict: 'hit' });
  });

  it('what cannot be read says so: another pattern, a function that needs more of the request, a route that is off', async () => {
    const scene = await scenes.start({ express: make, routes });
    for (const path of ['/api/files/a.json', '/api/mine', '/api/off']) await scene.read(path, '7');
    for (const url of ['/api/files/a.json', '/api/mine', '/nowhere'])
      expect(await scene.post('/explain', { url, user: 7 })).toMatchObject({
        status: 400,
        json: { detail: expect.stringMatching(/name the key/) },
      });
    expect((await scene.post('/explain', { url: '/api/off', user: 7 })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'ttl-zero',
    });
  });
});

it('two processes: one sees what the other has invalidated, by whom and in whose request', async () => {
  const namespace = ownNamespace();
  const one = await scenes.start({ namespace });
  const other = await scenes.start({
    namespace,
    cache: { correlate: (req) => req.headers['x-user'] },
    routes: (app, reports) => {
      app.post('/grade', reports.correlation(), (_req, res, next) => {
        reports.invalidate(tag('student', 5), 'graded').then(() => res.json({}), next);
      });
    },
  });
  await value(one.reports);
  const { key } = one.keyOf('custom');
  await one.reports.invalidate(tag('student', 6), 'mine');
  expect(
    (
      await fetch(`http://127.0.0.1:${other.port}/grade`, {
        method: 'POST',
        headers: { 'x-user': 'req-1', connection: 'close' },
      })
    ).status,
  ).toBe(200);
  // The other one tells a second later, or when it is asked.
  expect((await other.get('/invalidations')).json['complete']).toBe(true);
  const { invalidations } = (await one.get('/invalidations?limit=2')).json;
  expect(invalidations).toMatchObject([
    { cause: 'graded', tags: ['student:5'], count: 1, correlation_id: 'req-1', seq: expect.any(Number) },
    { cause: 'mine', tags: ['student:6'] },
  ]);
  expect(invalidations[0].process).not.toBe(invalidations[1].process);
  expect((await one.post('/explain', { key })).json).toMatchObject({
    verdict: 'miss',
    reason: 'invalidated',
    invalidated_by: { tag: 'student:5', cause: 'graded', correlation_id: 'req-1', process: invalidations[0].process },
  });
  for (const limit of ['0', '501', 'x']) expect((await one.get(`/invalidations?limit=${limit}`)).status).toBe(400);
});

it('while Redis is away nobody can tell, and a write under way is told', async () => {
  const server = await startPrivateRedis();
  try {
    const { reports, post, get, keyOf, redis, namespace } = await scenes.start({
      url: server.url,
      cache: { redisDeadline: '1s' },
    });
    await value(reports);
    const { key } = keyOf('custom');
    await redis?.hset(`{${namespace}}:x`, 'student:5', `w ${Date.now() + 60_000}`);
    expect((await post('/explain', { key })).json).toMatchObject({ verdict: 'bypass', reason: 'flux' });
    await redis?.del(`{${namespace}}:x`);
    expect((await post('/explain', { key })).json).toMatchObject({ verdict: 'hit' });
    // No sweeper has vouched for it lately.
    await redis?.hset(`{${namespace}}:t`, '!lambda', 1000, '!live', 1);
    expect((await post('/explain', { key })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'unavailable',
      detail: expect.stringContaining('watermark'),
    });
    await server.stop();
    expect((await post('/explain', { key })).json).toMatchObject({
      verdict: 'bypass',
      reason: 'unavailable',
      position: null,
    });
    expect((await get('/invalidations')).json).toMatchObject({ complete: false });
  } finally {
    await scenes.close();
    await server.stop();
  }
});

it('a declared report, by its name or type, or by the url that it was asked for', async () => {
  let progress: ReturnType<ReportCache['report']> | undefined;
  const { post, read, events } = await scenes.start({
    redis: false,
    routes: (app, reports) => {
      progress = reports.report('analytics', {
        name: 'progress',
        filters: { page: { type: 'integer', default: 1 } },
        // Of whom the explanation is asked for, who sends no request.
        tags: ({ identity }) => [tag('reader', identity.user ?? '')],
        load: ({ report }) => ({ report }),
      });
      app.get(
        '/progress/:id',
        progress.route((req) => String(req.params['id'])),
      );
    },
  });
  const asked = { report: '5', user: '7', filters: { page: 2 } };
  expect((await post('/explain', { type: 'progress', ...asked })).json).toMatchObject({ verdict: 'miss' });
  await stored({ read, events } as never, '/progress/5?page=2', '7');
  const found = { verdict: 'hit', reason: 'fresh', type: 'analytics' };
  for (const type of ['progress', 'analytics'])
    expect((await post('/explain', { type, ...asked })).json).toMatchObject(found);
  const byUrl = (user: string) => post('/explain', { url: '/progress/5?page=2', user });
  expect((await byUrl('7')).json).toMatchObject(found);
  const { json: absent } = await byUrl('9');
  expect(absent).toMatchObject({ verdict: 'miss' });
  expect(absent['tags']).toContainEqual({ tag: 'reader:9', invalidated_at_seq: null });
  expect((await post('/explain', { type: 'progress', ...asked, user: '8' })).json).toMatchObject({ verdict: 'miss' });
});
