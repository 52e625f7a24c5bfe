// What the application offers beside the cache: metrics and lists; and invalidation of an organisation's resources.
import { afterEach, describe, expect, it } from '@jest/globals';
import client from 'prom-client';
import type { AdminList } from '../../src/index.js';
import { Scenes } from './look-scene.js';

const scenes = new Scenes();
afterEach(() => scenes.close());

const items = Array.from({ length: 250 }, (_, id) => ({ id, name: `lesson ${id}` }));
const lessons: AdminList = {
  title: 'Lessons',
  columns: ['id', 'name'],
  page({ limit, after = '0' }) {
    const from = Number(after);
    const next = from + limit < items.length ? { next: String(from + limit) } : {};
    return { items: items.slice(from, from + limit), ...next };
  },
  item: async (id) => items.find((one) => String(one.id) === id),
};
const unbounded: AdminList = { title: 'All', columns: [], page: async () => ({ items }) };

describe('metrics', () => {
  it('are the register of prom-client, as text', async () => {
    const register = new client.Registry();
    new client.Gauge({ name: 'answers', help: 'Known answers.', registers: [register] }).set(42);
    const { get } = await scenes.start({ redis: false, admin: { metrics: register } });
    const { status, type, text } = await get('/metrics');
    expect([status, type]).toEqual([200, register.contentType]);
    expect(text).toContain('answers 42\n');
  });

  it('that nobody has passed are a 404 that says how', async () => {
    const { get } = await scenes.start({ redis: false });
    expect(await get('/metrics')).toMatchObject({
      status: 404,
      json: { detail: expect.stringContaining('admin({ metrics') },
    });
  });
});

describe('lists', () => {
  const admin = { lists: { lessons, unbounded } };

  it('say what there is', async () => {
    const { get } = await scenes.start({ redis: false, admin });
    expect((await get('/lists')).json).toEqual({
      lists: [
        { name: 'lessons', title: 'Lessons', columns: ['id', 'name'], items: true },
        { name: 'unbounded', title: 'All', columns: [], items: false },
      ],
    });
    expect((await (await scenes.start({ redis: false })).get('/lists')).json).toEqual({ lists: [] });
  });

  it('are read page by page, with one of them by its id', async () => {
    const { get } = await scenes.start({ redis: false, admin });
    const found: unknown[] = [];
    let after = '';
    do {
      const { json } = await get(`/lists/lessons?limit=100${after && `&after=${after}`}`);
      found.push(...json['items']);
      after = json['next'] ?? '';
    } while (after !== '');
    expect(found).toEqual(items);
    expect((await get('/lists/lessons')).json['items']).toHaveLength(50);
    expect((await get('/lists/lessons/7')).json).toEqual({ item: items[7] });
    // More than was asked for is not passed on.
    expect((await get('/lists/unbounded?limit=3')).json['items']).toHaveLength(3);
  });

  it('for which one has to be allowed more are not even named to others', async () => {
    const secret = { ...lessons, action: 'clear' } as const;
    const authorize = (req: { headers: object }, action: string) =>
      action === 'read' || Reflect.get(req.headers, 'x-user') === 'boss';
    const { get, read } = await scenes.start({ redis: false, admin: { authorize, lists: { unbounded, secret } } });
    expect((await get('/lists')).json.lists).toMatchObject([{ name: 'unbounded' }]);
    expect((await read('/cache/lists', 'boss')).json.lists).toHaveLength(2);
    for (const path of ['/lists/secret', '/lists/secret/7']) {
      expect(await get(path)).toMatchObject({ status: 403, json: { code: 'forbidden' } });
      expect((await read(`/cache${path}`, 'boss')).status).toBe(200);
    }
  });

  it.each([
    ['/lists/nothing', 404],
    ['/lists/toString', 404],
    ['/lists/lessons/999', 404],
    ['/lists/unbounded/1', 404],
    ['/lists/nothing/1', 404],
    [`/lists/lessons/${'x'.repeat(501)}`, 404],
    ['/lists/lessons?limit=201', 400],
    ['/lists/lessons?limit=-1', 400],
    [`/lists/lessons?after=${'x'.repeat(501)}`, 400],
  ])('%s: %i', async (path, status) => {
    const { get } = await scenes.start({ redis: false, admin });
    expect((await get(path)).status).toBe(status);
  });

  it.each([
    [{ lists: { 'a b': lessons } }],
    [{ lists: { a: { ...lessons, page: 1 } } }],
    [{ lists: { a: null } }],
    [{ lists: { a: { ...lessons, columns: [1] } } }],
    [{ metrics: () => '' }],
  ])('%j is no option', async (options) => {
    await expect(scenes.start({ redis: false, admin: options as never })).rejects.toThrow(/ERC_|tag kind|it takes/);
  });
});

describe('resources of an organisation', () => {
  it.each([
    [{ organization: 7 }, ['organization:7'], ['courses', 'rooms']],
    [{ organization: '7', resource: 'courses' }, ['courses:7'], ['courses']],
    [{ organization: '7', resource: 'courses', semester: 's2' }, ['courses:7%40s2', 'courses:7%40'], []],
  ])('%j invalidates %j', async (body, tags, gone) => {
    const { reports, post } = await scenes.start();
    const loaded: string[] = [];
    const load = (name: string) => () => (loaded.push(name), [name]);
    const school = reports.resources<{ courses: string[]; rooms: string[] }>({
      courses: { load: load('courses') },
      rooms: { load: load('rooms') },
    });
    await school.warm(7, 's1');
    loaded.length = 0;
    expect((await post('/invalidate', body)).json).toMatchObject({ tags, exact: true });
    await school.warm(7, 's1');
    expect(loaded.toSorted()).toEqual(gone);
  });

  it.each([
    [{ organization: 7, resource: 'nothing' }],
    [{ resource: 'courses' }],
    [{ report: 1, semester: 's1' }],
    [{ organization: 7, report: 1 }],
  ])('%j is a bad request', async (body) => {
    const { post } = await scenes.start({ redis: false });
    expect((await post('/invalidate', body)).status).toBe(400);
  });
});
