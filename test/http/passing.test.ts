// What the cache has no part in: methods, directives, bypasses, and everything that fails inside it.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import type { Request, RequestHandler, Response } from 'express';
import { BackgroundForms } from '../../src/core/forms.js';
import { createMiddleware } from '../../src/http/middleware.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { TinyReader } from '../fakes/tiny-reader.js';
import { gate } from '../support/gate.js';
import { ask, onBoth, resolvedRoute, stage } from './stage.js';

const json: RequestHandler = (_req, res) => void res.json({ a: 1 });

onBoth('methods', (express) => {
  it('passes HEAD misses through: never stored, conditional headers left to the handler', async () => {
    const s = await stage(express, { handler: json });
    const head = await s.ask({ method: 'HEAD' });
    expect([head.status, head.headers['x-cache'], head.headers['cache-status']]).toEqual([
      200,
      'MISS',
      'reports; fwd=uri-miss',
    ]);
    expect(head.headers['cache-control']).toBe('private, no-cache');
    expect(s.reader.declined).toEqual(['head']);
    expect(s.reader.entries.size).toBe(0);
    expect((await s.ask({ method: 'HEAD', headers: { 'If-None-Match': head.headers.etag ?? '' } })).status).toBe(304);
    expect((await s.ask()).text).toBe('{"a":1}');
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s goes to the handler and invalidates on success', async (method) => {
    const s = await stage(express, { handler: json });
    await s.ask();
    const answer = await s.ask({ method, headers: { 'If-None-Match': '*' } });
    expect([answer.headers['x-cache'], answer.headers['cache-status']]).toEqual(['BYPASS', 'reports; fwd=method']);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.text).toBe('{"a":1}');
    expect(s.invalidated).toEqual([{ tags: ['report:42'], cause: method.toLowerCase() }]);
    expect(s.events).toEqual([{ kind: 'bypass', type: 'student_progress', reason: 'method' }]);
    expect(s.reader.asked.length).toBe(1);
  });

  it('leaves OPTIONS alone', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.status(204).end() });
    const answer = await s.ask({ method: 'OPTIONS' });
    expect([answer.headers['x-cache'], answer.headers['cache-control']]).toEqual(['BYPASS', undefined]);
    expect(s.invalidated).toEqual([]);
  });

  it.each([
    [303, 1],
    [400, 0],
    [500, 0],
  ])('status %i of an unsafe request invalidates %i times (RFC 9111 §4.4)', async (status, times) => {
    const s = await stage(express, { handler: (_req, res) => void res.status(status).send('x') });
    await s.ask({ method: 'POST' });
    expect(s.invalidated.length).toBe(times);
  });

  it('holds the answer of an unsafe request, headers included, until the invalidation is in force', async () => {
    const inForce = gate();
    const asked = gate();
    const order: string[] = [];
    const s = await stage(express, {
      route: {
        invalidate: () => {
          asked.open();
          return inForce.opened;
        },
      },
      handler: (_req, res, next) => {
        res.json({ a: 1 });
        expect(res.headersSent).toBe(true);
        // Handlers that go on by mistake must not change what was answered.
        res.end('twice');
        next();
      },
    });
    const answer = s.ask({ method: 'POST' }).then((got) => {
      order.push('answer');
      return got;
    });
    await asked.opened;
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    order.push('in force');
    inForce.open();
    const got = await answer;
    expect(order).toEqual(['in force', 'answer']);
    expect([got.status, got.text, got.headers['content-length']]).toEqual([200, '{"a":1}', '7']);
  });

  it('sends nothing at all before that, because fetch() resolves on headers', async () => {
    const inForce = gate();
    const asked = gate();
    let sent: () => number = () => Number.NaN;
    const s = await stage(express, {
      route: {
        invalidate: () => {
          asked.open();
          return inForce.opened;
        },
      },
      handler: (_req, res) => {
        sent = () => res.socket?.bytesWritten ?? Number.NaN;
        res.json({ a: 1 });
      },
    });
    const answer = s.ask({ method: 'POST' });
    await asked.opened;
    expect(sent()).toBe(0);
    inForce.open();
    expect((await answer).text).toBe('{"a":1}');
  });

  it.each([
    ['end with a callback', (res: Response, done: () => void) => res.end(done), ''],
    ['end with hex', (res: Response, done: () => void) => res.end('6869', 'hex', done), 'hi'],
    ['write and end', (res: Response, done: () => void) => (res.write('a'), res.end('b', done)), 'ab'],
  ])('holds %s', async (_name, answer, text) => {
    let finished = 0;
    const s = await stage(express, { handler: (_req, res) => void answer(res, () => (finished += 1)) });
    expect((await s.ask({ method: 'POST' })).text).toBe(text);
    expect([finished, s.invalidated.length]).toEqual([1, 1]);
  });

  it('answers even if the invalidation fails', async () => {
    const s = await stage(express, {
      route: { invalidate: () => Promise.reject(new Error('down')) },
      handler: json,
    });
    expect((await s.ask({ method: 'POST' })).text).toBe('{"a":1}');
  });
});

