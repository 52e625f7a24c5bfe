// What is not stored, what a miss tells the client, and that no load stays open.
import http from 'node:http';
import { describe, expect, it } from '@jest/globals';
import type { RequestHandler, Response } from 'express';
import { gate } from '../support/gate.js';
import { onBoth, stage, type Scene, type Stage } from './stage.js';

/** Asks once and leaves before the answer ends; resolves when the server has seen it. */
async function leave(s: Stage, seen: Promise<unknown>): Promise<void> {
  const request = http.get({ port: s.port, path: '/report', agent: false });
  request.on('error', () => undefined);
  request.on('response', (response) => response.on('error', () => undefined));
  await seen;
  request.destroy();
  await s.reader.until(() => s.reader.running === 0);
}

const declined: [string, RequestHandler, Scene['route']?][] = [
  ['no-store', (_req, res) => void res.set('Cache-Control', 'private, No-Store').json(1)],
  ['no-store', (_req, res) => void res.set('Cache-Control', ['private', 'no-store'] as never).json(1)],
  ['no-store', (_req, res) => void res.writeHead(200, { 'cache-control': 'no-store' }).end('1')],
  ['no-cache', (_req, res) => void res.set('Cache-Control', 'no-cache').json(1)],
  ['max-age', (_req, res) => void res.set('Cache-Control', 'private, max-age=0').json(1)],
  ['max-age', (_req, res) => void res.set('Expires', '0').json(1)],
  ['set-cookie', (_req, res) => void res.cookie('a', 'b').json(1)],
  ['vary-star', (_req, res) => void res.set('Vary', '*').json(1)],
  ['status', (_req, res) => void res.status(404).json(1)],
  ['status', (_req, res) => void res.status(202).json(1)],
  ['status', (_req, res) => res.redirect('/elsewhere')],
  ['status', (_req, res) => void res.status(429).json(1), { storeStatuses: new Set([200, 429]) }],
  ['status', (_req, _res, next) => next()],
  ['status', (_req, _res, next) => next(new Error('broken'))],
  [
    'status',
    () => {
      throw new Error('broken');
    },
  ],
  ['partial', (_req, res) => void res.status(206).set('Content-Range', 'bytes 0-0/9').send('1')],
  ['not-modified', (_req, res) => void res.status(304).end()],
  ['too-large', (_req, res) => void res.send('x'.repeat(101)), { maxEntryBytes: 100 }],
  ['too-large', (_req, res) => void res.set('Content-Length', '101').end('x'.repeat(101)), { maxEntryBytes: 100 }],
  [
    'too-large',
    (_req, res) => {
      for (let i = 0; i < 3; i++) res.write('x'.repeat(50));
      res.end();
    },
    { maxEntryBytes: 100 },
  ],
];

