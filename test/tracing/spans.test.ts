// Spans through the real SDK of OpenTelemetry into a collector that speaks OTLP: what is one trace, and what is linked to it.
import * as api from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { NodeTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import express, { type ErrorRequestHandler, type Express } from 'express';
import request from 'supertest';
import { compose } from '../../src/create-report-cache.js';
import { persistMigrations, tag, type ReportCache } from '../../src/index.js';
import { openTelemetryTracer } from '../../src/opentelemetry.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { gate } from '../support/gate.js';
import { Grade, School, type Process } from '../system/school.js';
import { Collector, type Seen, type Tree } from './collector.js';

let collector: Collector;
let provider: NodeTracerProvider;

beforeAll(async () => {
  collector = await Collector.open();
  const exporter = new OTLPTraceExporter({ url: collector.url });
  provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  provider.register();
});
afterEach(() => collector.forget());
afterAll(async () => {
  await provider.shutdown();
  await collector.close();
});

const fact = ({ attributes }: Seen, name: string) => attributes[`report_cache.${name}`];

/** Name, layer and outcome. */
function label(span: Seen): string {
  const facts = ['layer', 'result', 'reason', 'declined'].map((name) => fact(span, name));
  return [span.name.replace('report_cache.', ''), ...facts.filter((value) => value !== undefined)].join(' ');
}

const MOST_LOOKS = 20_000;

/** Waits until so many spans of this name have arrived; what is stored is stored behind the answer. */
async function arrived(name: string, count = 1): Promise<Seen[]> {
  for (let looks = 0; collector.named(`report_cache.${name}`).length < count; looks += 1) {
    // Rather than for ever, which would keep the process from ending.
    if (looks === MOST_LOOKS) throw new Error(`Only ${collector.spans.map(label).join(', ')}`);
    await provider.forceFlush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return collector.named(`report_cache.${name}`);
}

const failed: ErrorRequestHandler = (_error, _req, res, _next) => {
  res.status(500).end();
};

const treeOf = (root: Seen | undefined) => root && collector.tree(root, label);

/** What goes on at the same time ends in any order. */
function sorted([name, ...children]: Tree): Tree {
  return [name, ...children.map(sorted).sort((a, b) => (a[0] < b[0] ? -1 : 1))];
}

describe('the spans of a request', () => {
  let school: School;
  let process: Process;

  beforeAll(async () => {
    school = await School.open([...persistMigrations]);
    process = await school.process({
      types: { kept: { persist: true } },
      // A busy machine must not make a layer that is late look like one that is away.
      redisDeadline: '30s',
      databaseDeadline: '30s',
      tracer: openTelemetryTracer(api),
      correlate: (req) => req.get('x-request-id'),
    });
    const { app, reports, dataSource } = process;
    app.get(
      '/kept/:id',
      reports.cache('kept', { tags: (req) => [tag('student', String(req.params['id']))] }),
      async (_req, res) => {
        res.json(await dataSource.query('SELECT 1 AS one'));
      },
    );
    app.get('/outer', reports.cache('custom'), async (_req, res) => {
      const inner = { type: 'custom', report: 'inner', share: 'everyone' } as const;
      res.json(await reports.getOrLoad(inner, async () => 1));
    });
    app.get('/failing', reports.cache('custom'), () => {
      throw new TypeError('private words');
    });
    app.post('/grades', reports.correlation(), async (_req, res) => {
      const grades = dataSource.getRepository(Grade);
      await dataSource.transaction(async (manager) => {
        const row = await grades.findOneByOrFail({ id: 1 });
        await manager.getRepository(Grade).save({ ...row, score: row.score + 1 });
      });
      res.end();
    });
    app.use(failed);
  });
  afterAll(() => school.close());

  const ask = (path: string) => request(process.app).get(path).set('x-user', '7').set('x-request-id', 'r-1');

  it('a miss: request, layers, handler, store, as one trace', async () => {
    await ask('/kept/1').expect('X-Cache', 'MISS');
    await arrived('store');
    const [root] = await arrived('request');
    expect(treeOf(root)).toEqual([
      'request miss',
      [
        'read miss absent',
        ['lookup memory miss absent'],
        ['lookup redis miss absent'],
        ['lookup database miss absent'],
      ],
      ['load'],
      ['store stored', ['put redis stored'], ['put database stored']],
    ]);
    expect(new Set(collector.spans.map(({ traceId }) => traceId)).size).toBe(1);
  });

  it('a hit: the layers that were asked, and nothing else', async () => {
    await ask('/kept/1').expect('X-Cache', 'HIT');
    const [root] = await arrived('request');
    expect(treeOf(root)).toEqual([
      'request hit',
      ['read memory hit', ['lookup memory hit'], ['prove redis'], ['lookup memory hit']],
    ]);
  });

  it('a value that a handler asks for belongs to the handler', async () => {
    await ask('/outer');
    await arrived('store', 2);
    const [root] = await arrived('request');
    const [, , loaded] = treeOf(root) ?? ([''] as const);
    expect(loaded).toEqual([
      'load',
      [
        'value',
        ['read miss absent', ['lookup memory miss absent'], ['lookup redis miss absent']],
        ['load'],
        ['store stored', ['put redis stored']],
      ],
    ]);
  });

  it('is a child of what the host traces', async () => {
    const host = api.trace.getTracer('host').startSpan('GET /kept');
    const { reports } = process;
    await api.context.with(api.trace.setSpan(api.context.active(), host), () =>
      reports.getOrLoad({ type: 'custom', report: 'of the host', share: 'everyone' }, async () => 1),
    );
    host.end();
    await arrived('store');
    const [value] = await arrived('value');
    expect(value?.parentSpanId).toBe(host.spanContext().spanId);
  });

  it('a handler that fails: its span says so, without the words of the error', async () => {
    await ask('/failing').expect(500);
    const [root] = await arrived('request');
    expect(treeOf(root)?.slice(2)).toEqual([['load status']]);
    expect(JSON.stringify(collector.spans, (_, value: unknown) => String(value))).not.toContain('private');
  });

  it('a commit: its invalidation, the layers that were told, and the id of the request', async () => {
    await request(process.app).post('/grades').set('x-request-id', 'w-1').expect(200);
    const [invalidation] = await arrived('invalidate');
    expect(treeOf(invalidation)).toEqual(['invalidate', ['bump database'], ['bump redis']]);
    expect(fact(invalidation!, 'cause')).toBe('commit');
    expect(fact(invalidation!, 'correlation_id')).toBe('w-1');
  });

  it('carries the id of the request, and neither keys nor readers', async () => {
    await ask('/kept/2');
    await arrived('store');
    const spans = [...(await arrived('request')), ...(await arrived('read')), ...(await arrived('load'))];
    expect(spans.map((span) => fact(span, 'correlation_id'))).toEqual(['r-1', 'r-1', 'r-1']);
    const names = new Set(collector.spans.flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...names].map((name) => name.replace('report_cache.', '')).sort()).toEqual(
      ['bytes', 'correlation_id', 'layer', 'reason', 'result', 'status', 'type'].sort(),
    );
  });

  it('requests side by side are traces of the same shape, however their questions to Redis go together', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => n + 100);
    await Promise.all(ids.map((id) => ask(`/kept/${id}`)));
    await arrived('store', ids.length);
    const roots = await arrived('request', ids.length);
    const shapes = new Set(roots.map((root) => JSON.stringify(sorted(treeOf(root)!))));
    expect(shapes.size).toBe(1);
    expect(collector.spans).toHaveLength(ids.length * 9);
  });

  it('what the cache asks on its own is no trace', async () => {
    await process.reports.health();
    await provider.forceFlush();
    expect(collector.spans).toEqual([]);
  });
});

