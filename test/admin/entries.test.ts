// GET /entries and GET /entries/{key}: thousands paged in every order, found by every filter, shown only while valid.
import { afterEach, describe, expect, it } from '@jest/globals';
import { listEntries } from '../../src/admin/list-entries.js';
import { parseEntryQuery } from '../../src/admin/entry-query.js';
import type { EntrySource, IndexedEntry } from '../../src/contract/look.js';
import { tag, type ReportCache } from '../../src/index.js';
import { expresses } from '../support/expresses.js';
import { Scenes } from './look-scene.js';

const scenes = new Scenes();
afterEach(() => scenes.close());

const SORTS = ['ends', 'bytes', 'cost', 'key'] as const;
const MEMBER = { ends: 'ends_at', bytes: 'bytes', cost: 'compute_ms', key: 'key' } as const;

const alphabetical = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

interface Shown {
  readonly key: string;
  readonly [member: string]: unknown;
}

/** @param many values of different sizes, of twenty users */
async function fill(reports: ReportCache, many: number): Promise<void> {
  for (let from = 0; from < many; from += 500)
    await Promise.all(
      Array.from({ length: Math.min(500, many - from) }, (_, at) => {
        const report = from + at;
        const request = { type: 'custom', report, identity: { user: report % 20 }, tags: [tag('student', report % 7)] };
        return reports.getOrLoad(request, () => 'x'.repeat((report * 7919) % 1000));
      }),
    );
}

describe.each([
  ['with Redis', true],
  ['without Redis', false],
])('%s', (_name, redis) => {
  it('three thousand entries are paged by each sort, in both orders, each once', async () => {
    const { reports, get, counted } = await scenes.start({ redis });
    await fill(reports, 3000);
    if (redis) await counted(3000);
    for (const sort of SORTS) {
      for (const order of ['asc', 'desc']) {
        const found: Shown[] = [];
        let after = '';
        do {
          const { status, json } = await get(
            `/entries?sort=${sort}&order=${order}&limit=500${after && `&after=${after}`}`,
          );
          expect([status, json['complete'], json['total']]).toEqual([200, true, 3000]);
          found.push(...json['entries']);
          after = json['next'] ?? '';
        } while (after !== '');
        expect(new Set(found.map(({ key }) => key)).size).toBe(3000);
        expect(found).toHaveLength(3000);
        const values = found.map((one) => one[MEMBER[sort]] as string | number);
        const sign = order === 'asc' ? 1 : -1;
        expect(values).toEqual(values.toSorted((a, b) => sign * (a < b ? -1 : a > b ? 1 : 0)));
      }
    }
  });

  it('they are found by part of the key or report, by type, user and tag', async () => {
    const { reports, get, counted } = await scenes.start({ redis });
    await fill(reports, 60);
    await reports.getOrLoad(
      { type: 'analytics', report: 'Übersicht', identity: { user: 'ann', tenant: 'north' } },
      () => 1,
    );
    if (redis) await counted(61);
    const reportsOf = async (query: string) => {
      const { json } = await get(`/entries?${query}`);
      return [json['total'], (json['entries'] as Shown[]).map(({ report }) => String(report)).toSorted(alphabetical)];
    };
    expect(await reportsOf('search=report:59:')).toEqual([1, ['59']]);
    expect(await reportsOf(`search=${encodeURIComponent('übersicht')}`)).toEqual([1, ['Übersicht']]);
    expect(await reportsOf('type=analytics')).toEqual([1, ['Übersicht']]);
    expect(await reportsOf('user=3')).toEqual([3, ['23', '3', '43']]);
    expect(await reportsOf('user=ann&type=custom')).toEqual([0, []]);
    expect(await reportsOf('tag=student:5&user=5')).toEqual([1, ['5']]);
    expect(await reportsOf('tag=tenant:north&sort=bytes')).toEqual([1, ['Übersicht']]);
    expect((await get('/entries?type=analytics')).json['entries']).toMatchObject([
      {
        key: expect.stringMatching(/^report:/),
        type: 'analytics',
        owner: 'ann!north!',
        bytes: expect.any(Number),
        compute_ms: expect.any(Number),
        ends_at: expect.stringMatching(/^\d{4}-/),
        tags: expect.arrayContaining(['type:analytics', 'viewer:ann', 'tenant:north']),
        in_memory: true,
      },
    ]);
    await reports.invalidate(tag('student', 5));
    expect(await reportsOf('tag=student:5&user=5')).toEqual([redis ? 1 : 0, []]);
  });

  it('what was invalidated is not shown, and what is behind it is', async () => {
    const { reports, get, counted } = await scenes.start({ redis });
    await fill(reports, 1400);
    if (redis) await counted(1400);
    await reports.clear();
    await fill(reports, 3);
    // Three of them stand in the place of old ones.
    for (const sort of SORTS) {
      const { json } = await get(`/entries?sort=${sort}&limit=50`);
      expect((json['entries'] as Shown[]).map(({ report }) => String(report)).toSorted(alphabetical)).toEqual([
        '0',
        '1',
        '2',
      ]);
      expect(json['next']).toBeUndefined();
    }
  });

  it('one entry: where it is, as of when, with which tags, and no body', async () => {
    const { reports, get, keyOf } = await scenes.start({ redis });
    await reports.getOrLoad(
      { type: 'custom', report: 'a b', identity: { user: 7 }, tags: ['student:5'] },
      () => 'secret',
    );
    const { key } = keyOf('custom');
    const path = `/entries/${encodeURIComponent(key)}`;
    const { status, json, text } = await get(path);
    expect([status, text.includes('secret')]).toEqual([200, false]);
    expect(json).toMatchObject({
      key,
      type: 'custom',
      owner: '7',
      verdict: 'hit',
      layers: [{ layer: 'memory' }, ...(redis ? [{ layer: 'redis' }] : [])],
      as_of: expect.any(Number),
      compute_ms: expect.any(Number),
      header_names: [],
    });
    expect(json['layers'][0].bytes).toBe(json['layers'].at(-1).bytes);
    expect(json['tags']).toContainEqual({ tag: 'student:5', invalidated_at_seq: null });
    await reports.invalidate('student:5');
    expect((await get(path)).json).toMatchObject({ verdict: 'miss', reason: 'invalidated' });
    expect((await get(path)).json['tags']).toContainEqual({ tag: 'student:5', invalidated_at_seq: 1 + json['as_of'] });
    for (const none of ['report:none:7:x', 'nothing', '%20', '*'])
      expect((await get(`/entries/${encodeURIComponent(none)}`)).status).toBe(404);
  });

  it.each(['sort=name', 'order=up', 'limit=0', 'limit=501', 'limit=x', 'after=x', 'search=', 'colour=red'])(
    '%s is a bad request',
    async (query) => {
      const { get } = await scenes.start({ redis });
      expect(await get(`/entries?${query}`)).toMatchObject({ status: 400, json: { code: 'bad-request' } });
    },
  );
});