onBoth('not stored', (express) => {
  it.each(declined)('%s: %s', async (reason, handler, route = {}) => {
    const s = await stage(express, {
      handler,
      route,
      onError: (_e, _q, res, _n) => void res.status(500).send('sorry'),
    });
    const first = await s.ask();
    const second = await s.ask();
    expect(s.runs()).toBe(2);
    expect(s.reader.declined).toEqual([reason, reason]);
    expect(s.reader.entries.size).toBe(0);
    expect([first.headers['x-cache'], second.headers['x-cache']]).toEqual(['MISS', 'MISS']);
    expect(second.body.equals(first.body)).toBe(true);
    // A lifetime is given only by who said so.
    expect(first.headers['cache-control']).not.toMatch(/max-age=[1-9]/);
  });

  it('passes on what the handler told the browser', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.set('Cache-Control', 'no-store').json(1) });
    const answer = await s.ask();
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['cache-status']).toBe('reports; fwd=uri-miss; detail=no-store');
  });

  it.each([
    ['Content-Length too long', { 'Content-Length': '9' }, 'four'],
    ['Content-Length too short', { 'Content-Length': '3' }, 'four'],
  ])('%s (RFC 9112 §8)', async (_name, headers, body) => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.writeHead(200, headers);
        res.end(body);
        res.destroy();
      },
    });
    await s.ask().catch(() => undefined);
    expect(s.reader.declined).toEqual(['incomplete']);
    expect(s.reader.entries.size).toBe(0);
  });

  it('sees a cookie that the handler appends to those of earlier middleware', async () => {
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          res.setHeader('Set-Cookie', ['session=1']);
          next();
        },
      ],
      handler: (_req, res) => {
        res.appendHeader('Set-Cookie', 'rotated=2');
        res.json(1);
      },
    });
    expect((await s.ask()).headers['set-cookie']).toEqual(['session=1', 'rotated=2']);
    expect(s.reader.declined).toEqual(['set-cookie']);
  });

  it('stores without a field that the handler keeps out (RFC 9111 §5.2.2.4)', async () => {
    const s = await stage(express, {
      handler: (_req, res) =>
        void res.set({ 'Cache-Control': 'no-cache="X-Once"', 'X-Once': '1', 'X-Ever': '1' }).json(1),
    });
    expect((await s.ask()).headers['x-once']).toBe('1');
    const hit = await s.ask();
    expect([hit.headers['x-cache'], hit.headers['x-once'], hit.headers['x-ever']]).toEqual(['HIT', undefined, '1']);
  });

  it('lets the handler’s max-age shorten the ttl, and Age tells the browser the rest (RFC 9111 §4.2.1)', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.set('Cache-Control', 'max-age=60').json(1) });
    expect((await s.ask()).headers['cache-control']).toBe('private, max-age=60');
    s.clock.advance(59_000);
    const hit = await s.ask();
    expect([hit.headers['cache-control'], hit.headers.age]).toEqual(['private, max-age=60', '59']);
    s.clock.advance(1_000);
    expect((await s.ask()).headers['x-cache']).toBe('MISS');
  });

  it('lets it not extend the ttl', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.set('Cache-Control', 'max-age=9999').json(1) });
    await s.ask();
    s.clock.advance(300_000);
    expect((await s.ask()).headers['x-cache']).toBe('MISS');
  });

  it('keeps Expires and adds only who may keep the copy', async () => {
    const s = await stage(express, {
      handler: (_req, res) => void res.set('expires', new Date(s.clock.now() + 60_000).toUTCString()).json(1),
    });
    for (const label of ['MISS', 'HIT']) {
      const { headers } = await s.ask();
      expect([headers['x-cache'], headers['cache-control']]).toEqual([label, 'private']);
      expect(headers.expires).toBe(new Date(s.clock.now() + 60_000).toUTCString());
    }
  });

  it('never prints public for a report that not everyone may see', async () => {
    const handler: RequestHandler = (_req, res) => void res.set('Cache-Control', 'public, max-age=60').json(1);
    const own = await stage(express, { handler });
    const everyone = await stage(express, { handler, route: { share: 'everyone' } });
    for (let i = 0; i < 2; i++) {
      expect((await own.ask()).headers['cache-control']).toBe('private, max-age=60');
      expect((await everyone.ask()).headers['cache-control']).toBe('public, max-age=60');
    }
  });

  it('keeps the Cache-Control that earlier middleware set for the browser, and stores all the same', async () => {
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          res.set('Cache-Control', 'no-store');
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
    });
    for (const label of ['MISS', 'HIT']) {
      const { headers } = await s.ask();
      expect([headers['x-cache'], headers['cache-control']]).toEqual([label, 'no-store']);
    }
    expect(s.reader.entry.headers.map(([name]) => name)).toEqual(['Content-Type']);
  });
});

onBoth('a lifetime in the browser', (express) => {
  const handler: RequestHandler = (_req, res) => void res.vary('Accept').json(1);

  it('never outlives the entry, and depends on who is logged in', async () => {
    const s = await stage(express, { handler, route: { browser: 'ttl' } });
    const miss = await s.ask();
    expect(miss.headers['cache-control']).toBe('private, max-age=300, must-revalidate');
    expect(miss.headers.vary).toBe('Accept, Cookie, Authorization');
    s.clock.advance(100_500);
    const hit = await s.ask();
    expect([hit.headers.age, hit.headers['cache-control']]).toEqual(['100', 'private, max-age=299, must-revalidate']);
    expect(hit.headers.vary).toBe('Cookie, Authorization, Accept');
  });

  it('is shortened by what the computation took', async () => {
    const s = await stage(express, {
      route: { browser: 'ttl' },
      handler: (_req, res) => {
        s.clock.advance(20_000);
        res.json(1);
      },
    });
    expect((await s.ask()).headers['cache-control']).toBe('private, max-age=280, must-revalidate');
  });

  it('may be a number of seconds', async () => {
    const s = await stage(express, { handler, route: { browser: 30 } });
    expect((await s.ask()).headers['cache-control']).toBe('private, max-age=30, must-revalidate');
    s.clock.advance(290_000);
    expect((await s.ask()).headers['cache-control']).toBe('private, max-age=300, must-revalidate');
  });

  it('is not given to errors and other answers that are not stored', async () => {
    const statuses = [202, 302, 404, 500];
    const s = await stage(express, {
      route: { browser: 'ttl' },
      handler: (_req, res) => void res.status(statuses[s.runs() - 1] ?? 0).send('x'),
    });
    const told: unknown[] = [];
    for (const _ of statuses) told.push((await s.ask()).headers['cache-control']);
    expect(told).toEqual(['no-store', 'private, no-cache', 'no-store', 'no-store']);
  });

  it('needs no Vary where everyone may see the report', async () => {
    const s = await stage(express, { handler, route: { browser: 'ttl', share: 'everyone' } });
    expect([(await s.ask()).headers.vary, (await s.ask()).headers.vary]).toEqual(['Accept', 'Accept']);
  });

  it('can be none at all', async () => {
    const s = await stage(express, { handler, route: { browser: 'no-store' } });
    expect([(await s.ask()).headers['cache-control'], (await s.ask()).headers['cache-control']]).toEqual([
      'no-store',
      'no-store',
    ]);
  });
});