describe('a declared report', () => {
  let school: School;
  let process: Process;
  let clock: FakeClock;
  let app: Express;
  let reports: ReportCache;

  beforeAll(async () => {
    school = await School.open();
    process = await school.process({});
    clock = new FakeClock();
    app = express();
    reports = compose(
      {
        redis: process.redis!,
        namespace: `${school.namespace}-declared`,
        redisDeadline: '30s',
        identify: (req) => ({ user: String(req.headers['x-user']) }),
        types: { student_progress: { ttl: '1m', grace: '1h', jitter: 0 } },
        tracer: openTelemetryTracer(api),
        correlate: (req) => req.get('x-request-id'),
      },
      clock,
    );
    const progress = reports.report('student_progress', {
      tags: ({ report }) => [tag('student', report)],
      load: async ({ report }) => {
        if (report === '13') throw new TypeError('private words');
        return process.dataSource.query('SELECT 1 AS one');
      },
      warm: { user: (user) => ['11', '12', '13'].map((report) => ({ report, identity: { user } })) },
    });
    app.get(
      '/students/:id',
      progress.route((req) => String(req.params['id'])),
    );
    app.use('/cache', (req, res, next) => host(() => admin(req, res, next)));
    const admin = reports.admin({ authorize: () => true });
  });
  afterAll(async () => {
    await reports.close();
    await school.close();
  });

  /** As the instrumentation of a host would. */
  function host(task: () => void): void {
    const span = api.trace.getTracer('host').startSpan('POST /cache/warm');
    api.context.with(api.trace.setSpan(api.context.active(), span), task);
    span.end();
  }
  const ask = (path: string, id: string) => request(app).get(path).set('x-user', '7').set('x-request-id', id);

  it('a miss: request, layers, loader, store, as one trace', async () => {
    await ask('/students/5', 'r-1').expect('X-Cache', 'MISS');
    await arrived('store');
    const [root] = await arrived('request');
    expect(treeOf(root)).toEqual([
      'request miss',
      ['read miss absent', ['lookup memory miss absent'], ['lookup redis miss absent']],
      ['load'],
      ['store stored', ['put redis stored']],
    ]);
    expect(root?.parentSpanId).toBeUndefined();
    expect(new Set(collector.spans.map(({ traceId }) => traceId)).size).toBe(1);
  });

  it('made anew behind an old answer: a trace of its own, linked to the request, with its id', async () => {
    clock.advance(61_000);
    await ask('/students/5', 'r-2').expect('X-Cache', 'STALE');
    const [refresh] = await arrived('refresh');
    const [cause] = await arrived('request');
    expect(treeOf(refresh)).toEqual(['refresh stored', ['load'], ['store stored', ['put redis stored']]]);
    expect(refresh?.links).toEqual([cause?.spanId]);
    const own = collector.spans.filter(({ traceId }) => traceId === refresh?.traceId);
    const named = own.filter(({ name }) => !name.endsWith('.put'));
    expect(named.map((span) => fact(span, 'correlation_id'))).toEqual(named.map(() => 'r-2'));
  });

  it('made ready ahead: a trace for each report, linked to who wanted that, with the id of his request', async () => {
    const answer = await request(app)
      .post('/cache/warm')
      .set('x-user', '1')
      .set('x-request-id', 'w-1')
      .send({ user: 7 });
    expect(answer.body).toMatchObject({ total: 3, computed: 2, failed: 1 });
    const warm = await arrived('warm', 3);
    await provider.forceFlush();
    const [cause] = collector.named('POST /cache/warm');
    const made = [
      'warm computed',
      ['read miss absent', ['lookup memory miss absent'], ['lookup redis miss absent']],
      ['load'],
      ['store stored', ['put redis stored']],
    ];
    const trees = warm.filter(({ error }) => error === undefined).map(treeOf);
    expect(trees).toEqual([made, made]);
    expect(warm.map(({ error }) => error).filter(Boolean)).toEqual(['TypeError']);
    for (const span of warm) {
      expect([span.parentSpanId, span.links]).toEqual([undefined, [cause?.spanId]]);
      expect(fact(span, 'correlation_id')).toBe('w-1');
    }
    expect(new Set(warm.map(({ traceId }) => traceId)).size).toBe(3);
    expect(JSON.stringify(collector.spans, (_, value: unknown) => String(value))).not.toContain('private');
  });

  it('that is ready already: its look, and nothing else', async () => {
    await reports.warm({ user: 7 });
    const ready = (await arrived('warm', 3)).filter((span) => fact(span, 'result') === 'already');
    expect(ready.map((span) => treeOf(span)?.length)).toEqual([2, 2]);
    expect(ready.map(({ links }) => links)).toEqual([[], []]);
  });
});

