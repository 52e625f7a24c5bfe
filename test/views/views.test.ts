// Materialised views of PostgreSQL under reports: refreshed after changes, by one process, and only then told of.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import type { View } from '../../src/index.js';
import { gate } from '../support/gate.js';
import { eventually } from '../support/eventually.js';
import { Grade, Lab, type Process } from './support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());
afterEach(() => lab.closeProcesses());

const read = async ({ app }: Process) => {
  const { body, headers } = await request(app).get('/stats').expect(200);
  return {
    average: body[0]?.average as number | undefined,
    label: headers['x-cache'],
    asOf: headers['report-as-of'] as string | undefined,
  };
};
const refreshes = async () => Number((await lab.row())?.refreshes ?? 0);
const settled = (count: number) =>
  eventually(`refresh ${count}, told of`, async () => {
    const row = await lab.row();
    return Number(row?.refreshes ?? 0) >= count && row?.told === true;
  });

describe('a report that reads a view', () => {
  it('is new after a change once the view is refreshed, and says as of when it is', async () => {
    const one = await lab.process();
    await settled(1);
    const before = await read(one);
    expect(before).toMatchObject({ average: 10, label: 'MISS' });
    expect(before.asOf).toBe(`class_stats="${(await lab.row())?.as_of.toISOString()}"`);
    expect(await read(one)).toEqual({ ...before, label: 'HIT' });

    await one.write(30);
    await settled(2);
    const after = await read(one);
    expect(after).toMatchObject({ average: 30, label: 'MISS' });
    expect(after.asOf).toBe(`class_stats="${(await lab.row())?.as_of.toISOString()}"`);
    expect(await one.stats.asOf()).toEqual((await lab.row())?.as_of);
    expect(one.eventsOf('viewRefreshed').at(-1)).toMatchObject({ view: 'class_stats', concurrently: true });
  });

  it('stays in the cache while the view is not refreshed, with its old time', async () => {
    const one = await lab.process({ view: { delay: '1h', maxDelay: '1h' } });
    const before = await read(one);
    await one.write(30);
    expect(await read(one)).toEqual({ ...before, label: 'HIT' });
    expect((await one.reports.health()).views).toMatchObject([{ name: 'class_stats', due: true, failures: 0 }]);
    expect(await refreshes()).toBe(0);
  });

  it('RACE computed while a refresh runs: does not outlive it, whatever it has read', async () => {
    const one = await lab.process();
    await settled(1);
    const held = await lab.holdRefreshes();
    await one.write(30);
    await held.arrived();
    // The refresh has read the new grade and is not committed: this report reads the old rows, and is stored.
    expect(await read(one)).toMatchObject({ average: 10, label: 'MISS' });
    expect(await read(one)).toMatchObject({ average: 10, label: 'HIT' });
    await held.release();
    await settled(2);
    expect(await read(one)).toMatchObject({ average: 30, label: 'MISS' });
  });

  it('RACE computed over the end of a refresh: what it has read before is not stored', async () => {
    const one = await lab.process();
    await settled(1);
    const held = await lab.holdRefreshes();
    await one.write(30);
    await held.arrived();
    const [arrived, go] = [gate(), gate()];
    one.pause = () => {
      arrived.open();
      return go.opened;
    };
    const slow = read(one);
    await arrived.opened;
    one.pause = async () => undefined;
    await held.release();
    await settled(2);
    go.open();
    expect(await slow).toMatchObject({ average: 10 });
    await eventually('its refusal', () => one.eventsOf('declined').at(-1)?.reason === 'stale');
    expect(await read(one)).toMatchObject({ average: 30, label: 'MISS' });
  });

  it('RACE a change committed while a refresh runs: it is refreshed once more', async () => {
    const one = await lab.process();
    await settled(1);
    const held = await lab.holdRefreshes();
    await one.write(30);
    await held.arrived();
    await one.write(50);
    expect(await lab.average()).toBe(10);
    await held.release();
    await settled(3);
    expect(await lab.average()).toBe(50);
    await eventually('the newest report', async () => (await read(one)).average === 50);
  });

  it('is bypassed before connect(), because nobody knows what would invalidate it', async () => {
    const one = await lab.process({ connect: false });
    await expect(one.stats.asOf()).resolves.toBeUndefined();
    expect(() => one.stats.relation).toThrow(expect.objectContaining({ code: 'ERC_VIEW' }));
    one.app.get('/any', one.reports.cache('analytics', { views: ['class_stats'] }), (_req, res) => res.json(1));
    const { headers } = await request(one.app).get('/any').expect(200);
    expect(headers['x-cache']).toBe('BYPASS');
  });

  it('says what this process knows already, where the database does not answer: nobody waits for a connection', async () => {
    const one = await lab.process({ poolSize: 1 });
    await settled(1);
    const { as_of: asOf } = (await lab.row()) ?? {};
    await eventually('that it knows', async () => (await one.reports.health()).views?.[0]?.asOf !== undefined);
    const runner = one.db.createQueryRunner();
    await runner.connect();
    expect(await one.stats.asOf()).toEqual(asOf);
    await runner.release();
  });

  it('does not wait in the writer: he has his answer while the refresh runs', async () => {
    const one = await lab.process();
    await settled(1);
    const held = await lab.holdRefreshes();
    await one.write(30);
    await held.arrived();
    await one.write(40);
    expect(await refreshes()).toBe(1);
    await held.release();
    await settled(2);
  });
});