onBoth('preconditions on a miss (RFC 9110 §13.1.2)', (express) => {
  it('answers 304 and stores the whole report', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.json({ a: 1 }) });
    const { headers } = await s.ask();
    s.reader.invalidate();
    const miss = await s.ask({ headers: { 'If-None-Match': headers.etag ?? '' } });
    expect([miss.status, miss.body.length, miss.headers['x-cache']]).toEqual([304, 0, 'MISS']);
    expect(s.reader.entry.status).toBe(200);
    expect((await s.ask()).text).toBe('{"a":1}');
  });

  it('304 has what the 200 has, without what describes its body (RFC 9110 §15.4.5)', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.set({ 'Content-Location': '/r/1', 'Content-Language': 'de', Vary: 'Accept', 'X-Own': '1' });
        res.set('Last-Modified', 'Sun, 06 Nov 1994 08:49:37 GMT').json({ a: 1 });
      },
    });
    const full = await s.ask();
    const headers = { 'If-None-Match': `"other", ${full.headers.etag ?? ''}` };
    const hit = await s.ask({ headers });
    s.reader.invalidate();
    const miss = await s.ask({ headers });
    for (const answer of [hit, miss]) {
      expect([answer.status, answer.message, answer.body.length]).toEqual([304, 'Not Modified', 0]);
      for (const name of ['etag', 'vary', 'content-location', 'cache-control', 'last-modified', 'x-own']) {
        expect([name, answer.headers[name]]).toEqual([name, full.headers[name]]);
      }
      expect(answer.headers.date).toBeDefined();
      for (const name of ['content-type', 'content-length', 'content-language', 'transfer-encoding']) {
        expect([name, answer.headers[name]]).toEqual([name, undefined]);
      }
    }
    expect(hit.headers.age).toBe('0');
    expect(miss.headers.age).toBeUndefined();
  });

  it.each([
    ['a streamed answer with its own tag', '"own"', 304],
    ['a streamed answer with another tag', '"other"', 200],
  ])('%s', async (_name, sent, status) => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.set('ETag', '"own"');
        res.write('one');
        res.end('two');
      },
    });
    const answer = await s.ask({ headers: { 'If-None-Match': sent } });
    expect([answer.status, answer.text]).toEqual([status, status === 304 ? '' : 'onetwo']);
    expect(s.reader.entry.body.toString()).toBe('onetwo');
    expect(s.reader.entry.etag).toBe('"own"');
  });

  it('evaluates them for answers that are not stored, too', async () => {
    const s = await stage(express, {
      handler: (_req, res) => void res.set({ 'Cache-Control': 'no-store', ETag: '"x"' }).json(1),
    });
    expect((await s.ask({ headers: { 'If-None-Match': '"x"' } })).status).toBe(304);
  });

  it('If-None-Match beats If-Modified-Since, on Express 4 as well (RFC 9110 §13.1.3)', async () => {
    const s = await stage(express, {
      handler: (_req, res) => void res.set({ ETag: '"x"', 'Last-Modified': 'Sun, 06 Nov 1994 08:49:37 GMT' }).json(1),
    });
    const match = { 'If-None-Match': 'W/"x"', 'If-Modified-Since': 'Sun, 06 Nov 1990 08:49:37 GMT' };
    const mismatch = { 'If-None-Match': '"y"', 'If-Modified-Since': 'Sun, 06 Nov 2020 08:49:37 GMT' };
    const answers = [match, match, mismatch, mismatch].map((headers) => ({ headers }));
    const statuses: number[] = [];
    for (const one of answers) statuses.push((await s.ask(one)).status);
    expect(statuses).toEqual([304, 304, 200, 200]);
    expect(s.runs()).toBe(1);
  });

  it('replaces a tag that is none, because no browser could match it', async () => {
    const s = await stage(express, { handler: (_req, res) => void res.set('ETag', 'bare').json(1) });
    const { headers } = await s.ask();
    expect(headers.etag).toMatch(/^W\/"/);
    expect((await s.ask({ headers: { 'If-None-Match': headers.etag ?? '' } })).status).toBe(304);
  });
});

