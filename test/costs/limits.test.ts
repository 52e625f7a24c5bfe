// What may be spent in a day: new runs are refused, hits and joins are not; over HTTP, and for several processes.
import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type Express, type Request } from 'express';
import { Redis } from 'ioredis';
import { systemClock, type Clock } from '../../src/contract/clock.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { compose } from '../../src/create-report-cache.js';
import type { LoaderRun, ReportCache, ReportCacheOptions, ValueRequest } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const HOUR = 3_600_000;
const prices = [{ model: 'small', from: '2026-01-01', inputPerMillion: 1, outputPerMillion: 1, currency: 'USD' }];

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function setUp(limits: object, options: Partial<ReportCacheOptions> = {}, clock: Clock = new FakeClock()) {
  const events: CacheEvent[] = [];
  const reports = compose(
    {
      identify: (req: Request) => ({ user: String(req.headers['x-user']) }),
      costs: { prices, limits: { custom: limits } },
      onEvent: (event) => void events.push(event),
      ...options,
    },
    clock,
  );
  open.push(() => reports.close());
  return { reports, events, clock };
}

/** A value that costs a hundred tokens. */
const hundred = (run: LoaderRun) => {
  run.cost({ model: 'small', inputTokens: 60, outputTokens: 40 });
  return 'text';
};
const ask = (reports: ReportCache, report: string, more: Partial<ValueRequest> = {}) =>
  reports.getOrLoad({ type: 'custom', report, identity: { user: 7 }, jitter: 0, ...more }, hundred);
const refused = { code: 'ERC_SPEND', status: 429, headers: { 'Retry-After': String(16 * 3600) } };