describe('several processes', () => {
  it('RACE refresh it one at a time, and the one that could not makes sure that its change is in it', async () => {
    const one = await lab.process();
    const other = await lab.process();
    await settled(1);
    const start = await refreshes();
    const held = await lab.holdRefreshes();
    await one.write(30);
    await held.arrived();
    // This one finds the lock taken by a refresh that began before its change.
    await other.write(70);
    await eventually('that it is due', async () => (await other.reports.health()).views?.[0]?.due === true);
    const waiting = await lab.outside.query(
      `SELECT count(*)::int AS refreshing FROM pg_locks JOIN pg_database d ON d.oid = pg_locks.database
         WHERE datname = current_database() AND locktype = 'advisory' AND granted`,
    );
    expect(waiting).toEqual([{ refreshing: 1 }]);
    await held.release();
    await eventually('its change in the view', async () => (await lab.average()) === 70);
    await settled(start + 2);
    await eventually('new reports everywhere', async () => {
      const both = await Promise.all([read(one), read(other)]);
      return both.every(({ average }) => average === 70);
    });
    expect(await refreshes()).toBe(start + 2);
  });

  it('RACE changes of all at once cost as few refreshes as follow one another', async () => {
    const all = await Promise.all([lab.process(), lab.process(), lab.process()]);
    await settled(1);
    const start = await refreshes();
    const held = await lab.holdRefreshes();
    await Promise.all(all.map((one, index) => one.write(10 * (index + 1), index + 1)));
    await held.arrived();
    await held.release();
    await eventually('all of them in the view', async () => (await lab.average()) === 20);
    await eventually('nobody who waits', async () => {
      const healths = await Promise.all(all.map(({ reports }) => reports.health()));
      return healths.every(({ views }) => views?.[0]?.due === false && !views[0].refreshing);
    });
    // The one that was held, and one for what came after it had begun.
    expect((await refreshes()) - start).toBeLessThanOrEqual(2);
  });
});