onBoth('request directives (RFC 9111 §5.2.1)', (express) => {
  it('no-cache runs the handler and replaces the entry', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(s.runs()) });
    await s.ask();
    const forced = await s.ask({ headers: { 'Cache-Control': 'No-Cache' } });
    expect([forced.text, forced.headers['x-cache']]).toEqual(['2', 'MISS']);
    expect(forced.headers['cache-status']).toBe('reports; fwd=request; stored');
    expect((await s.ask()).text).toBe('2');
    await s.ask({ headers: { Pragma: 'no-cache' } });
    expect((await s.ask()).text).toBe('3');
  });

  it('max-age and min-fresh pass by an entry that is too old or too short-lived', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(s.runs()) });
    await s.ask();
    s.clock.advance(60_000);
    const hit = async (line: string) => (await s.ask({ headers: { 'Cache-Control': line } })).headers['x-cache'];
    expect(await hit('max-age=60')).toBe('HIT');
    expect(await hit('min-fresh=240')).toBe('HIT');
    expect(await hit('max-age=59')).toBe('MISS');
    s.clock.advance(60_000);
    expect(await hit('min-fresh=241')).toBe('MISS');
  });

  it('F5 (max-age=0 with If-None-Match) gets the handler’s judgement', async () => {
    const s = await stage(express, { handler: json });
    const { headers } = await s.ask();
    s.clock.advance(1);
    const reload = { 'Cache-Control': 'max-age=0', 'If-None-Match': headers.etag ?? '' };
    const answer = await s.ask({ headers: reload });
    expect([answer.status, answer.headers['x-cache'], s.runs()]).toEqual([304, 'MISS', 2]);
  });

  it('only-if-cached is answered from the entry or with 504 problem details, never by the handler', async () => {
    const s = await stage(express, { handler: json });
    const headers = { 'Cache-Control': 'only-if-cached' };
    const none = await s.ask({ headers });
    expect([none.status, none.headers['content-type'], none.headers['cache-control']]).toEqual([
      504,
      'application/problem+json',
      'no-store',
    ]);
    expect(JSON.parse(none.text)).toMatchObject({ status: 504, title: 'Gateway Timeout', code: 'only-if-cached' });
    expect(none.headers['cache-status']).toBe('reports; detail=only-if-cached');
    expect(s.runs()).toBe(0);
    await s.ask();
    expect((await s.ask({ headers })).headers['x-cache']).toBe('HIT');
    expect((await s.ask({ headers: { 'Cache-Control': 'only-if-cached, no-cache' } })).status).toBe(504);
    expect((await s.ask({ headers: { 'Cache-Control': 'only-if-cached, no-cache' }, method: 'HEAD' })).status).toBe(
      504,
    );
  });

  it('no-store passes by; the entry stays', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json(s.runs()) });
    await s.ask();
    const passed = await s.ask({ headers: { 'Cache-Control': 'no-store' } });
    expect([passed.text, passed.headers['x-cache'], passed.headers['cache-status']]).toEqual([
      '2',
      'BYPASS',
      'reports; fwd=request',
    ]);
    expect((await s.ask()).text).toBe('1');
    expect(s.events).toEqual([{ kind: 'bypass', type: 'student_progress', reason: 'request-no-store' }]);
  });

  it('can all be ignored', async () => {
    const s = await stage(express, { handler: json, route: { requestDirectives: 'ignore' } });
    await s.ask();
    for (const line of ['no-store', 'no-cache', 'max-age=0', 'min-fresh=9999']) {
      expect([line, (await s.ask({ headers: { 'Cache-Control': line } })).headers['x-cache']]).toEqual([line, 'HIT']);
    }
  });

  it('max-stale brings nothing back', async () => {
    const s = await stage(express, { handler: json });
    await s.ask();
    s.clock.advance(300_000);
    expect((await s.ask({ headers: { 'Cache-Control': 'max-stale' } })).headers['x-cache']).toBe('MISS');
  });
});

