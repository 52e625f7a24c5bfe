// Reports made ready before anybody asks: found by their readers, counted as nobody's, and within their bounds.
import { describe, expect, it } from '@jest/globals';
import type { WarmTarget } from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { gate } from '../support/gate.js';
import { ownNamespace } from '../support/isolation.js';
import { start } from './scene.js';

const of = (user: string, report = '5', filters = {}): WarmTarget => ({ report, identity: { user }, filters });

describe.each([
  ['without Redis', false],
  ['with Redis', true],
])('warming %s', (_name, redis) => {
  it('makes what its reader finds: the same key, bytes, headers and entity-tag as his own request would have made', async () => {
    const load = () => ({ marks: [1, 2], on: new Date(0) });
    const own = await start({ redis, report: { load } });
    const asked = await own.ask('/students/5?term=a');
    expect(asked.headers['x-cache']).toBe('MISS');
    const byReader = await own.ask('/students/5?term=a');

    const warmed = await start({ redis, report: { load } });
    const told = await warmed.progress.warm([of('7', '5', { term: 'a', page: 1 })]);
    expect(told).toMatchObject({ total: 1, cached: 1, computed: 1, failed: 0, skipped: 0, failures: [] });
    const found = await warmed.ask('/students/5?term=a');
    expect(found.headers['x-cache']).toBe('HIT');
    const { date: _, age: __, ...headers } = found.headers;
    const { date: ___, age: ____, ...expected } = byReader.headers;
    expect({ ...found, headers }).toEqual({ ...byReader, headers: expected });
    expect(warmed.loads).toHaveLength(1);
  });

  it('counts as neither hit nor miss nor bypass, and computes nothing twice', async () => {
    const { progress, kinds, loads } = await start({ redis });
    await progress.warm([of('7')]);
    expect(await progress.warm([of('7'), of('8')])).toMatchObject({ cached: 2, computed: 1 });
    expect(loads).toHaveLength(2);
    expect(kinds().filter((kind) => ['hit', 'staleHit', 'miss', 'bypass'].includes(kind))).toEqual([]);
    expect(kinds().filter((kind) => kind === 'stored')).toHaveLength(2);
  });

  it('says why it could not, and tells of no bypass', async () => {
    const held = gate();
    const { progress, ask, reports, kinds, loads } = await start({
      redis,
      cache: { maxComputing: 1 },
      report: { load: () => held.opened.then(() => ({})) },
    });
    const reader = ask('/students/1');
    while (loads.length < 1) await new Promise(setImmediate);
    expect(await progress.warm([of('7')])).toMatchObject({
      failed: 1,
      failures: [{ reason: 'Not stored: overload.' }],
    });
    held.open();
    await reader;
    await reports.close();
    expect(await progress.warm([of('7')])).toMatchObject({ total: 1, cached: 0 });
    expect(kinds()).not.toContain('bypass');
  });

  it('is invalidated like what its reader has asked for', async () => {
    const { progress, ask, reports } = await start({ redis });
    await progress.warm([of('7')]);
    for (const tag of ['viewer:7', 'student:5', 'report:5', 'type:student_progress']) {
      await progress.warm([of('7')]);
      await reports.invalidate(tag);
      expect([tag, (await ask('/students/5')).headers['x-cache']]).toEqual([tag, 'MISS']);
    }
  });

  it('computes anew what ends too soon', async () => {
    const { progress, clock, ask } = await start({ redis: false });
    await progress.warm([of('7')]);
    clock.advance(200_000);
    expect(await progress.warm([of('7')], { freshFor: '90s' })).toMatchObject({ computed: 0 });
    expect(await progress.warm([of('7')], { freshFor: '2m' })).toMatchObject({ cached: 1, computed: 1 });
    // Half of its ttl will do: five minutes are never half an hour.
    expect(await progress.warm([of('7')], { freshFor: '30m' })).toMatchObject({ cached: 1, computed: 0 });
    clock.advance(200_000);
    expect((await ask('/students/5')).headers['x-cache']).toBe('HIT');
  });

  it('stores nothing that was invalidated meanwhile', async () => {
    const [begun, go] = [gate(), gate()];
    const { progress, reports } = await start({
      redis,
      report: {
        load: async () => {
          begun.open();
          await go.opened;
          return { old: true };
        },
      },
    });
    const warming = progress.warm([of('7')]);
    await begun.opened;
    await reports.invalidate('student:5');
    go.open();
    expect(await warming).toMatchObject({
      cached: 0,
      failed: 1,
      failures: [{ report: '5', user: '7', reason: 'Not stored: stale.' }],
    });
  });

  it('learns what was worth most in this hour of the week, in which process ever, and makes that first', async () => {
    const namespace = ownNamespace();
    // Another process a week before, or this one.
    const clock = new FakeClock();
    const before = await start({ redis, namespace, clock });
    for (let asked = 0; asked < 3; asked += 1) await before.ask('/students/5?term=b', '7');
    await before.ask('/students/6', '8 school');
    const now = redis ? await start({ redis, namespace, clock }) : before;
    if (redis) await before.reports.close();
    await now.reports.invalidate('type:student_progress');
    clock.advance(7 * 86_400_000);
    now.loads.length = 0;
    expect(await now.reports.warm({ learned: true }, { concurrency: 1 })).toMatchObject({
      total: 2,
      computed: 2,
      failed: 0,
    });
    expect(now.loads).toMatchObject([
      { report: '5', identity: { user: '7' }, filters: { term: 'b' } },
      { report: '6', identity: { user: '8', tenant: 'school' } },
    ]);
    expect((await now.ask('/students/5?term=b', '7')).headers['x-cache']).toBe('HIT');
    clock.advance(3 * 3_600_000);
    expect(await now.reports.warm({ learned: true }, { hours: 1 })).toMatchObject({ total: 0 });
  });
});

