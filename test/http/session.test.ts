// The position of one's last write travels with the browser: when it is told, to whom, and what a forged one can do.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Application, Request, Response } from 'express';
import { createReportCache, type ReportCache } from '../../src/index.js';
import { Sessions } from '../../src/http/session.js';
import { onBoth } from './stage.js';

let server: http.Server;
let reports: ReportCache;

afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await reports.close();
});

async function listen(app: Application | http.RequestListener): Promise<void> {
  server = http.createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

function ask(method: string, path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const req = http.request({ port, method, path, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(chunks).toString() }),
      );
    });
    req.on('error', reject);
    req.end();
  });
}

const COOKIE = /^report-position=\d+\.[\w.-]+; Path=\/; Max-Age=2; HttpOnly; SameSite=Lax$/;

onBoth('session()', (express) => {
  let app: Application;
  beforeEach(() => {
    app = express();
    reports = createReportCache({ identify: () => ({ user: 'u' }) });
    app.use(reports.session());
  });
  const write = () => reports.invalidate('student:1');

  it('tells of a write, by cookie and by header, and of nothing else', async () => {
    app.get('/read', (_req, res) => void res.json([]));
    app.post('/write', (_req, res, next) => void write().then(() => res.json([]), next));
    await listen(app);
    const read = await ask('GET', '/read');
    expect(read.headers['set-cookie']).toBeUndefined();
    expect(read.headers['report-position']).toBeUndefined();
    const written = await ask('POST', '/write');
    expect(written.headers['set-cookie']).toEqual([expect.stringMatching(COOKIE)]);
    expect(written.headers['set-cookie']?.[0]).toContain(`=${String(written.headers['report-position'])};`);
    expect((await ask('GET', '/read')).headers['set-cookie']).toBeUndefined();
  });

  it('tells of the last of several writes, also of those deep in promises', async () => {
    app.post('/write', async (_req, res) => {
      await Promise.all([write(), new Promise((resolve) => setImmediate(resolve)).then(write)]);
      await write();
      res.json([]);
    });
    await listen(app);
    expect((await ask('POST', '/write')).headers['report-position']).toMatch(/^3\./);
  });

  it('does not tell one request of what another has written at the same time', async () => {
    let go = (): void => undefined;
    const going = new Promise<void>((resolve) => (go = resolve));
    let came = (): void => undefined;
    const coming = new Promise<void>((resolve) => (came = resolve));
    app.get('/slow', (_req, res, next) => {
      came();
      void going.then(() => res.json([]), next);
    });
    app.post('/write', (_req, res, next) => void write().then(() => res.json([]), next));
    await listen(app);
    const slow = ask('GET', '/slow');
    await coming;
    await ask('POST', '/write');
    go();
    expect((await slow).headers['set-cookie']).toBeUndefined();
  });

  const theirs = 'sid=1; HttpOnly';
  it.each<[string, (res: Response) => void]>([
    ['res.cookie()', (res) => void res.cookie('sid', '1', { path: undefined as never, httpOnly: true }).json([])],
    ['setHeader()', (res) => void res.setHeader('Set-Cookie', theirs).end('x')],
    ['writeHead() with an object', (res) => void res.writeHead(201, { 'Set-Cookie': theirs }).end('x')],
    ['writeHead() with a list of cookies', (res) => void res.writeHead(201, { 'set-cookie': [theirs] }).end('x')],
    ['writeHead() with a flat array', (res) => void res.writeHead(201, ['Set-Cookie', theirs]).end('x')],
    ['writeHead() with a phrase', (res) => void res.writeHead(201, 'Made', { 'Set-Cookie': theirs }).end('x')],
    ['a stream', (res) => void (res.setHeader('Set-Cookie', [theirs]), res.write('a'), res.end('b'))],
  ])('leaves the cookies of the application beside its own: %s', async (_name, answer) => {
    app.post('/write', (_req, res, next) => void write().then(() => answer(res), next));
    await listen(app);
    const cookies = (await ask('POST', '/write')).headers['set-cookie'] ?? [];
    expect(cookies).toHaveLength(2);
    expect(cookies[0]).toMatch(/^sid=1/);
    expect(cookies[1]).toMatch(COOKIE);
  });

  it('changes nothing of an answer to a request that wrote nothing', async () => {
    app.get('/read', (_req, res) => void res.writeHead(203, 'Fine', ['X-A', '1']).end('x'));
    await listen(app);
    const answer = await ask('GET', '/read');
    expect(answer).toMatchObject({ status: 203, text: 'x', headers: { 'x-a': '1' } });
  });

  it('an answer that could not be sent is tried again with one cookie', async () => {
    app.post('/write', async (_req, res) => {
      await write();
      expect(() => res.writeHead(200, 'bad\nphrase')).toThrow();
      res.statusMessage = '';
      res.status(500).json([]);
    });
    await listen(app);
    const answer = await ask('POST', '/write');
    expect(answer.status).toBe(500);
    expect(answer.headers['set-cookie']).toHaveLength(1);
  });

  it('what was sent before the write is not touched, and sends no error', async () => {
    app.post('/write', async (_req, res) => {
      res.write('a');
      await write();
      res.end('b');
    });
    await listen(app);
    const answer = await ask('POST', '/write');
    expect(answer.text).toBe('ab');
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('is Secure behind https', async () => {
    app.set('trust proxy', true);
    app.post('/write', (_req, res, next) => void write().then(() => res.json([]), next));
    await listen(app);
    const answer = await ask('POST', '/write', { 'x-forwarded-proto': 'https' });
    expect(answer.headers['set-cookie']?.[0]).toMatch(/; SameSite=Lax; Secure$/);
  });

  it('is not stored with a report: a report that writes answers later readers without a position', async () => {
    const seen: (string[] | undefined)[] = [];
    app.get('/report', reports.cache('student_progress'), (_req, res, next) => {
      void write().then(() => res.json([]), next);
    });
    await listen(app);
    for (let turn = 0; turn < 2; turn += 1) seen.push((await ask('GET', '/report')).headers['set-cookie']);
    expect(seen).toEqual([[expect.stringMatching(COOKIE)], undefined]);
  });
});

describe('what a request says', () => {
  const told: unknown[] = [];
  beforeEach(async () => {
    told.length = 0;
    reports = createReportCache({ identify: () => ({ user: 'u' }) });
    const sessions = new Sessions({ leaseMs: 250, follow: (_heard, task) => task() });
    await listen((req: http.IncomingMessage, res: http.ServerResponse) =>
      sessions.handle(req, res, () => {
        told.push(sessions.atLeast(req as Request));
        res.end();
      }),
    );
  });

  it.each([
    ['a cookie', { cookie: 'a=b; report-position=7.epoch-1; c=d' }],
    ['a header', { 'report-position': '7.epoch-1' }],
    ['both: the header', { 'report-position': '7.epoch-1', cookie: 'report-position=8.epoch-2' }],
  ])('is read from %s', async (_name, headers) => {
    await ask('GET', '/', headers);
    expect(told).toEqual([{ seq: 7, epoch: 'epoch-1' }]);
  });

  it.each([
    ['', 'nothing'],
    ['7', 'no epoch'],
    ['.epoch', 'no number'],
    ['-1.epoch', 'a negative number'],
    ['1e9.epoch', 'not a whole number'],
    ['1234567890123456.epoch', 'more than a number can hold'],
    [`1.${'e'.repeat(65)}`, 'too long'],
    ['1.a b', 'a space'],
    ['1.%0d%0aSet-Cookie:x', 'an attempt at a header'],
    ['1."quoted"', 'quotes'],
  ])('malformed is as good as none: %j (%s)', async (token) => {
    expect((await ask('GET', '/', { cookie: `report-position=${token}` })).status).toBe(200);
    expect((await ask('GET', '/', { 'report-position': token })).status).toBe(200);
    expect(told).toEqual([undefined, undefined]);
  });
});
