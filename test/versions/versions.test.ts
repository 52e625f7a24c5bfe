// Versioned results on each database: generated once, chosen by votes, pinned, rolled back, removed; and never an old one served.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { gate } from '../support/gate.js';
import { KINDS, Lab, type Lesson } from './lab.js';

const subject = { report: 'fractions', filters: { number: 3, style: 'visual' } };

describe.each(KINDS)('versions on %s', (kind) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(kind);
  });
  afterEach(() => lab.end());
  afterAll(() => lab.close());

  it('get generates the first one, and then finds it: in memory, and in the database where memory is empty', async () => {
    const { lessons, made, reports, of } = await lab.start();
    expect(await lessons.get(subject)).toMatchObject({
      value: { title: 'version 1', steps: ['first'] },
      version: 1,
      cached: false,
      source: 'loader',
      cost: { inputTokens: 900, outputTokens: 600 },
    });
    expect(await lessons.get(subject)).toMatchObject({ version: 1, cached: true, source: 'memory' });
    reports.evict();
    expect(await lessons.get({ ...subject, filters: { style: 'visual', number: 3 } })).toMatchObject({
      value: { title: 'version 1' },
      cached: true,
      source: 'database',
      cost: { inputTokens: 900 },
    });
    expect(made).toEqual([1]);
    // One run and one miss, the look-ups that found nothing or something beside.
    expect(of('ran')).toHaveLength(1);
    expect(of('miss')).toHaveLength(1);
    expect(of('hit').map(({ layer }) => layer)).toEqual(['memory', 'database']);
  });

  it('a version outlives its process', async () => {
    const first = await lab.start();
    const { createdAt } = await first.lessons.get(subject);
    await first.close();
    const second = await lab.start();
    expect(await second.lessons.get(subject)).toMatchObject({
      version: 1,
      cached: true,
      source: 'database',
      createdAt,
    });
    expect(second.made).toEqual([]);
  });

  it('all subjects are listed page by page, each once, with what is pinned', async () => {
    const { lessons } = await lab.start();
    for (let number = 1; number <= 5; number += 1)
      await lessons.get({ ...subject, filters: { number, style: 'visual' } });
    await lessons.get({ ...subject, tenant: 'north' });
    await lessons.pin({ ...subject, tenant: 'north' }, 1);
    const found = [];
    let after: string | undefined;
    do {
      const page = await lessons.subjects({ limit: 2, ...(after !== undefined && { after }) });
      found.push(...page.subjects);
      after = page.next;
    } while (after !== undefined);
    const plain = { report: 'fractions', latest: 1 };
    expect(found).toHaveLength(6);
    for (let number = 1; number <= 5; number += 1)
      expect(found).toContainEqual({ ...plain, filters: `{"number":${number},"style":"visual"}` });
    expect(found).toContainEqual({ ...plain, filters: '{"number":3,"style":"visual"}', tenant: 'north', pinned: 1 });
    await expect(lessons.subjects({ limit: 0 })).rejects.toThrow('ERC_OPTION');
  });

  it('different subjects, and different tenants, have different versions', async () => {
    const { lessons, made } = await lab.start();
    await lessons.get(subject);
    await lessons.get({ ...subject, filters: { number: 4, style: 'visual' } });
    await lessons.get({ ...subject, tenant: 1 });
    await lessons.get({ ...subject, tenant: 2 });
    await lessons.get({ ...subject, tenant: '2' });
    expect(made).toEqual([1, 1, 1, 1]);
    expect(await lab.count('subject')).toBe(4);
  });

  it('those who come together cause one generation, and so do those who regenerate together', async () => {
    let go = gate();
    const { lessons, made } = await lab.start({
      versions: {
        generate: async (_subject, { version }) => {
          made.push(version);
          await go.opened;
          return { title: `version ${version}`, steps: [] };
        },
      },
    });
    const readers = Array.from({ length: 10 }, () => lessons.get(subject));
    go.open();
    expect(new Set((await Promise.all(readers)).map(({ version }) => version))).toEqual(new Set([1]));
    go = gate();
    // Each looks which is the newest; the one that generates looks again.
    const looked = lab.answers('SELECT s.latest', 6);
    const regenerations = Array.from({ length: 5 }, () => lessons.regenerate(subject, { reason: 'too hard' }));
    await looked;
    go.open();
    const anew = await Promise.all(regenerations);
    expect(anew.map(({ version }) => version)).toEqual([2, 2, 2, 2, 2]);
    // One has it made, the others are told that it was not made for them.
    expect(anew.filter(({ joined }) => joined)).toHaveLength(4);
    expect(made).toEqual([1, 2]);
  });

  it('a generation that fails is told to who has asked, saves nothing, and is tried again', async () => {
    let fails = true;
    const { lessons } = await lab.start({
      versions: {
        restAfterError: '0s',
        generate: () => {
          if (fails) throw new Error('the model is away');
          return { title: 'made', steps: [] };
        },
      },
    });
    await expect(lessons.get(subject)).rejects.toThrow('the model is away');
    expect(await lessons.list(subject)).toEqual([]);
    expect(await lab.count('version')).toBe(0);
    fails = false;
    expect(await lessons.get(subject)).toMatchObject({ version: 1, value: { title: 'made' } });
    fails = true;
    await expect(lessons.regenerate(subject)).rejects.toThrow('the model is away');
    expect(await lessons.list(subject)).toHaveLength(1);
  });

  it('one that fails is not tried again by each of those who waited, nor by who comes in the next moment', async () => {
    let runs = 0;
    const { lessons } = await lab.start({
      versions: {
        generate: async () => {
          runs += 1;
          throw new Error('the model is away');
        },
      },
    });
    const told = await Promise.allSettled(Array.from({ length: 10 }, () => lessons.get(subject)));
    expect(told.filter(({ status }) => status === 'rejected')).toHaveLength(10);
    await expect(lessons.get(subject)).rejects.toThrow('the model is away');
    expect(runs).toBe(1);
  });

  it('what JSON would change is refused, and nothing is saved', async () => {
    const { lessons } = await lab.start({ versions: { generate: () => ({ title: 'x', at: new Date() }) as never } });
    await expect(lessons.get(subject)).rejects.toMatchObject({ code: 'ERC_VALUE' });
    expect(await lab.count('version')).toBe(0);
  });

  it('regenerate makes another version, with its reason; the best one is served, and all are listed', async () => {
    const { lessons } = await lab.start();
    await lessons.get(subject);
    expect(await lessons.regenerate(subject, { reason: 'too hard', by: 7 })).toMatchObject({
      value: { title: 'version 2', steps: ['too hard'] },
      version: 2,
      cached: false,
      reason: 'too hard',
    });
    // Nobody has voted: the newest.
    expect(await lessons.get(subject)).toMatchObject({ version: 2, cached: true, reason: 'too hard' });
    expect(await lessons.vote(subject, 1, 'ada', 'up')).toEqual({ up: 1, down: 0, approved: false });
    expect(await lessons.get(subject)).toMatchObject({ value: { title: 'version 1' }, version: 1 });
    expect(await lessons.list(subject)).toMatchObject([
      { version: 2, reason: 'too hard', by: '7', up: 0, down: 0, served: false, pinned: false, views: 1 },
      { version: 1, up: 1, down: 0, served: true, views: 2, cost: { outputTokens: 600 } },
    ]);
    expect(await lessons.read(subject, 2)).toMatchObject({ value: { title: 'version 2' }, source: 'database' });
  });

  it('one vote for each voter, which he may change or take back; ten more up than down, four in five, approve', async () => {
    const { lessons } = await lab.start();
    await lessons.get(subject);
    await lessons.regenerate(subject);
    await lessons.vote(subject, 1, 1, 'up');
    await lessons.vote(subject, 1, '1', 'up');
    expect(await lessons.vote(subject, 1, 1, 'down')).toEqual({ up: 0, down: 1, approved: false });
    expect(await lessons.vote(subject, 1, 1, undefined)).toEqual({ up: 0, down: 0, approved: false });
    for (let voter = 1; voter <= 9; voter += 1) await lessons.vote(subject, 1, voter, 'up');
    expect(await lessons.vote(subject, 1, 10, 'up')).toEqual({ up: 10, down: 0, approved: true });
    for (let voter = 1; voter <= 40; voter += 1) await lessons.vote(subject, 2, voter, voter <= 29 ? 'up' : 'down');
    // 29 to 11: more votes, but no approval.
    expect(await lessons.get(subject)).toMatchObject({ version: 1 });
    expect(await lab.count('vote')).toBe(50);
  });

  it('votes and views leave the bodies alone', async () => {
    const { lessons } = await lab.start();
    await lessons.get(subject);
    const bodies = () => lab.source.query(`SELECT * FROM ${lab.table('version')}`);
    const before = await bodies();
    await lessons.vote(subject, 1, 'ada', 'up');
    await lessons.get(subject);
    expect(await lessons.list(subject)).toMatchObject([{ views: 2, lastViewedAt: expect.any(Date) }]);
    expect(await bodies()).toEqual(before);
  });

  it('a pin serves any version, rollback the one before; unpin leaves it to the votes again', async () => {
    const { lessons } = await lab.start();
    await lessons.get(subject);
    await lessons.regenerate(subject);
    await lessons.regenerate(subject);
    await lessons.pin(subject, 2);
    expect(await lessons.get(subject)).toMatchObject({ version: 2 });
    expect(await lessons.rollback(subject)).toBe(1);
    expect(await lessons.get(subject)).toMatchObject({ version: 1 });
    await expect(lessons.rollback(subject)).rejects.toMatchObject({ code: 'ERC_VERSION', status: 409 });
    expect(await lessons.get(subject)).toMatchObject({ version: 1 });
    await lessons.unpin(subject);
    expect(await lessons.get(subject)).toMatchObject({ version: 3 });
    await expect(lessons.pin(subject, 4)).rejects.toMatchObject({ code: 'ERC_VERSION', status: 404 });
  });

  it('a version that is removed is not served, and its number is not given again', async () => {
    const { lessons, made } = await lab.start();
    await lessons.get(subject);
    await lessons.regenerate(subject);
    await lessons.pin(subject, 2);
    await lessons.vote(subject, 2, 'ada', 'up');
    await lessons.remove(subject, 2);
    expect(await lessons.get(subject)).toMatchObject({ version: 1 });
    expect(await lab.count('vote')).toBe(0);
    expect(await lessons.regenerate(subject)).toMatchObject({ version: 3 });
    expect((await lessons.list(subject)).map(({ version, pinned }) => [version, pinned])).toEqual([
      [3, false],
      [1, false],
    ]);
    await lessons.remove(subject);
    for (const table of ['subject', 'version', 'tally', 'vote']) expect(await lab.count(table)).toBe(0);
    expect(await lessons.get(subject)).toMatchObject({ version: 1, cached: false });
    expect(made).toEqual([1, 2, 3, 1]);
  });

  it('no more versions than allowed', async () => {
    const { lessons } = await lab.start({ versions: { maxVersions: 2 } });
    await lessons.get(subject);
    await lessons.regenerate(subject);
    await expect(lessons.regenerate(subject)).rejects.toMatchObject({ code: 'ERC_VERSION', status: 409 });
    await lessons.remove(subject, 1);
    expect(await lessons.regenerate(subject)).toMatchObject({ version: 3 });
  });

  it('bad input changes nothing', async () => {
    const { lessons } = await lab.start();
    await lessons.get(subject);
    const refused = [
      () => lessons.vote(subject, 9, 'ada', 'up'),
      () => lessons.vote(subject, 1, '', 'up'),
      () => lessons.vote(subject, 1, 'a'.repeat(191), 'up'),
      () => lessons.vote(subject, 1, 'ada', 'maybe' as never),
      () => lessons.regenerate(subject, { reason: 'x'.repeat(1001) }),
      () => lessons.get({ report: '' }),
      () => lessons.get({ report: 'x'.repeat(501) }),
      () => lessons.get({ report: 'x', filters: { text: 'x'.repeat(4000) } }),
      () => lessons.get({ report: 'x', filters: { of: () => 1 } }),
      () => lessons.read(subject, 2),
      () => lessons.remove({ report: 'unknown' }, 1),
      () => lessons.pin({ report: 'unknown' }, 1),
    ];
    for (const one of refused) await expect(one()).rejects.toMatchObject({ code: expect.stringMatching(/^ERC_/) });
    await lessons.remove({ report: 'unknown' });
    await lessons.unpin({ report: 'unknown' });
    expect(await lab.count('subject')).toBe(1);
    expect(await lab.count('vote')).toBe(0);
  });

  it('the application may select for itself', async () => {
    const { lessons } = await lab.start({
      versions: { select: (versions) => Math.min(...versions.map(({ version }) => version)) },
    });
    await lessons.get(subject);
    await lessons.regenerate(subject);
    expect(await lessons.get(subject)).toMatchObject({ version: 1 });
  });
});