describe('a refresh that nobody waits for', () => {
  const clock = new FakeClock();
  let reports: ReportCache;
  beforeAll(() => {
    reports = compose(
      {
        identify: () => ({ user: 1 }),
        types: { analytics: { ttl: '1m', grace: '1h', jitter: 0 } },
        tracer: openTelemetryTracer(api),
      },
      clock,
    );
  });
  afterAll(() => reports.close());

  it('is a trace of its own, linked to the request that caused it', async () => {
    const value = (loader: () => Promise<unknown>) =>
      reports.getOrLoad({ type: 'analytics', report: 1, share: 'everyone' }, loader);
    await value(async () => 'old');
    await arrived('store');
    collector.forget();
    clock.advance(61_000);
    const refreshed = gate();
    expect(await value(() => refreshed.opened.then(() => 'new'))).toBe('old');
    const [cause] = await arrived('value');
    refreshed.open();
    const [refresh] = await arrived('refresh');
    expect(refresh?.links).toEqual([cause?.spanId]);
    expect([refresh?.parentSpanId, refresh?.traceId === cause?.traceId]).toEqual([undefined, false]);
    expect(treeOf(refresh)).toEqual(['refresh stored', ['load'], ['store stored', ['put memory stored']]]);
  });

  it('and says how it failed', async () => {
    clock.advance(61_000);
    const value = (loader: () => Promise<unknown>) =>
      reports.getOrLoad({ type: 'analytics', report: 1, share: 'everyone' }, loader);
    expect(await value(() => Promise.reject(new Error('private words')))).toBe('new');
    const [refresh] = await arrived('refresh');
    expect([treeOf(refresh), refresh?.error]).toEqual([['refresh error', ['load error']], 'error']);
  });
});