describe('what is to be warmed', () => {
  const lists = {
    all: async function* () {
      yield of('7', '1');
      yield of('8', '2');
    },
    report: (report: string) => [of('7', report), of('8', report)],
    user: async (user: string) => [of(user, user)],
    organization: (tenant: string) => [{ report: 1, identity: { user: 7, tenant } }],
  };

  it.each([
    [{ all: true }, ['1 7', '2 8']],
    [{ reports: [5, '6'] }, ['5 7', '5 8', '6 7', '6 8']],
    [{ user: 9 }, ['9 9']],
    [{ organization: 'school' }, ['1 7']],
    [{ name: 'student_progress', user: 9 }, ['9 9']],
  ] as const)('%j', async (selection, expected) => {
    const { reports, loads } = await start({ report: { warm: lists } });
    const told = await reports.warm(selection, { concurrency: 1 });
    expect(told).toMatchObject({ total: expected.length, cached: expected.length });
    expect(loads.map(({ report, identity }) => `${report} ${identity.user}`)).toEqual(expected);
  });

  it.each([
    [{}],
    [{ user: 1, all: true }],
    [{ learned: false }],
    [{ reports: 'x' }],
    [{ user: '' }],
    [{ nobody: 1 }],
    [{ name: 'unknown', user: 1 }],
  ])('refuses %j', async (selection) => {
    const { reports, loads } = await start({ report: { warm: lists } });
    await expect(reports.warm(selection as never)).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/ERC_(OPTION|TAG)/) }),
    );
    expect(loads).toEqual([]);
  });

  it.each([
    [{ budget: 5 }],
    [{ concurrency: 0 }],
    [{ concurrency: 33 }],
    [{ hours: 25 }],
    [{ most: 100_001 }],
    [{ slow: '1s' }],
  ])('refuses %j', async (options) => {
    const { reports } = await start({ report: { warm: lists } });
    await expect(reports.warm({ all: true }, options as never)).rejects.toThrow(
      expect.objectContaining({ code: 'ERC_OPTION' }),
    );
  });

  it('refuses a way for which there is no list', async () => {
    const { reports } = await start({ report: { warm: { user: () => [] } } });
    await expect(reports.warm({ all: true })).rejects.toThrow('No report has a list `warm.all`');
    await expect(reports.warm({ name: 'student_progress', organization: 1 })).rejects.toThrow('no list');
  });

  it('a list that fails stops no other', async () => {
    const { reports } = await start({
      report: {
        warm: {
          all: () => {
            throw new Error('no database');
          },
        },
      },
    });
    reports.report('analytics', { load: () => 1, share: 'everyone', warm: { all: () => [{ report: 'a' }] } });
    expect(await reports.warm({ all: true })).toMatchObject({
      total: 2,
      cached: 1,
      failures: [{ type: 'student_progress', report: '*', reason: 'no database' }],
    });
  });

  it('takes the targets that can be read, and says why not of the others', async () => {
    const { progress } = await start();
    const targets = [of('7'), { report: 5 }, of('7', '5', { page: 'x' }), of('7', '5', { other: 1 })];
    const told = await progress.warm(targets);
    expect(told).toMatchObject({ total: 4, cached: 1, failed: 3 });
    expect(told.failures.map(({ reason }) => reason)).toEqual([
      'The target names nobody whose report it would be.',
      'The filter page is not an integer.',
      'There is no filter other.',
    ]);
  });

  it('only counts in a dry run', async () => {
    const { reports, loads } = await start({ report: { warm: lists } });
    expect(await reports.warm({ all: true }, { dryRun: true })).toMatchObject({ total: 2, cached: 0, skipped: 2 });
    expect(loads).toEqual([]);
  });

  it('leaves out what was asked for and is not declared any more', async () => {
    const { reports, ask } = await start();
    const other = reports.report('analytics', { load: () => ({}), share: 'everyone' });
    expect(other.name).toBe('analytics');
    await ask('/students/5');
    expect(await reports.warm({ learned: true, name: 'analytics' })).toMatchObject({ total: 0 });
    expect(await reports.warm({ learned: true, name: 'student_progress' })).toMatchObject({ total: 1 });
  });

  it('takes no more than `most`', async () => {
    const { reports } = await start({ report: { warm: lists } });
    expect(await reports.warm({ reports: [1, 2, 3] }, { most: 3 })).toMatchObject({ total: 3, cached: 3 });
    reports.resources<{ rooms: number; floors: number }>({ rooms: { load: () => 1 }, floors: { load: () => 2 } });
    expect(await reports.warm({ organization: 'a' }, { most: 2 })).toMatchObject({ total: 2, cached: 2 });
  });

  it('makes the resources of an organisation ready, too', async () => {
    const { reports, kinds } = await start();
    let rooms = 0;
    const resources = reports.resources<{ rooms: string[]; floors: number }>({
      rooms: {
        load: () => {
          rooms += 1;
          return ['101'];
        },
      },
      floors: { from: ['rooms'], load: ({ rooms: all }) => all.length },
    });
    expect(await reports.warm({ organization: 'school' })).toMatchObject({ total: 2, cached: 2, failed: 0 });
    expect(kinds().filter((kind) => kind === 'hit' || kind === 'miss')).toEqual([]);
    expect(await resources.get('floors', 'school')).toBe(1);
    expect(rooms).toBe(1);
    expect(kinds()).toContain('hit');
  });
});