onBoth('bypass', (express) => {
  it('says why, stores nothing, and keeps the answer private', async () => {
    const s = await stage(express, {
      route: { describe: () => ({ bypass: 'no-identity', detail: 'nobody' }), browser: 'ttl' },
      handler: json,
    });
    for (let i = 0; i < 2; i++) {
      const { headers } = await s.ask();
      expect([headers['x-cache'], headers['cache-status']]).toEqual([
        'BYPASS',
        'reports; fwd=bypass; detail=no-identity',
      ]);
      expect(headers['cache-control']).toBe('private, no-cache');
      expect(headers.age).toBeUndefined();
    }
    expect(s.events[0]).toEqual({ kind: 'bypass', type: 'student_progress', reason: 'no-identity', detail: 'nobody' });
    expect(s.reader.asked).toEqual([]);
  });

  it('keeps public answers of the handler private, and gives errors no lifetime', async () => {
    const s = await stage(express, {
      route: { ttlMs: 0 },
      handler: (_req, res) => {
        if (s.runs() === 1) res.set('Cache-Control', 'public, max-age=9').json(1);
        else res.status(404).json(1);
      },
    });
    const first = await s.ask();
    expect([first.headers['cache-control'], first.headers['cache-status']]).toEqual([
      'private, max-age=9',
      'reports; fwd=bypass; detail=ttl-zero',
    ]);
    expect((await s.ask()).headers['cache-control']).toBe('no-store');
  });

  it('keeps its label on the answer of an error handler that clears the headers', async () => {
    const s = await stage(express, {
      route: { ttlMs: 0 },
      settings: (app) => app.set('env', 'test'),
      handler: (_req, _res, next) => next(new Error('broken')),
    });
    const answer = await s.ask();
    expect([answer.status, answer.headers['x-cache'], answer.headers['cache-control']]).toEqual([
      500,
      'BYPASS',
      'no-store',
    ]);
  });

  it('follows the reader that says: alone', async () => {
    const s = await stage(express, { handler: json });
    s.reader.script = () => ({ next: 'alone', reason: 'transaction' });
    const { headers, text } = await s.ask();
    expect([headers['x-cache'], headers['cache-status'], text]).toEqual([
      'BYPASS',
      'reports; fwd=bypass; detail=transaction',
      '{"a":1}',
    ]);
    expect(s.events).toEqual([]); // the reader told it
  });

  it('follows the reader that refuses: 503, and when to try again (RFC 9110 §15.6.4, §10.2.3)', async () => {
    const s = await stage(express, { handler: json });
    s.reader.script = () => ({ next: 'refuse', reason: 'overload' });
    const answer = await s.ask();
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'retry-after': '2',
      'x-cache': 'BYPASS',
      'cache-status': 'reports; detail=overload',
    });
    expect(JSON.parse(answer.text)).toMatchObject({ status: 503, code: 'overload' });
    expect(s.runs()).toBe(0);
    expect(s.events).toEqual([]); // the reader told it
  });

  it('refuses with problem details (RFC 9457)', async () => {
    const problem = {
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: '"page" is not an integer.',
      code: 'filter-value',
      parameter: 'page',
    };
    const s = await stage(express, {
      route: { describe: () => ({ refuse: problem, reason: 'filter-value' }) },
      handler: json,
    });
    const answer = await s.ask();
    expect(answer.status).toBe(400);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['x-cache']).toBe('BYPASS');
    expect(JSON.parse(answer.text)).toEqual(problem);
    expect(s.runs()).toBe(0);
    expect(s.events).toEqual([{ kind: 'bypass', type: 'student_progress', reason: 'filter-value' }]);
    const head = await s.ask({ method: 'HEAD' });
    expect([head.status, head.headers['content-length']]).toEqual([400, String(answer.body.length)]);
  });

  it('does nothing when mounted twice on one response', async () => {
    const outer = await stage(express, { handler: json });
    const { reader, clock } = outer;
    const inner = createMiddleware({
      reader,
      forms: new BackgroundForms(reader, clock, () => undefined),
      emit: () => undefined,
      clock,
      route: resolvedRoute({ cacheName: 'inner' }),
    });
    const s = await stage(express, { behind: [inner], handler: json });
    expect((await s.ask()).headers['cache-status']).toBe('reports; fwd=uri-miss; stored');
    expect((await s.ask()).headers['cache-status']).toBe('reports; hit; ttl=300; detail=memory');
    const unknown = await stage(express, {
      route: { describe: () => ({ bypass: 'no-identity' }) },
      behind: [inner],
      handler: json,
    });
    expect((await unknown.ask()).headers['cache-status']).toBe('reports; fwd=bypass; detail=no-identity');
    expect(outer.reader.asked).toEqual([]);
  });
});