describe('between processes', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open('postgres');
  });
  afterEach(() => lab.end());
  afterAll(() => lab.close());

  it('two first readers in two processes cause one generation', async () => {
    const [entered, go] = [gate(), gate()];
    let runs = 0;
    const generate = async (): Promise<Lesson> => {
      runs += 1;
      entered.open();
      await go.opened;
      return { title: 'one', steps: [] };
    };
    const [one, other] = [
      await lab.start({ redis: true, versions: { generate } }),
      await lab.start({ redis: true, versions: { generate } }),
    ];
    const reading = [one.lessons.get(subject)];
    await entered.opened;
    reading.push(other.lessons.get(subject));
    go.open();
    expect((await Promise.all(reading)).map(({ version }) => version)).toEqual([1, 1]);
    expect(runs).toBe(1);
  });

  it('without Redis, where nobody knows of the other, the first that is saved counts for both', async () => {
    const [mine, his] = [gate(), gate()];
    const start = (go: typeof mine, title: string) =>
      lab.start({
        cache: { alone: true },
        versions: { generate: async () => (await go.opened, { title, steps: [] }) },
      });
    const [one, other] = [await start(mine, 'mine'), await start(his, 'his')];
    const [first, second] = [one.lessons.get(subject), other.lessons.get(subject)];
    mine.open();
    expect(await first).toMatchObject({ value: { title: 'mine' }, version: 1 });
    his.open();
    expect(await second).toMatchObject({ value: { title: 'mine' }, version: 1 });
    expect(await lab.count('version')).toBe(1);
  });

  it('who has made his wish before another one was fulfilled gets that one, and generates nothing', async () => {
    const [one, other] = [await lab.start({ redis: true }), await lab.start({ redis: true })];
    await one.lessons.get(subject);
    const looked = lab.holds('SELECT s.latest');
    const late = other.lessons.regenerate(subject);
    await looked.arrived;
    await one.lessons.regenerate(subject);
    await one.reports.clear();
    looked.release();
    expect(await late).toMatchObject({ version: 2 });
    expect(other.made).toEqual([]);
  });

  it('a change of what is served reaches every process before it resolves', async () => {
    const [one, other] = [await lab.start({ redis: true }), await lab.start({ redis: true })];
    await one.lessons.get(subject);
    expect(await other.lessons.get(subject)).toMatchObject({ version: 1, cached: true });
    await one.lessons.regenerate(subject);
    expect(await other.lessons.get(subject)).toMatchObject({ version: 2 });
    await other.lessons.vote(subject, 1, 'ada', 'up');
    expect(await one.lessons.get(subject)).toMatchObject({ version: 1 });
    await one.lessons.pin(subject, 2);
    expect(await other.lessons.get(subject)).toMatchObject({ version: 2 });
  });

  it('a long generation is waited for, however short others are waited for', async () => {
    const [entered, go] = [gate(), gate()];
    let runs = 0;
    const generate = async (): Promise<Lesson> => {
      runs += 1;
      entered.open();
      await go.opened;
      return { title: 'one', steps: [] };
    };
    const cache = { wait: '1ms' } as const;
    const [one, other] = [
      await lab.start({ redis: true, cache, versions: { generate } }),
      await lab.start({ redis: true, cache, versions: { generate } }),
    ];
    const first = one.lessons.get(subject);
    await entered.opened;
    const second = other.lessons.get(subject);
    // An ordinary value is computed by whoever has waited that long.
    const [slow, began] = [gate(), gate()];
    const value = { type: 'custom', report: 'r', share: 'everyone' } as const;
    const leader = one.reports.getOrLoad(value, async () => (began.open(), await slow.opened, 'slow'));
    await began.opened;
    expect(await other.reports.getOrLoad(value, () => 'quick')).toBe('quick');
    slow.open();
    await leader;
    go.open();
    expect((await Promise.all([first, second])).map(({ version }) => version)).toEqual([1, 1]);
    expect(runs).toBe(1);
  });

  it('a vote that changes nothing of what is served invalidates nothing', async () => {
    const { lessons, of } = await lab.start({ redis: true });
    await lessons.get(subject);
    await lessons.get(subject);
    const before = of('invalidate').length;
    await lessons.vote(subject, 1, 'ada', 'up');
    await lessons.vote(subject, 1, 'ben', 'down');
    expect(of('invalidate')).toHaveLength(before);
    expect(await lessons.get(subject)).toMatchObject({ cached: true, source: 'memory' });
  });
});