describe('the scheduled tasks', () => {
  it('warm: what was learned, and all that is listed', async () => {
    const { reports, ask, loads, clock } = await start({ report: { warm: { all: () => [of('1'), of('2')] } } });
    await ask('/students/5', '7');
    clock.advance(7 * 86_400_000);
    loads.length = 0;
    expect(await reports.tasks.warm()).toMatchObject({
      learned: { total: 1, computed: 1 },
      all: { total: 2, computed: 2, failed: 0 },
    });
    expect(loads.map(({ identity }) => identity.user)).toEqual(['7', '1', '2']);
  });

  it('refresh: what would end before the next run', async () => {
    const { reports, ask, loads, clock } = await start({ report: { ttl: '20m' } });
    await ask('/students/5', '7');
    clock.advance(15 * 60_000);
    expect(await reports.tasks.refresh()).toMatchObject({ warmed: { learned: { total: 1, computed: 1 } } });
    clock.advance(60_000);
    expect(await reports.tasks.refresh()).toMatchObject({ warmed: { learned: { total: 1, computed: 0 } } });
    expect(loads).toHaveLength(2);
  });
});

describe('a run', () => {
  it('tells when it begins and ends, and is remembered without whose reports they were', async () => {
    const { reports, of: told } = await start({ report: { warm: { user: (user) => [of(user)] } } });
    await reports.warm({ user: 'student-7' });
    expect(told('warming')).toMatchObject([
      { run: 1, way: 'user', state: 'begun', total: 1, cached: 0 },
      { run: 1, way: 'user', state: 'ended', total: 1, cached: 1, computed: 1, failed: 0 },
    ]);
    expect(JSON.stringify(told('warming'))).not.toContain('student-7');
  });

  it('stops when its time is over, without waiting for what is under way', async () => {
    const never = gate<object>();
    const steps: unknown[] = [];
    const { progress, clock, loads, kinds } = await start({ report: { load: () => never.opened } });
    const options = { concurrency: 2, budget: '1m', onProgress: (step: unknown) => void steps.push(step) } as const;
    const warming = progress.warm([of('7'), of('8'), of('9')], options);
    while (loads.length < 2) await new Promise(setImmediate);
    clock.advance(60_000);
    expect(await warming).toMatchObject({ total: 3, cached: 0, skipped: 3, stopped: 'budget' });
    // What ends later is kept, and nobody is told of it any more.
    never.open({});
    while (kinds().filter((kind) => kind === 'stored').length < 2) await new Promise(setImmediate);
    expect(steps).toEqual([]);
    expect(loads).toHaveLength(2);
  });

  it('stops when it is aborted, and when the cache closes', async () => {
    const never = gate();
    const { progress, reports, loads } = await start({ report: { load: () => never.opened } });
    const abort = new AbortController();
    const first = progress.warm([of('7')], { signal: abort.signal });
    const second = progress.warm([of('8')]);
    while (loads.length < 2) await new Promise(setImmediate);
    abort.abort();
    expect(await first).toMatchObject({ stopped: 'aborted' });
    never.open();
    await Promise.all([reports.close(), second]);
    expect(await second).toMatchObject({ total: 1 });
  });

  it('computes so many at a time and no more', async () => {
    const held = gate();
    let most = 0;
    let now = 0;
    const { progress, loads } = await start({
      report: {
        load: async () => {
          now += 1;
          most = Math.max(most, now);
          await held.opened;
          now -= 1;
          return {};
        },
      },
    });
    const targets = Array.from({ length: 20 }, (_, user) => of(`u${user}`));
    const warming = progress.warm(targets, { concurrency: 3 });
    while (loads.length < 3) await new Promise(setImmediate);
    held.open();
    expect(await warming).toMatchObject({ cached: 20 });
    expect(most).toBe(3);
  });

  it('is refused while as many go on as may', async () => {
    const held = gate();
    const { progress, loads } = await start({ report: { load: () => held.opened.then(() => ({})) } });
    const under = ['1', '2', '3', '4'].map((user) => progress.warm([of(user)]));
    while (loads.length < 4) await new Promise(setImmediate);
    await expect(progress.warm([of('5')])).rejects.toThrow(expect.objectContaining({ code: 'ERC_OVERLOADED' }));
    held.open();
    await Promise.all(under);
    expect(await progress.warm([of('5')])).toMatchObject({ cached: 1 });
  });
});