it('hands on what next() throws, once, outside Express', async () => {
  const clock = new FakeClock();
  const reader = new TinyReader(clock);
  const middleware = createMiddleware({
    reader,
    forms: new BackgroundForms(reader, clock, () => undefined),
    emit: () => undefined,
    clock,
    route: resolvedRoute(),
  });
  const calls: unknown[] = [];
  const server = http.createServer((req, res) => {
    Object.assign(req, { originalUrl: req.url, get: () => undefined });
    try {
      middleware(req as Request, res as Response, () => {
        calls.push('next');
        throw new Error('from next');
      });
    } catch (error) {
      calls.push((error as Error).message);
      res.end('caught');
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const { text } = await ask((server.address() as AddressInfo).port, {});
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  expect([text, calls, reader.declined]).toEqual(['caught', ['next', 'from next'], ['error']]);
});

onBoth('a failure of the cache is not one of the report', (express) => {
  const fail = () => {
    throw new Error('broken');
  };

  it('describe throws', async () => {
    const s = await stage(express, { route: { describe: fail }, handler: json });
    const answer = await s.ask();
    expect([answer.status, answer.text, answer.headers['x-cache']]).toEqual([200, '{"a":1}', 'BYPASS']);
    expect(s.events).toEqual([{ kind: 'bypass', type: 'student_progress', reason: 'key', detail: 'broken' }]);
    expect(s.reader.asked).toEqual([]);
  });

  it('varyKey throws while the handler answers, and before it', async () => {
    const s = await stage(express, {
      route: { varyKey: fail },
      handler: (_req, res) => void res.vary('Accept').json({ a: 1 }),
    });
    for (const [label, status] of [
      ['MISS', 200],
      ['BYPASS', 200],
    ] as const) {
      const answer = await s.ask();
      expect([answer.status, answer.text, answer.headers['x-cache'] ?? 'MISS']).toEqual([status, '{"a":1}', label]);
    }
    expect([s.reader.declined, s.reader.running, s.reader.entries.size]).toEqual([['error'], 0, 0]);
  });

  it.each([
    ['throws', fail],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('the reader %s', async (_name, script) => {
    const s = await stage(express, { handler: json });
    s.reader.script = script;
    const answer = await s.ask();
    expect([answer.text, answer.headers['x-cache']]).toEqual(['{"a":1}', 'BYPASS']);
    expect(s.events).toEqual([{ kind: 'bypass', type: 'student_progress', reason: 'unavailable', detail: 'broken' }]);
  });

  it('an entry that cannot be sent', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.set('X-A', '1').json({ a: 1 }) });
    await s.ask();
    const broken = {
      ...s.reader.entry,
      status: 200,
      headers: [
        ['X-B', '2'],
        ['X-A', 'bad\nvalue'],
      ] as const,
    };
    s.reader.script = () => ({ next: 'serve', entry: broken, layer: 'memory', coalesced: false });
    const answer = await s.ask();
    expect([answer.status, answer.text, answer.headers['x-cache']]).toEqual([200, '{"a":1}', 'BYPASS']);
    expect([answer.headers['x-b'], answer.headers.age]).toEqual([undefined, undefined]);
  });

  it.each([
    ['run', { run: fail }],
    ['store', { store: fail }],
  ])('the load’s %s throws', async (_name, part) => {
    const declined: string[] = [];
    const s = await stage(express, { handler: json });
    const load = {
      key: 'k',
      position: { epoch: 'e', seq: 0 },
      ttlMs: 300_000,
      run: <T>(task: () => T) => task(),
      addTags: () => undefined,
      leave: () => undefined,
      giveUp: () => undefined,
      createdAt: 0,
      bill: { add: () => undefined, carry: () => undefined, cost: undefined },
      store: async () => 'stored' as const,
      decline: (reason: string) => void declined.push(reason),
      settled: false,
      ...part,
    };
    s.reader.script = () => ({ next: 'lead', load, reason: 'absent' });
    const answer = await s.ask();
    expect([answer.status, answer.text]).toEqual([200, '{"a":1}']);
    expect(declined[0]).toBe('error');
  });

  it('targetTags throws', async () => {
    const s = await stage(express, { route: { targetTags: fail }, handler: json });
    expect((await s.ask({ method: 'POST' })).text).toBe('{"a":1}');
    expect(s.events).toEqual([{ kind: 'bypass', type: 'student_progress', reason: 'method', detail: 'broken' }]);
  });

  it('a client that leaves while the reader is asked: the handler does not run, the load is settled', async () => {
    const asked = gate();
    const answer = gate();
    const closed = gate();
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          res.once('close', () => closed.open());
          next();
        },
      ],
      handler: json,
    });
    const declined: string[] = [];
    const load = {
      key: 'k',
      position: { epoch: 'e', seq: 0 },
      ttlMs: 300_000,
      run: <T>(task: () => T) => task(),
      addTags: () => undefined,
      leave: () => undefined,
      giveUp: () => undefined,
      createdAt: 0,
      bill: { add: () => undefined, carry: () => undefined, cost: undefined },
      store: async () => 'stored' as const,
      decline: (reason: string) => void declined.push(reason),
      settled: false,
    };
    s.reader.script = () => {
      asked.open();
      return answer.opened.then(() => ({ next: 'lead' as const, load, reason: 'absent' }));
    };
    const request = http.get({ port: s.port, path: '/report', agent: false });
    request.on('error', () => undefined);
    await asked.opened;
    request.destroy();
    await closed.opened;
    answer.open();
    await new Promise((resolve) => setImmediate(resolve));
    expect([declined, s.runs()]).toEqual([['incomplete'], 0]);
  });

  it('but a hook in front that fails after the headers is reported, and the handler does not run', async () => {
    const errors: unknown[] = [];
    let broken = false;
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          const end = Reflect.get(res, 'end') as (...args: unknown[]) => unknown;
          res.end = ((...args: unknown[]) => {
            Reflect.apply(end, res, args);
            if (broken) throw new Error('hook');
          }) as typeof res.end;
          next();
        },
      ],
      handler: json,
      onError: (error: Error, _req, _res, _next) => void errors.push(error.message),
    });
    await s.ask();
    broken = true;
    expect((await s.ask()).text).toBe('{"a":1}');
    expect([errors, s.runs()]).toEqual([['hook'], 1]);
  });

  it('works with a reader that answers later', async () => {
    const s = await stage(express, { handler: json });
    s.reader.later = true;
    expect((await s.ask()).headers['x-cache']).toBe('MISS');
    expect((await s.ask()).headers['x-cache']).toBe('HIT');
    expect(s.runs()).toBe(1);
  });
});
