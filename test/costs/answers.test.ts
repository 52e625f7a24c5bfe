// What a value cost, from the loader's word to the caller of the next hit; in memory and over a real Redis with two processes.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CacheEvent } from '../../src/contract/events.js';
import { compose } from '../../src/create-report-cache.js';
import { systemClock } from '../../src/contract/clock.js';
import { summarizeCosts, type LoaderRun, type ReportCache, type ReportCacheOptions } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const prices = [{ model: 'small', from: '2026-01-01', inputPerMillion: 0.15, outputPerMillion: 0.6, currency: 'USD' }];
const request = { type: 'custom', report: 'insight', identity: { user: 7 } } as const;
const usage = { model: 'small', inputTokens: 1000, outputTokens: 500 };
const cost = { inputTokens: 1000, outputTokens: 500, models: ['small'], money: 0.000_45, currency: 'USD' };

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function setUp(options: Partial<ReportCacheOptions> = {}) {
  const events: CacheEvent[] = [];
  const clock = new FakeClock();
  const onEvent = (event: CacheEvent) => void events.push(event);
  const reports = compose({ identify: () => null, costs: { prices }, onEvent, ...options }, clock);
  open.push(() => reports.close());
  return { clock, events, reports };
}

async function processOn(namespace: string, redis = new Redis(redisUrl())): Promise<ReportCache> {
  await redis.ping();
  const reports = compose(
    { identify: () => null, redis, namespace, costs: { prices }, redisDeadline: '5s' },
    systemClock,
  );
  open.push(() => reports.close().then(() => redis.quit()));
  return reports;
}

/** Resolves when it has asked for a claim, and has been answered. */
function claimAsked(redis: Redis, namespace: string): Promise<void> {
  return new Promise((resolve) => {
    const call = redis.call.bind(redis) as (...args: unknown[]) => Promise<unknown>;
    redis.call = ((...args: unknown[]) => {
      const answer = call(...args);
      const claims = args.flat().some((arg) => typeof arg === 'string' && arg.startsWith(`{${namespace}}:c:`));
      if (claims) void answer.then(() => resolve(), resolve as never);
      return answer;
    }) as typeof redis.call;
  });
}

const never = () => {
  throw new Error('loaded');
};

describe('getOrLoadAnswer', () => {
  it('says that the loader made it, what it cost, and when it is over', async () => {
    const { clock, reports } = setUp();
    const start = clock.now();
    const answer = await reports.getOrLoadAnswer({ ...request, jitter: 0 }, (run) => {
      run.cost(usage);
      return 'text';
    });
    expect(answer).toEqual({
      value: 'text',
      cached: false,
      source: 'loader',
      joined: false,
      stale: false,
      createdAt: new Date(start),
      expiresAt: new Date(start + 3_600_000),
      cost,
    });
    clock.advance(1000);
    expect(await reports.getOrLoadAnswer(request, never)).toEqual({ ...answer, cached: true, source: 'memory' });
  });

  it('says that a value is stale, was shared, or not stored', async () => {
    const { clock, reports } = setUp();
    const asked = { ...request, ttl: '1m', grace: '1h', jitter: 0 } as const;
    let give: (value: string) => void = () => undefined;
    const first = reports.getOrLoadAnswer(asked, () => new Promise<string>((resolve) => (give = resolve)));
    const second = reports.getOrLoadAnswer(asked, never);
    await new Promise((resolve) => setImmediate(resolve));
    give('one');
    expect(await first).toMatchObject({ cached: false, joined: false });
    expect(await second).toMatchObject({ cached: true, joined: true, source: 'memory' });
    clock.advance(60_000);
    expect(await reports.getOrLoadAnswer(asked, () => 'two')).toMatchObject({
      value: 'one',
      stale: true,
      cached: true,
    });
    const alone = await reports.getOrLoadAnswer({ ...asked, identity: undefined }, () => 'alone');
    expect(alone).toEqual({
      value: 'alone',
      cached: false,
      source: 'loader',
      joined: false,
      stale: false,
      createdAt: expect.any(Date),
    });
  });

  it('adds up the calls of a run; what is computed inside it has a bill of its own', async () => {
    const { reports } = setUp();
    const answer = await reports.getOrLoadAnswer(request, async (run) => {
      run.cost(usage);
      await reports.getOrLoad({ ...request, report: 'inner' }, (inner) => {
        inner.cost(usage);
        reports.addCost(usage);
        return 1;
      });
      reports.addCost(usage);
      return 'text';
    });
    expect(answer.cost).toEqual({ ...cost, inputTokens: 2000, outputTokens: 1000, money: 0.000_9 });
    expect(summarizeCosts(await reports.costs({ from: '2026-01-01', to: '2026-12-31' }))).toMatchObject({
      generated: 2,
      tokensUsed: 6000,
    });
  });

  it('keeps tokens with the value where nobody keeps account, and refuses to tell of days', async () => {
    const { reports } = setUp({ costs: undefined as never });
    await reports.getOrLoad(request, (run) => (run.cost(usage), 1));
    expect((await reports.getOrLoadAnswer(request, never)).cost).toEqual({
      inputTokens: 1000,
      outputTokens: 500,
      models: ['small'],
    });
    await expect(reports.costs()).rejects.toMatchObject({ code: 'ERC_OPTION' });
  });
});