it('a place to go on at belongs to its order', async () => {
  const { reports, get, counted } = await scenes.start();
  await fill(reports, 3);
  await counted(3);
  const { next } = (await get('/entries?limit=1')).json;
  expect((await get(`/entries?limit=1&after=${next}`)).status).toBe(200);
  expect((await get(`/entries?limit=1&sort=bytes&after=${next}`)).status).toBe(400);
  expect((await get(`/entries?limit=1&order=desc&after=${next}`)).status).toBe(400);
});

it('looking at entries is no use of them, no hit and no miss', async () => {
  const { reports, get, post, counted, events, keyOf } = await scenes.start({ express: expresses[1]![1] });
  await fill(reports, 3);
  await counted(3);
  const { key } = keyOf('custom');
  const before = events.length;
  await get('/entries');
  await get(`/entries/${encodeURIComponent(key)}`);
  await post('/explain', { key });
  expect(events.slice(before).map(({ kind }) => kind)).toEqual([]);
});

it('where Redis does not answer these are the entries of this process, and that is said', async () => {
  const { reports, get, counted, redis } = await scenes.start();
  await fill(reports, 3);
  await counted(3);
  const { next } = (await get('/entries?limit=1')).json;
  redis?.disconnect();
  expect((await get('/entries')).json).toMatchObject({ complete: false, total: 3, entries: [{}, {}, {}] });
  expect((await get(`/entries?limit=1&after=${next}`)).json).toMatchObject({ complete: false });
});

describe('bounds', () => {
  const entryAt = (at: number): IndexedEntry => ({
    key: `k${at}`,
    bytes: (at * 7919) % 1009,
    computeMs: 1,
    endsAt: at,
    place: `k${String(at).padStart(6, '0')}`,
  });
  const source = (many: number, isValid: (key: string) => boolean, guarded: number[] = []): EntrySource => ({
    inOrder: true,
    async *index(_order, after) {
      for (let from = after === undefined ? 0 : after.endsAt + 1; from < many; from += 500)
        yield Array.from({ length: Math.min(500, many - from) }, (_, at) => entryAt(from + at));
    },
    size: async () => many,
    guards: async (keys) => {
      guarded.push(keys.length);
      return keys.map((key) => ({ epoch: isValid(key) ? 'e' : 'gone', asOf: 1, tags: [] }));
    },
    table: async () => ({ epoch: 'e', seq: 1, floor: 0, seqs: new Map() }),
  });

  it('time that is up is said, and the next question goes on where it was', async () => {
    const found: string[] = [];
    let after: string | undefined;
    let rounds = 0;
    do {
      const query = parseEntryQuery({ limit: '10', ...(after !== undefined && { after }) });
      const page = await listEntries(
        source(5000, (key) => key.endsWith('99')),
        query,
        () => true,
      );
      found.push(...page.entries.map(({ key }) => key));
      after = page.next;
      rounds += 1;
    } while (after !== undefined);
    expect(found).toHaveLength(50);
    expect(new Set(found).size).toBe(50);
    expect(rounds).toBeGreaterThan(5);
    const best = await listEntries(
      source(5000, () => true),
      parseEntryQuery({ sort: 'bytes' }),
      () => true,
    );
    expect(best).toMatchObject({ complete: false, total: 500 });
  });

  it('of a hundred thousand only what is shown is proved', async () => {
    const guarded: number[] = [];
    const page = await listEntries(
      source(100_000, () => true, guarded),
      parseEntryQuery({ sort: 'bytes', order: 'desc', limit: '50' }),
      () => false,
    );
    expect(page.total).toBe(100_000);
    expect(page.entries.every(({ bytes }) => bytes === 1008)).toBe(true);
    expect(guarded).toEqual([100]);
  });

  it('where the best are all invalid, it goes on to the next best', async () => {
    const isValid = (key: string) => Number(key.slice(1)) >= 4000;
    const page = await listEntries(source(5000, isValid), parseEntryQuery({ sort: 'key', limit: '5' }), () => false);
    expect(page.entries.map(({ key }) => key)).toEqual(['k4000', 'k4001', 'k4002', 'k4003', 'k4004']);
    expect(page).toMatchObject({ complete: true, total: 5000, next: expect.any(String) });
  });
});
