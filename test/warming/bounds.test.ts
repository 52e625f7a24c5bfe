// What keeps warming from being a burden: the pace of the database, and the memory of what was asked for.
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Asked } from '../../src/contract/warming.js';
import { redisKeys } from '../../src/stores/redis/redis-keys.js';
import { Demand, type SharedDemand } from '../../src/warming/demand.js';
import { OwnDemand } from '../../src/warming/own-demand.js';
import { Pace } from '../../src/warming/pace.js';
import { RedisDemand } from '../../src/warming/redis-demand.js';
import { hourOfWeek, hoursFrom, weekOf } from '../../src/warming/week.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { gate } from '../support/gate.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the pace', () => {
  const paceOn = (clock: FakeClock, ask: (() => Promise<unknown>) | undefined) =>
    new Pace({ ask, slowMs: 100, askMs: 250, slowAnswers: 3, firstPauseMs: 500, clock });

  it('is free where there is no database to ask', async () => {
    expect(await paceOn(new FakeClock(), undefined).ready()).toBe(true);
  });

  it('asks once for all who wait, and again when the answer is old', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const pace = paceOn(clock, async () => (asked += 1));
    expect(await Promise.all([pace.ready(), pace.ready(), pace.ready()])).toEqual([true, true, true]);
    clock.advance(249);
    await pace.ready();
    expect(asked).toBe(1);
    clock.advance(1);
    await pace.ready();
    expect(asked).toBe(2);
  });

  it('waits longer after each slow answer, and goes on after a quick one', async () => {
    const clock = new FakeClock();
    const answers = [gate(), gate(), gate()];
    let asked = 0;
    const pace = paceOn(clock, () => answers[asked++]!.opened);
    let ready: boolean | undefined;
    void pace.ready().then((said) => (ready = said));
    clock.advance(100);
    await tick();
    clock.advance(499);
    await tick();
    expect(asked).toBe(1);
    clock.advance(1);
    await tick();
    expect(asked).toBe(2);
    clock.advance(100);
    await tick();
    clock.advance(999);
    await tick();
    expect([asked, ready]).toEqual([2, undefined]);
    clock.advance(1);
    await tick();
    answers[2]!.open();
    await tick();
    expect([asked, ready]).toEqual([3, true]);
  });

  it('gives up after so many slow answers in a row, and for good', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const pace = paceOn(clock, () => {
      asked += 1;
      return Promise.reject(new Error('too many clients'));
    });
    let ready: boolean | undefined;
    void pace.ready().then((said) => (ready = said));
    await tick();
    clock.advance(500);
    await tick();
    clock.advance(1000);
    await tick();
    expect([asked, ready]).toEqual([3, false]);
    expect(await pace.ready()).toBe(false);
    expect(asked).toBe(3);
    expect(clock.waiting).toBe(0);
  });
});

describe('the week', () => {
  it('has the same hour after seven days, and no other hour in between', () => {
    const now = Date.UTC(2026, 10, 23, 7, 59);
    expect(hourOfWeek(now + 7 * 86_400_000)).toBe(hourOfWeek(now));
    expect(hourOfWeek(now + 60_000)).toBe((hourOfWeek(now) + 1) % 168);
    expect(new Set(hoursFrom(now, 168)).size).toBe(168);
    expect(weekOf(now + 7 * 86_400_000)).toBe(weekOf(now) + 1);
  });
});

const asked = (report: string): Asked => ({ name: 'r', report, identity: { user: '7' }, filters: {} });