describe('a database that is slow', () => {
  it('is left alone: the run ends where it says so again and again', async () => {
    const { DataSource } = await import('typeorm');
    const { reports, loads, clock } = await start({ report: { warm: { all: () => [of('7'), of('8')] } } });
    const dataSource = new DataSource({ type: 'sqljs', entities: [] });
    await dataSource.initialize();
    await reports.connect(dataSource);
    const answer = dataSource.query.bind(dataSource);
    let asked = 0;
    dataSource.query = ((sql: string) => {
      if (!sql.includes('SELECT 1')) return answer(sql);
      asked += 1;
      return asked === 1 ? answer(sql) : Promise.reject(new Error('too many clients'));
    }) as typeof dataSource.query;
    const quick = await reports.warm({ all: true });
    expect(quick).toMatchObject({ computed: 2 });
    const warming = reports.warm({ all: true });
    for (let slow = 1; slow < 5; slow += 1) {
      while (asked < 1 + slow) await new Promise(setImmediate);
      await new Promise(setImmediate);
      clock.advance(500 * 2 ** (slow - 1));
    }
    expect(await warming).toMatchObject({ total: 2, cached: 0, skipped: 2, stopped: 'database' });
    expect(loads).toHaveLength(2);
    await dataSource.destroy();
  });
});