describe('costs and limits', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open('postgres');
  });
  afterEach(() => lab.end());
  afterAll(() => lab.close());

  it('a generation is spent once; what is found is avoided; what exists is served when nothing may be spent any more', async () => {
    const { lessons, reports } = await lab.start({
      cache: { costs: { limits: { lesson: { total: { tokens: 1500 } } } } },
    });
    await lessons.get(subject);
    await lessons.get(subject);
    reports.evict();
    expect(await lessons.get(subject)).toMatchObject({ cached: true, source: 'database' });
    await expect(lessons.regenerate(subject)).rejects.toMatchObject({ code: 'ERC_SPEND', status: 429 });
    await expect(lessons.get({ report: 'another' })).rejects.toMatchObject({ code: 'ERC_SPEND' });
    expect(await lessons.get(subject)).toMatchObject({ cached: true });
    expect(await reports.costs()).toMatchObject([
      {
        type: 'lesson',
        spent: { runs: 1, inputTokens: 900, outputTokens: 600 },
        avoided: { memory: { times: 2, inputTokens: 1800 }, database: { times: 1, inputTokens: 900 } },
      },
    ]);
  });
});

it('without its tables nothing is generated, and the error says what to do', async () => {
  const lab = await Lab.open('postgres', false);
  try {
    const { lessons, made } = await lab.start();
    await expect(lessons.get(subject)).rejects.toThrow('versionMigrations');
    expect(made).toEqual([]);
  } finally {
    await lab.close();
  }
});