describe('what was asked for', () => {
  class Told implements SharedDemand {
    readonly adds: [number, number, Map<string, number>][] = [];
    fails = false;
    async add(hour: number, week: number, worths: ReadonlyMap<string, number>): Promise<void> {
      if (this.fails) throw new Error('away');
      this.adds.push([hour, week, new Map(worths)]);
    }
    read = async () => [];
  }
  const demandOn = (clock: FakeClock, shared: SharedDemand, most = 3) =>
    new Demand({ shared, flushMs: 30_000, most, clock });

  it('is put into words once, and told after a while with the sum of what it took', async () => {
    const [clock, told] = [new FakeClock(), new Told()];
    const demand = demandOn(clock, told);
    let words = 0;
    for (const ms of [40, 60, 0.2]) demand.count('k', ms, () => ((words += 1), asked('5')));
    expect(words).toBe(1);
    expect(told.adds).toEqual([]);
    clock.advance(30_000);
    await demand.flush();
    const now = clock.now();
    expect(told.adds).toEqual([[hourOfWeek(now), weekOf(now), new Map([[JSON.stringify(asked('5')), 101]])]]);
    expect(clock.waiting).toBe(0);
  });

  it('belongs to the hour in which it was asked for', async () => {
    const [clock, told] = [new FakeClock(Date.UTC(2026, 0, 5, 8, 59, 50)), new Told()];
    const demand = demandOn(clock, told);
    demand.count('k', 10, () => asked('5'));
    clock.step(10_000);
    demand.count('k', 10, () => asked('5'));
    await demand.flush();
    expect(told.adds.map(([hour]) => hour)).toEqual(hoursFrom(Date.UTC(2026, 0, 5, 8), 2));
  });

  it('is forgotten where it is worth least, however many keys clients make up', async () => {
    const [clock, told] = [new FakeClock(), new Told()];
    const demand = demandOn(clock, told);
    for (let at = 0; at < 1000; at += 1) {
      demand.count(`k${at}`, at === 1 ? 5000 : 1, () => asked(String(at)));
      expect(demand.size).toBeLessThanOrEqual(6);
    }
    await demand.flush();
    const [, , worths] = told.adds[0]!;
    expect(worths.size).toBe(3);
    expect(worths.get(JSON.stringify(asked('1')))).toBe(5000);
  });

  it('is let go where it cannot be told, and disturbs nobody', async () => {
    const [clock, told] = [new FakeClock(), new Told()];
    const demand = demandOn(clock, told);
    told.fails = true;
    demand.count('k', 10, () => asked('5'));
    await demand.flush();
    told.fails = false;
    demand.count('k', 10, () => asked('6'));
    await demand.flush();
    expect(told.adds).toHaveLength(1);
  });
});

describe.each(['memory', 'Redis'])('the demand of all, in %s', (where) => {
  const hour = hourOfWeek(Date.UTC(2026, 0, 5, 8));
  const on = async (most: number, test: (shared: SharedDemand, redis?: Redis, name?: string) => Promise<void>) => {
    if (where === 'memory') return test(new OwnDemand(most));
    const client = new Redis(redisUrl());
    await client.ping();
    const nameOf = redisKeys(ownNamespace(), '1', '').demand;
    try {
      await test(new RedisDemand({ client, nameOf, most, inTime: (answer) => answer }), client, nameOf(hour));
    } finally {
      client.disconnect();
    }
  };

  it('adds up, and gives the best of an hour', () =>
    on(10, async (shared) => {
      await shared.add(
        hour,
        100,
        new Map([
          ['a', 10],
          ['b', 1.5],
        ]),
      );
      await shared.add(hour, 100, new Map([['b', 20]]));
      const [found, other] = await shared.read([hour, hour + 1]);
      expect([...found!]).toEqual([
        ['b', 21.5],
        ['a', 10],
      ]);
      expect([...other!]).toEqual([]);
    }));

  it('counts half of what is a week old, a quarter after two, and nothing twice in one week', () =>
    on(10, async (shared) => {
      await shared.add(hour, 100, new Map([['a', 16]]));
      await shared.add(hour, 101, new Map([['b', 1]]));
      await shared.add(hour, 101, new Map([['b', 1]]));
      expect([...(await shared.read([hour]))[0]!]).toEqual([
        ['a', 8],
        ['b', 2],
      ]);
      await shared.add(hour, 103, new Map([['c', 0.25]]));
      expect([...(await shared.read([hour]))[0]!]).toEqual([
        ['a', 2],
        ['b', 0.5],
        ['c', 0.25],
      ]);
    }));

  it('keeps no more of an hour than it may', () =>
    on(5, async (shared, redis, name) => {
      await shared.add(hour, 100, new Map(Array.from({ length: 450 }, (_, at) => [`m${at}`, at] as const)));
      expect([...(await shared.read([hour]))[0]!.keys()]).toEqual(['m449', 'm448', 'm447', 'm446', 'm445']);
      if (redis && name) {
        expect(await redis.zcard(name)).toBe(5);
        expect(await redis.pttl(name)).toBeGreaterThan(34 * 86_400_000);
      }
    }));
});
