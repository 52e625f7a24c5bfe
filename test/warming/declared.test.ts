// A report that a loader makes, for its readers: keyed by what it is made of, and made anew behind their backs.
import { describe, expect, it } from '@jest/globals';
import { createReportCache } from '../../src/index.js';
import { gate } from '../support/gate.js';
import { start } from './scene.js';

describe('a declared report', () => {
  it('is sent as JSON, and from the cache to who asks again', async () => {
    const { ask, loads } = await start();
    const first = await ask('/students/5?term=a');
    expect(first).toMatchObject({ status: 200, headers: { 'x-cache': 'MISS' } });
    expect(first.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(JSON.parse(first.text)).toEqual({ of: '5', as: { user: '7' }, with: { term: 'a', page: 1 }, n: 1 });
    const second = await ask('/students/5?page=1&term=a');
    expect(second).toMatchObject({
      status: 200,
      text: first.text,
      headers: { 'x-cache': 'HIT', etag: first.headers.etag },
    });
    expect(loads).toHaveLength(1);
  });

  it('is another for each reader, filter and report', async () => {
    const { ask, loads } = await start();
    await ask('/students/5', '7');
    await ask('/students/5', '8');
    await ask('/students/5', '7 school');
    await ask('/students/5?term=a');
    await ask('/students/6');
    expect(loads).toHaveLength(5);
  });

  it('takes no notice of what is not declared', async () => {
    const { ask, loads } = await start();
    await ask('/students/5?utm=1');
    expect(await ask('/students/5?utm=2', '7', { 'accept-language': 'de' })).toMatchObject({
      headers: { 'x-cache': 'HIT' },
    });
    expect(loads).toHaveLength(1);
  });

  it('varies by nothing that a middleware in front may say', async () => {
    const { ask, loads } = await start({
      front: [
        (_req, res, next) => {
          res.vary('Accept-Language');
          next();
        },
      ],
    });
    await ask('/students/5', '7', { 'accept-language': 'en' });
    const told = await ask('/students/5', '7', { 'accept-language': 'de' });
    expect(told.headers).toMatchObject({ 'x-cache': 'HIT', vary: expect.stringContaining('Accept-Language') });
    expect(loads).toHaveLength(1);
  });

  it('is nobody’s without an identity: 401, and nothing runs', async () => {
    const { ask, loads } = await start();
    expect(await ask('/students/5', '')).toMatchObject({ status: 401 });
    expect(loads).toEqual([]);
  });

  it('refuses a filter that does not fit', async () => {
    const { ask, loads } = await start();
    expect(await ask('/students/5?page=x')).toMatchObject({ status: 400 });
    expect(loads).toEqual([]);
  });

  it('gives the error of its loader to Express, and keeps nothing', async () => {
    let fails = true;
    const { ask } = await start({
      report: {
        load: () => {
          if (fails) throw new Error('no database');
          return { ok: true };
        },
      },
    });
    expect(await ask('/students/5')).toMatchObject({ status: 500, text: '{"error":"no database"}' });
    fails = false;
    expect(await ask('/students/5')).toMatchObject({ status: 200, headers: { 'x-cache': 'MISS' } });
  });

  it('goes with its tags, those of the loader included', async () => {
    const { ask, reports, loads } = await start({
      report: {
        load: ({ report }, run) => {
          run.addTags([`class:${report}`]);
          return { report };
        },
      },
    });
    for (const tags of ['student:5', 'class:5', 'report:5', 'viewer:7', 'type:student_progress']) {
      await ask('/students/5');
      const before = loads.length;
      await reports.invalidate(tags);
      await ask('/students/5');
      expect([tags, loads.length - before]).toEqual([tags, 1]);
    }
  });

  it('shows a loader nothing of the reader where readers share it', async () => {
    const { ask, loads } = await start({ report: { share: 'tenant' } });
    await ask('/students/5', '7 school');
    expect(await ask('/students/5', '8 school')).toMatchObject({ headers: { 'x-cache': 'HIT' } });
    expect(loads.map(({ identity }) => identity)).toEqual([{ tenant: 'school' }]);
  });

  it('leaves other methods to those behind', async () => {
    const { ask, loads } = await start();
    expect(await ask('/students/5', '7', {}, 'POST')).toMatchObject({ status: 404 });
    expect(await ask('/students/5', '7', {}, 'HEAD')).toMatchObject({ status: 200, text: '' });
    expect(loads).toHaveLength(1);
  });

  it('is loaded for who forbids to store it, too', async () => {
    const { ask } = await start();
    const told = await ask('/students/5', '7', { 'cache-control': 'no-store' });
    expect(told).toMatchObject({ status: 200, headers: { 'x-cache': 'BYPASS' } });
  });

  it('in its grace is served at once, and loaded in the background', async () => {
    const held = gate();
    let runs = 0;
    const { ask, clock } = await start({
      report: {
        grace: '1h',
        load: async () => {
          runs += 1;
          if (runs > 1) await held.opened;
          return { runs };
        },
      },
    });
    await ask('/students/5');
    clock.advance(301_000);
    expect(await ask('/students/5')).toMatchObject({ text: '{"runs":1}', headers: { 'x-cache': 'STALE' } });
    expect(runs).toBe(2);
    held.open();
    // Everybody is served the old one until the new one is there.
    let told = await ask('/students/5');
    while (told.text === '{"runs":1}') told = await ask('/students/5');
    expect(told).toMatchObject({ text: '{"runs":2}', headers: { 'x-cache': 'HIT' } });
  });

  it('that fails in the background is told of by the class of its error', async () => {
    let runs = 0;
    const { ask, clock, of } = await start({
      report: {
        grace: '1h',
        load: () => {
          runs += 1;
          if (runs > 1) throw new RangeError('secret of student 5');
          return { runs };
        },
      },
    });
    await ask('/students/5');
    clock.advance(301_000);
    await ask('/students/5');
    while (of('refreshFailed').length === 0) await ask('/students/5');
    expect(of('refreshFailed')[0]).toMatchObject({ error: 'RangeError' });
    expect(JSON.stringify(of('refreshFailed'))).not.toContain('secret');
  });

  it.each([
    [{}, /load/],
    [{ load: () => 1, tags: 'x' }, /tags/],
    [{ load: () => 1, name: 'a b' }, /name/],
    [{ load: () => 1, warm: { everybody: () => [] } }, /everybody/],
    [{ load: () => 1, warm: { all: [] } }, /all/],
    [{ load: () => 1, views: ['v'] }, /views/],
    [{ load: () => 1, statuses: [404] }, /statuses/],
  ])('refuses %j', async (options, message) => {
    const reports = createReportCache({ identify: () => null });
    expect(() => reports.report('analytics', options as never)).toThrow(message);
    await reports.close();
  });

  it('refuses a name that is taken, and takes another', async () => {
    const reports = createReportCache({ identify: () => null });
    reports.report('analytics', { load: () => 1 });
    expect(() => reports.report('analytics', { load: () => 1 })).toThrow(/already/);
    expect(reports.report('analytics', { name: 'other', load: () => 1 }).name).toBe('other');
    await reports.close();
  });
});