describe('a crash', () => {
  it('RACE between COMMIT and invalidation: the next process finds the change and refreshes', async () => {
    const dying = await lab.process({ durable: true, cache: { hold: '1ms', lambda: '2s' } });
    await settled(1);
    await eventually('a hit', async () => (await read(dying)).label === 'HIT');
    const start = await refreshes();
    // It dies as far as Redis can tell: the row of the outbox is all that is left of its change.
    dying.redis?.disconnect();
    const writing = dying.write(90);
    await eventually('its commit', async () => (await lab.outside.query('SELECT score FROM grade'))[0].score === 90);
    const next = await lab.process({ durable: true });
    await eventually('a refresh', async () => (await refreshes()) > start && (await lab.average()) === 90);
    await eventually('the new report', async () => (await read(next)).average === 90);
    await writing;
    expect(await lab.average()).toBe(90);
  });

  it('RACE before the refresh: the next process refreshes', async () => {
    const dying = await lab.process({ view: { delay: '1h', maxDelay: '1h' } });
    const first = await lab.process();
    await settled(1);
    await first.close();
    await dying.write(90);
    expect(await lab.average()).toBe(10);
    await dying.close();
    const next = await lab.process();
    await eventually('a refresh', async () => (await lab.average()) === 90);
    await eventually('the new report', async () => (await read(next)).average === 90);
  });

  it('RACE between a refresh and telling of it: the next process tells', async () => {
    const one = await lab.process();
    await settled(1);
    expect(await read(one)).toMatchObject({ average: 10, label: 'MISS' });
    expect(await read(one)).toMatchObject({ average: 10, label: 'HIT' });
    // What a process leaves that dies behind its COMMIT.
    await lab.outside.query('UPDATE grade SET score = 60');
    await lab.outside.query('REFRESH MATERIALIZED VIEW class_stats');
    await lab.outside.query(`UPDATE report_cache_views SET told = false WHERE namespace = '${lab.namespace}'`);
    expect(await read(one)).toMatchObject({ average: 10, label: 'HIT' });
    await lab.process();
    await eventually('the new report', async () => (await read(one)).average === 60);
    expect((await lab.row())?.told).toBe(true);
  });

  it('in the middle of a refresh leaves the view and its time as they were', async () => {
    const one = await lab.process();
    await settled(1);
    const before = await lab.row();
    const held = await lab.holdRefreshes();
    await one.write(30);
    await held.arrived();
    await lab.outside.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'report_cache_views'::regclass`,
    );
    await eventually('that it is told', () => one.eventsOf('viewFailed').length > 0);
    expect(await lab.average()).toBe(10);
    await held.release();
    expect(one.eventsOf('viewFailed')).toMatchObject([{ view: 'class_stats', step: 'refresh', failures: 1 }]);
    expect(await lab.row()).toEqual(before);
    expect(await one.reports.health()).toMatchObject({
      state: 'degraded',
      reasons: ['views-failing'],
      views: [{ due: true, failures: 1, asOf: before?.as_of }],
    });
    // And is tried again.
    await eventually('a refresh', async () => (await lab.average()) === 30);
    await eventually('good health', async () => (await one.reports.health()).state === 'ready');
  });

  it('of Redis: all views are refreshed once, because nobody knows what was lost', async () => {
    const one = await lab.process();
    await settled(1);
    const start = await refreshes();
    await one.close();
    await one.redis?.quit().catch(() => undefined);
    const other = await lab.process();
    // Before the loss, which the other one may find by itself.
    await lab.outside.query('UPDATE grade SET score = 80');
    await other.redis?.del(`{${lab.namespace}}:t`);
    await lab.process();
    await eventually('a refresh', async () => (await refreshes()) > start);
    expect(await lab.average()).toBe(80);
  });
});

describe('close()', () => {
  it('breaks off what takes too long, and leaves the view as it was', async () => {
    const one = await lab.process();
    await settled(1);
    const before = await lab.row();
    const held = await lab.holdRefreshes();
    await one.write(30);
    await held.arrived();
    const { master: pool } = one.db.driver as unknown as { master: { totalCount: number; idleCount: number } };
    expect(pool.totalCount - pool.idleCount).toBe(1);
    await one.reports.close();
    expect(pool.totalCount - pool.idleCount).toBe(0);
    await held.release();
    expect(await lab.row()).toEqual(before);
    expect(one.eventsOf('viewFailed')).toEqual([]);
    await lab.process();
    await eventually('the refresh that is still due', async () => (await lab.average()) === 30);
  });

  it('and disconnect() end what is kept: reports that read it bypass the cache', async () => {
    const one = await lab.process();
    await settled(1);
    await one.reports.disconnect(one.db);
    expect(await read(one).catch(() => 'no relation')).toBe('no relation');
    expect((await one.reports.health()).views).toBeUndefined();
    await one.reports.connect(one.db, { durable: false });
    expect(await read(one)).toMatchObject({ average: 10, label: 'MISS' });
  });
});

describe('a failing refresh', () => {
  it('never makes old rows look new, is told of without their values, and is tried again', async () => {
    await lab.outside.query('DROP MATERIALIZED VIEW class_stats');
    await lab.outside.query(
      'CREATE MATERIALIZED VIEW class_stats AS SELECT "classId" AS class_id, max(100 / score) AS average FROM grade GROUP BY "classId"',
    );
    const one = await lab.process();
    await settled(1);
    const before = await read(one);
    await one.write(0);
    await eventually('two failures', () => one.eventsOf('viewFailed').length >= 2);
    const [first, second] = one.eventsOf('viewFailed');
    expect(first).toMatchObject({ error: expect.stringMatching(/^\w+ 22012$/), failures: 1, retryMs: 1000 });
    expect(second).toMatchObject({ failures: 2, retryMs: 2000 });
    expect(await read(one)).toEqual({ ...before, label: 'HIT' });
    expect(await lab.row()).toMatchObject({ refreshes: '1' });
    await one.write(50);
    await eventually('a refresh', async () => (await lab.average()) === 2);
    await eventually('the new report', async () => (await read(one)).average === 2);
  });
});

describe('without Redis', () => {
  it('one process keeps its views, and refreshes them when it begins', async () => {
    const one = await lab.process({ shared: false });
    await settled(1);
    expect(await read(one)).toMatchObject({ average: 10 });
    await one.write(30);
    await settled(2);
    expect(await read(one)).toMatchObject({ average: 30, label: 'MISS' });
    await one.close();
    const again = await lab.process({ shared: false });
    await settled(3);
    expect(await read(again)).toMatchObject({ average: 30 });
  });
});

describe('how it is refreshed', () => {
  it('plainly without a unique index, and where it was never populated', async () => {
    await lab.reset({ key: false });
    const one = await lab.process();
    await settled(1);
    expect(one.eventsOf('viewRefreshed')).toMatchObject([{ concurrently: false }]);
    await one.close();
    await lab.reset({ populated: false });
    const other = await lab.process();
    await settled(1);
    await other.write(30);
    await settled(2);
    expect(other.eventsOf('viewRefreshed')).toMatchObject([{ concurrently: false }, { concurrently: true }]);
  });

  it('not with an index over a part of the rows or over an expression', async () => {
    await lab.reset({ key: false });
    await lab.outside.query('CREATE UNIQUE INDEX ON class_stats (class_id) WHERE class_id > 0');
    await lab.outside.query('CREATE UNIQUE INDEX ON class_stats ((class_id + 1))');
    const one = await lab.process();
    await settled(1);
    expect(one.eventsOf('viewRefreshed')).toMatchObject([{ concurrently: false }]);
  });

  it('not longer than its time', async () => {
    await lab.outside.query('DROP MATERIALIZED VIEW class_stats');
    await lab.outside.query(
      'CREATE MATERIALIZED VIEW class_stats AS SELECT 1 AS class_id, 1 AS average, pg_sleep(5)::text WITH NO DATA',
    );
    const one = await lab.process({ view: { timeout: '50ms' } });
    await eventually('that it is told', () => one.eventsOf('viewFailed').length > 0);
    expect(one.eventsOf('viewFailed')[0]).toMatchObject({ error: expect.stringMatching(/57014$/) });
  });

  it('through getOrLoad and views of views, too', async () => {
    await lab.outside.query('DROP MATERIALIZED VIEW IF EXISTS best');
    await lab.outside.query('CREATE MATERIALIZED VIEW best AS SELECT max(average) AS best FROM class_stats');
    const one = await lab.process({ connect: false });
    const best = one.reports.view('best', { sources: [one.stats], delay: '1ms' });
    await one.reports.connect(one.db, { durable: false });
    const value = () =>
      one.reports.getOrLoad({ type: 'analytics', report: 'best', share: 'everyone', views: ['best'] }, async () => {
        const rows = (await one.db.query(`SELECT best FROM ${best.relation} AS b`)) as { best: number }[];
        return rows[0]?.best;
      });
    await one.write(30);
    await eventually('30', async () => (await value()) === 30);
    await one.write(44);
    await eventually('44', async () => (await value()) === 44);
    expect(await best.asOf()).toBeInstanceOf(Date);
    await one.close();
    await lab.outside.query('DROP MATERIALIZED VIEW best');
  });
});

describe('where it is', () => {
  const average = (one: Process, view: View, name: string) =>
    one.reports.getOrLoad({ type: 'analytics', report: name, share: 'everyone', views: [name] }, async () => {
      const rows = (await one.db.query(`SELECT average FROM ${view.relation} AS s`)) as { average: number }[];
      return rows[0]?.average;
    });

  it('may be found after connect(), when it is declared only then', async () => {
    await lab.outside.query(`CREATE MATERIALIZED VIEW later AS SELECT average FROM class_stats`);
    const one = await lab.process();
    const later = one.reports.view('later', { sources: [one.stats], delay: '1ms' });
    await eventually('a report', async () => (await average(one, later, 'later').catch(() => undefined)) === 10);
    await one.write(30);
    await eventually('a new one', async () => (await average(one, later, 'later')) === 30);
    expect((await one.reports.health()).views).toMatchObject([{ name: 'class_stats' }, { name: 'later' }]);
    await one.close();
    await lab.outside.query('DROP MATERIALIZED VIEW later');
  });

  it('may be an ordinary view: its sources invalidate what reads it, at once', async () => {
    await lab.outside.query('CREATE OR REPLACE VIEW plain_stats AS SELECT max(score) AS average FROM grade');
    const one = await lab.process({ connect: false });
    const plain = one.reports.view('plain_stats', { sources: [Grade] });
    await one.reports.connect(one.db, { durable: false });
    expect(await average(one, plain, 'plain_stats')).toBe(10);
    await one.write(30);
    expect(await average(one, plain, 'plain_stats')).toBe(30);
    expect(await plain.asOf()).toBeUndefined();
    await lab.outside.query('DROP VIEW plain_stats');
  });

  it('is said where it is nowhere: what reads it is not cached, nor is a report around that', async () => {
    const one = await lab.process({ connect: false });
    one.reports.view('nowhere', { sources: [Grade] });
    const other = one.reports.view('instead', { sources: [Grade], query: 'SELECT max(score) AS average FROM grade' });
    await one.reports.connect(one.db, { durable: false });
    expect(one.eventsOf('advice')).toContainEqual(expect.objectContaining({ code: 'view-absent' }));
    let computed = 0;
    const around = () =>
      one.reports.getOrLoad({ type: 'custom', report: 'around', share: 'everyone' }, () =>
        one.reports.getOrLoad(
          { type: 'analytics', report: 'n', share: 'everyone', views: ['nowhere'] },
          () => ++computed,
        ),
      );
    expect([await around(), await around()]).toEqual([1, 2]);
    expect(one.eventsOf('stored')).toEqual([]);
    // On PostgreSQL, too, a query stands in for a view that is not there.
    expect(await average(one, other, 'instead')).toBe(10);
    await one.write(30);
    expect(await average(one, other, 'instead')).toBe(30);
  });
});

describe('what cannot be', () => {
  it('is refused: a view that nobody declared, one declared twice, wrong options', async () => {
    const one = await lab.process({ connect: false });
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(() => one.reports.cache('analytics', { views: ['nonsense'] })).toThrow(code('ERC_VIEW'));
    expect(() => one.reports.view('class_stats', { sources: [Grade] })).toThrow(code('ERC_VIEW'));
    expect(() => one.reports.view('a b', { sources: [Grade] })).toThrow(code('ERC_OPTION'));
    expect(() => one.reports.view('v1', { sources: [] })).toThrow(code('ERC_OPTION'));
    expect(() => one.reports.view('v2', { sources: [Grade], delay: '5s', maxDelay: '1s' })).toThrow(code('ERC_OPTION'));
    expect(() => one.reports.view('v3', { sources: [Grade], timeout: '0s' })).toThrow(code('ERC_OPTION'));
    expect(() => one.reports.view('v4', { sources: [Grade], often: true } as never)).toThrow(code('ERC_OPTION'));
  });

  it('is said by connect(): the table of the migration is missing', async () => {
    await lab.outside.query('ALTER TABLE report_cache_views RENAME TO hidden');
    const one = await lab.process({ connect: false });
    await expect(one.reports.connect(one.db, { durable: false })).rejects.toMatchObject({ code: 'ERC_VIEW' });
    await lab.outside.query('ALTER TABLE hidden RENAME TO report_cache_views');
  });
});