describe('spent', () => {
  it('is what failed runs have told, too, and runs without a cache', async () => {
    const { reports } = setUp();
    const fail = (run: LoaderRun) => {
      run.cost(usage);
      throw new Error('no answer');
    };
    await expect(reports.getOrLoad(request, fail)).rejects.toThrow('no answer');
    await expect(reports.getOrLoad({ ...request, identity: null }, fail)).rejects.toThrow('no answer');
    expect(await reports.costs()).toMatchObject([
      { spent: { runs: 2, failed: 2, inputTokens: 2000, money: 0.000_9 }, hits: { times: 0 } },
    ]);
  });

  it('is at once, and also after the run has ended, but then stands with no value', async () => {
    const { reports } = setUp();
    let run: LoaderRun | undefined;
    await reports.getOrLoad(request, (given) => ((run = given), 'text'));
    run?.cost(usage);
    expect(await reports.costs()).toMatchObject([{ spent: { runs: 1, inputTokens: 1000 } }]);
    expect((await reports.getOrLoadAnswer(request, never)).cost).toBeUndefined();
  });

  it('a model without a price is told of once, and its tokens are counted', async () => {
    const { events, reports } = setUp();
    for (const report of ['a', 'b'])
      await reports.getOrLoad({ ...request, report }, (run) => (run.cost({ ...usage, model: 'new' }), 1));
    expect(events.filter(({ kind }) => kind === 'advice')).toEqual([
      { kind: 'advice', code: 'cost-price', message: expect.stringContaining('"new"') },
    ]);
    expect(await reports.costs()).toMatchObject([{ spent: { inputTokens: 2000, money: 0 } }]);
  });
});

describe('two processes over Redis', () => {
  it('a computation that both wait for is spent once and avoided once, with what it cost', async () => {
    const namespace = ownNamespace();
    const redis = new Redis(redisUrl());
    const refused = claimAsked(redis, namespace);
    const [one, other] = [await processOn(namespace), await processOn(namespace, redis)];
    let give: () => void = () => undefined;
    const begun = new Promise<void>((begin) => {
      open.push(async () => give());
      void one.getOrLoad(request, (run) => {
        begin();
        return new Promise<string>((resolve) => {
          give = () => {
            run.cost(usage);
            resolve('text');
          };
        });
      });
    });
    await begun;
    const joined = other.getOrLoadAnswer(request, never);
    await refused;
    give();
    expect(await joined).toMatchObject({ value: 'text', cached: true, joined: true, cost });
    const [mine, theirs] = [await one.costs(), await other.costs()];
    expect(mine).toMatchObject([{ spent: { runs: 1, money: 0.000_45 }, avoided: { joined: { times: 0 } } }]);
    expect(theirs).toMatchObject([
      { spent: { runs: 0, money: 0 }, avoided: { joined: { times: 1, money: 0.000_45 }, redis: { times: 0 } } },
    ]);
  });

  it('a hit in Redis says what it was spared', async () => {
    const namespace = ownNamespace();
    const [one, other] = [await processOn(namespace), await processOn(namespace)];
    await one.getOrLoad(request, (run) => (run.cost(usage), 'text'));
    expect(await other.getOrLoadAnswer(request, never)).toMatchObject({ source: 'redis', cost });
    expect(await other.costs()).toMatchObject([{ avoided: { redis: { times: 1, money: 0.000_45 } } }]);
  });
});