onBoth('no load stays open', (express) => {
  it('client gone while the handler hangs; whoever waited computes for himself', async () => {
    const began = gate();
    const answers: Response[] = [];
    const s = await stage(express, {
      handler: (_req, res) => {
        answers.push(res);
        if (answers.length === 1) began.open();
        else res.json(answers.length);
      },
    });
    const request = http.get({ port: s.port, path: '/report', agent: false });
    request.on('error', () => undefined);
    await began.opened;
    const waiting = s.ask();
    await s.reader.until(() => s.reader.asked.length === 2);
    request.destroy();
    expect((await waiting).text).toBe('2');
    expect(s.reader.declined).toEqual(['incomplete']);
    // The first handler ends after all: nothing is stored of it.
    answers[0]?.json('late');
    expect((await s.ask()).text).toBe('2');
  });

  it('client gone in the middle of a stream', async () => {
    const began = gate();
    const s = await stage(express, {
      handler: (_req, res) => {
        res.write('half', () => began.open());
      },
    });
    await leave(s, began.opened);
    expect(s.reader.declined).toEqual(['incomplete']);
  });

  it('response destroyed by the handler', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.write('half');
        res.destroy();
      },
    });
    await s.ask().catch(() => undefined);
    await s.reader.until(() => s.reader.running === 0);
    expect(s.reader.declined).toEqual(['incomplete']);
  });

  it('response destroyed by the handler, which ends it all the same', async () => {
    const s = await stage(express, {
      handler: (_req, res) => {
        res.destroy();
        res.end('nobody has got this');
      },
    });
    await s.ask().catch(() => undefined);
    await s.reader.until(() => s.reader.running === 0);
    expect([s.reader.declined, s.reader.entries.size]).toEqual([['incomplete'], 0]);
  });

  it('rejected async handler', async () => {
    const s = await stage(express, {
      // Express 4 needs the rejection handed over; Express 5 does it itself.
      handler: async (_req, _res, next) => {
        try {
          await Promise.reject(new Error('broken'));
        } catch (error) {
          next(error);
        }
      },
      onError: (_error, _req, res, _next) => void res.status(503).json({ sorry: true }),
    });
    const answer = await s.ask();
    expect([answer.status, answer.headers['x-cache'], answer.headers['cache-control']]).toEqual([
      503,
      'MISS',
      'no-store',
    ]);
    expect(s.reader.declined).toEqual(['status']);
    expect(s.reader.running).toBe(0);
  });

  it('error after the first bytes', async () => {
    const s = await stage(express, {
      settings: (app) => app.set('env', 'test'),
      handler: (_req, res, next) => {
        res.write('half');
        next(new Error('broken'));
      },
    });
    await s.ask().catch(() => undefined);
    await s.reader.until(() => s.reader.running === 0);
    expect(s.reader.declined).toEqual(['incomplete']);
    expect(s.reader.entries.size).toBe(0);
  });

  it('too large: those who wait are released at once, not at the end', async () => {
    let first: Response | undefined;
    const s = await stage(express, {
      route: { maxEntryBytes: 10 },
      handler: (_req, res) => {
        if (first !== undefined) return void res.json(2);
        first = res;
        res.write('12345');
      },
    });
    const leading = s.ask();
    await s.reader.until(() => s.reader.asked.length === 1);
    const waiting = s.ask();
    await s.reader.until(() => s.reader.asked.length === 2);
    first?.write('678901');
    expect((await waiting).text).toBe('2');
    first?.end('!');
    expect((await leading).text).toBe('12345678901!');
  });

  it('status known: those who wait are released with the headers', async () => {
    let first: Response | undefined;
    const s = await stage(express, {
      handler: (_req, res) => {
        if (first !== undefined) return void res.json(2);
        first = res;
      },
    });
    const leading = s.ask();
    await s.reader.until(() => s.reader.asked.length === 1);
    const waiting = s.ask();
    await s.reader.until(() => s.reader.asked.length === 2);
    first?.status(500).write('sorry');
    expect((await waiting).text).toBe('2');
    first?.end();
    await leading;
  });

  it('leaves no listener behind', async () => {
    const counts: number[] = [];
    const s = await stage(express, {
      front: [
        (_req, res, next) => {
          const before = res.listenerCount('close');
          res.once('close', () => setImmediate(() => counts.push(res.listenerCount('close') - before)));
          next();
        },
      ],
      handler: (_req, res) => void res.json(1),
    });
    await s.ask();
    await s.ask();
    while (counts.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(counts).toEqual([0, 0]);
  });
});

describe('the store', () => {
  onBoth('runs beside the answer', (express) => {
    it('and does not delay it', async () => {
      const stored = gate<'stored'>();
      const s = await stage(express, { handler: (_req, res) => void res.json(1) });
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
        store: () => stored.opened,
        decline: () => undefined,
        settled: false,
      };
      s.reader.script = () => ({ next: 'lead', load, reason: 'absent' });
      expect((await s.ask()).text).toBe('1');
      stored.open('stored');
    });
  });
});