describe('a limit of a day', () => {
  it.each([
    ['tokens', { perUser: { tokens: 200 } }],
    ['money', { perUser: { money: 0.000_2 } }],
  ])('of %s refuses the run after the one that reached it, until midnight UTC; hits go on', async (_name, limits) => {
    const { reports, events, clock } = setUp(limits);
    await ask(reports, 'a');
    await ask(reports, 'b');
    await expect(ask(reports, 'c')).rejects.toMatchObject(refused);
    expect(await ask(reports, 'a')).toBe('text');
    expect(events).toContainEqual({ kind: 'bypass', type: 'custom', reason: 'spend' });
    expect(await ask(reports, 'c', { identity: { user: 8 } })).toBe('text');
    (clock as FakeClock).advance(16 * HOUR - 1);
    await expect(ask(reports, 'c')).rejects.toMatchObject({ headers: { 'Retry-After': '1' } });
    (clock as FakeClock).advance(1);
    expect(await ask(reports, 'c')).toBe('text');
  });

  it('of all together counts everybody, and other types not at all', async () => {
    const { reports } = setUp({ total: { tokens: 200 } });
    await ask(reports, 'a');
    await ask(reports, 'a', { identity: { user: 8 } });
    await expect(ask(reports, 'a', { identity: { user: 9 } })).rejects.toMatchObject(refused);
    expect(await ask(reports, 'a', { type: 'analytics', identity: { user: 9 } })).toBe('text');
  });

  it('counts failed runs and those without a cache', async () => {
    const { reports } = setUp({ total: { tokens: 200 } });
    const fail = (run: LoaderRun) => {
      hundred(run);
      throw new Error('no answer');
    };
    const nobody = { type: 'custom', report: 'a', identity: null };
    for (const run of [fail, fail]) await expect(reports.getOrLoad(nobody, run)).rejects.toThrow('no answer');
    await expect(reports.getOrLoad(nobody, fail)).rejects.toMatchObject(refused);
    await expect(ask(reports, 'a')).rejects.toMatchObject(refused);
  });

  it('lets who joins a run have it, and goes beyond by no more than runs under way', async () => {
    const { reports } = setUp({ perUser: { tokens: 100 } });
    const gates: (() => void)[] = [];
    const held = (report: string) =>
      reports.getOrLoad({ type: 'custom', report, identity: { user: 7 } }, async (run) => {
        await new Promise<void>((resolve) => gates.push(resolve));
        return hundred(run);
      });
    const [first, second] = [held('a'), held('b')];
    const joined = held('a');
    await turn();
    for (const gate of gates) gate();
    expect(await Promise.all([first, second, joined])).toEqual(['text', 'text', 'text']);
    expect(gates).toHaveLength(2);
    await expect(ask(reports, 'c')).rejects.toMatchObject(refused);
  });

  it('returns the stale value instead of refusing, and runs nothing behind it', async () => {
    const { reports, clock } = setUp({ perUser: { tokens: 100 } });
    const stale = { ttl: '1m', grace: '1h' } as const;
    await ask(reports, 'a', stale);
    (clock as FakeClock).advance(60_000);
    expect(await ask(reports, 'a', stale)).toBe('text');
    await turn();
    expect(await reports.costs()).toMatchObject([{ spent: { runs: 1, inputTokens: 60 } }]);
  });

  it('refuses everybody who waited for the run that was refused', async () => {
    const { reports } = setUp({ perUser: { tokens: 100 } });
    await ask(reports, 'a');
    const all = await Promise.allSettled([ask(reports, 'b'), ask(reports, 'b'), ask(reports, 'b')]);
    expect(all.map((one) => (one.status === 'rejected' ? one.reason.code : one.value))).toEqual(
      Array.from({ length: 3 }, () => 'ERC_SPEND'),
    );
  });
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('over HTTP', () => {
  async function serve(reports: ReportCache, options = {}) {
    const app: Express = express();
    let runs = 0;
    app.get('/reports/:id', reports.cache('custom', { jitter: 0, ...options }), (_req, res) => {
      runs += 1;
      reports.addCost({ model: 'small', inputTokens: 100 });
      res.json({ runs });
    });
    app.get('/loader', (_req, res, next) => {
      ask(reports, 'loader').then((text) => res.send(text), next);
    });
    const server = createServer(app).listen(0);
    await once(server, 'listening');
    open.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { 'x-user': '7', connection: 'close', ...headers } });
    return { get, runs: () => runs };
  }

  it('a new run is 429 with a problem and the time until midnight; a hit is a hit', async () => {
    const { reports } = setUp({ perUser: { tokens: 100 } });
    const { get, runs } = await serve(reports);
    expect((await get('/reports/1')).status).toBe(200);
    const answer = await get('/reports/2');
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe(String(16 * 3600));
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('cache-control')).toContain('no-store');
    expect(answer.headers.get('cache-status')).toBe('reports; detail=spend');
    expect(await answer.json()).toMatchObject({ status: 429, code: 'spend' });
    const hit = await get('/reports/1');
    expect([hit.status, hit.headers.get('x-cache')]).toEqual([200, 'HIT']);
    expect((await get('/reports/2', { 'x-user': '8' })).status).toBe(200);
    expect(runs()).toBe(2);
  });

  it.each([
    ['a parameter that no filter declares', '/reports/9?x=1', {}],
    ['no-store', '/reports/9', { 'cache-control': 'no-store' }],
    ['no-cache', '/reports/1', { 'cache-control': 'no-cache' }],
  ])('%s leads round the cache and not round the limit', async (_name, path, headers) => {
    const { reports } = setUp({ perUser: { tokens: 200 } });
    const { get, runs } = await serve(reports);
    await get('/reports/1');
    expect((await get(path, headers)).status).toBe(200);
    expect((await get(path, headers)).status).toBe(429);
    expect((await get(path, headers, 'HEAD')).status).toBe(429);
    expect(runs()).toBe(2);
  });

  it('the stale report is served instead, and the handler does not run', async () => {
    const { reports, clock } = setUp({ perUser: { tokens: 100 } });
    const { get, runs } = await serve(reports, { ttl: '1m', grace: '1h' });
    await get('/reports/1');
    (clock as FakeClock).advance(60_000);
    const answer = await get('/reports/1');
    expect([answer.status, answer.headers.get('x-cache'), runs()]).toEqual([200, 'STALE', 1]);
  });

  it('a loader’s error is 429 in Express’s own words', async () => {
    const { reports } = setUp({ perUser: { tokens: 0 } });
    const { get } = await serve(reports);
    const answer = await get('/loader');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, String(16 * 3600)]);
  });
});

describe('several processes over Redis', () => {
  async function processOn(namespace: string) {
    const redis = new Redis(redisUrl());
    await redis.ping();
    open.push(() => redis.quit());
    const limits = { perUser: { tokens: 200 } };
    return { ...setUp(limits, { redis, namespace, redisDeadline: '5s' }, systemClock), redis };
  }

  it('count together, under names that show no id and end', async () => {
    const namespace = ownNamespace();
    const [one, other] = [await processOn(namespace), await processOn(namespace)];
    await ask(one.reports, 'a', { identity: { user: 'ann' } });
    await ask(other.reports, 'b', { identity: { user: 'ann' } });
    // What a connection was given first it does first; the other one's count is known when it answers.
    await other.redis.ping();
    for (const { reports } of [one, other])
      await expect(ask(reports, 'c', { identity: { user: 'ann' } })).rejects.toMatchObject({ code: 'ERC_SPEND' });
    const names = await one.redis.keys(`{${namespace}}:s:*`);
    expect(names).toHaveLength(2);
    for (const name of names) {
      expect(name).not.toContain('ann');
      expect(await one.redis.pttl(name)).toBeGreaterThan(24 * HOUR);
    }
  });

  it('FAULT without Redis each goes on with what it knows itself', async () => {
    const { reports, redis } = await processOn(ownNamespace());
    await ask(reports, 'a');
    redis.disconnect();
    expect(await ask(reports, 'b')).toBe('text');
    await expect(ask(reports, 'c')).rejects.toMatchObject({ code: 'ERC_SPEND' });
    await redis.connect();
  });
});
