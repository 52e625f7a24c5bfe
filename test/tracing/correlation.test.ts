// The id of a request in the log: of what it reads, what it writes, and what is computed anew on its behalf.
import { afterEach, describe, expect, it } from '@jest/globals';
import express, { type Express } from 'express';
import request from 'supertest';
import { compose } from '../../src/create-report-cache.js';
import { tag, type ReportCache, type ReportCacheOptions } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { gate } from '../support/gate.js';
import { Grade, School } from '../system/school.js';

interface Logged {
  readonly event: string;
  readonly correlationId?: string;
}

function logger() {
  const lines: Logged[] = [];
  const write = (fields: object) => void lines.push(fields as Logged);
  const of = (...kinds: string[]) =>
    lines.filter(({ event }) => kinds.includes(event)).map(({ event, correlationId }) => [event, correlationId]);
  return { lines, of, log: { debug: write, info: write, warn: write, error: write } };
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function alone(options: Partial<ReportCacheOptions>, clock = new FakeClock()): { app: Express; reports: ReportCache } {
  const reports = compose({ identify: () => ({ user: 1 }), ...options }, clock);
  closing.push(() => reports.close());
  const app = express();
  return { app, reports };
}

describe('what a request reads', () => {
  it('carries what `correlate` says', async () => {
    const { log, of } = logger();
    const { app, reports } = alone({ logger: log, correlate: (req) => req.get('x-request-id') });
    app.get('/', reports.cache('custom'), (_req, res) => void res.json(1));
    await request(app).get('/').set('x-request-id', 'r-1');
    await request(app).get('/').set('x-request-id', 'r-2');
    await request(app).get('/');
    await request(app).get('/').set('x-request-id', 'a'.repeat(65));
    expect(of('miss', 'stored', 'hit')).toEqual([
      ['miss', 'r-1'],
      ['stored', 'r-1'],
      ['hit', 'r-2'],
      ['hit', undefined],
      ['hit', undefined],
    ]);
  });

  it('carries `req.id` where nothing is said, as pino-http sets it', async () => {
    const { log, of } = logger();
    const { app, reports } = alone({ logger: log });
    app.use((req, _res, next) => {
      Object.assign(req, { id: 17 });
      next();
    });
    app.get('/', reports.cache('custom'), (_req, res) => void res.json(1));
    await request(app).get('/');
    expect(of('miss')).toEqual([['miss', '17']]);
  });

  it('and goes on without where the function fails', async () => {
    const { log, of } = logger();
    const correlate = () => {
      throw new Error('mine');
    };
    const { app, reports } = alone({ logger: log, correlate });
    app.get('/', reports.cache('custom'), (_req, res) => void res.json(1));
    await request(app).get('/').expect(200);
    expect(of('miss')).toEqual([['miss', undefined]]);
  });

  it('is refused as an option where it is none', () => {
    expect(() => alone({ correlate: 'x-request-id' as never })).toThrow(/correlate/);
    expect(() => alone({ observers: [{}] as never })).toThrow(/observers/);
    expect(() => alone({ tracer: {} as never })).toThrow(/tracer/);
  });
});

describe('requests side by side', () => {
  it('keep their ids apart, though their questions to Redis go together', async () => {
    const school = await School.open();
    closing.push(() => school.close());
    const { app, reports, events } = await school.process({ correlate: (req) => req.get('x-request-id') });
    app.get('/many/:id', reports.cache('custom', { report: (req) => String(req.params['id']) }), (req, res) => {
      res.json(req.params['id']);
    });
    const ids = Array.from({ length: 50 }, (_, n) => `r-${n}`);
    const ask = (id: string) => request(app).get(`/many/${id}`).set('x-user', '7').set('x-request-id', id).expect(200);
    await Promise.all(ids.map(ask));
    await Promise.all(ids.map(ask));
    const told = events.filter((event) => 'key' in event);
    expect(told.length).toBeGreaterThanOrEqual(3 * ids.length);
    const wrong = told.filter(({ key, correlationId }) => !key.startsWith(`report:${correlationId}:`));
    expect(wrong).toEqual([]);
  });
});

describe('what goes on without its request', () => {
  it('a refresh in the background carries the id of who caused it, side by side with others', async () => {
    const clock = new FakeClock();
    const { log, of, lines } = logger();
    const types = { analytics: { ttl: '1m', grace: '1h', jitter: 0 } } as const;
    const { app, reports } = alone({ logger: log, types, correlate: (req) => req.get('x-request-id') }, clock);
    let loader = async (): Promise<string> => 'old';
    app.get('/:id', reports.correlation(), async (req, res) => {
      res.json(
        await reports.getOrLoad({ type: 'analytics', report: String(req.params.id), share: 'everyone' }, () =>
          loader(),
        ),
      );
    });
    const ask = (path: string, id: string) => request(app).get(path).set('x-request-id', id).expect('"old"');
    await ask('/1', 'r-1');
    await ask('/2', 'r-2');
    clock.advance(61_000);
    lines.length = 0;
    const refreshed = gate();
    loader = () => refreshed.opened.then(() => 'new');
    await ask('/1', 'r-3');
    await ask('/2', 'r-4');
    refreshed.open();
    while (of('stored').length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(of('stored')).toEqual([
      ['stored', 'r-3'],
      ['stored', 'r-4'],
    ]);
  });

  it('what is managed carries it: the record of it, its invalidation, and what it has made ready', async () => {
    const { log, of } = logger();
    const { app, reports } = alone({ logger: log, correlate: (req) => req.get('x-request-id') });
    const warm = { user: (user: string) => [{ report: 1, identity: { user } }] };
    reports.report('custom', { load: () => 1, warm });
    app.use('/cache', reports.admin({ authorize: () => true }));
    await request(app).post('/cache/warm').set('x-request-id', 'm-1').send({ user: 1 }).expect(200);
    await request(app).post('/cache/invalidate').set('x-request-id', 'm-2').send({ user: 1 }).expect(200);
    expect(of('warming', 'miss', 'stored', 'invalidate', 'managed')).toEqual([
      ['warming', 'm-1'],
      ['stored', 'm-1'],
      ['warming', 'm-1'],
      ['managed', 'm-1'],
      ['invalidate', 'm-2'],
      ['managed', 'm-2'],
    ]);
  });

  it('a commit carries it into its invalidation, and so does a call', async () => {
    const school = await School.open();
    closing.push(() => school.close());
    const { log, of } = logger();
    const { app, reports, dataSource } = await school.process({
      logger: log,
      correlate: (req) => req.get('x-request-id'),
    });
    app.use(reports.correlation());
    app.post('/grades', async (_req, res) => {
      await dataSource.transaction(async (manager) => {
        await manager.getRepository(Grade).save({ id: 1, studentId: 1, score: 51 });
      });
      res.end();
    });
    app.post('/calls', async (_req, res) => {
      await reports.invalidate(tag('student', 2));
      res.end();
    });
    await request(app).post('/grades').set('x-request-id', 'w-1').expect(200);
    await request(app).post('/calls').set('x-request-id', 'w-2').expect(200);
    expect(of('invalidate')).toEqual([
      ['invalidate', 'w-1'],
      ['invalidate', 'w-2'],
    ]);
  });
});
