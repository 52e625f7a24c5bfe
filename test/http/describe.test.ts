// What a request means to the cache, through the public door: who is told apart, what is told apart, and what takes it away.
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Express, Request } from 'express';
import request from 'supertest';
import { createReportCache, tableTag, tag, type ReportCache, type ReportCacheOptions } from '../../src/index.js';
import type { RouteOptions } from '../../src/options/options.js';
import { onBoth } from './stage.js';

const open: ReportCache[] = [];
afterEach(async () => {
  for (const reports of open.splice(0)) await reports.close();
});

/** `x-user: ann`, `x-user: ann@school`, `x-user: ann@school/teacher`. */
function identify(req: Request) {
  const [, user, tenant, role] = /^([^@/]*)(?:@([^/]*))?(?:\/(.*))?$/.exec(req.get('x-user') ?? '') ?? [];
  return { user: user ?? '', ...(tenant === undefined ? {} : { tenant }), ...(role === undefined ? {} : { role }) };
}

onBoth('a described request', (express) => {
  function setUp(options: RouteOptions = {}, cacheOptions: Partial<ReportCacheOptions> = {}) {
    const reports = createReportCache({ identify, ...cacheOptions });
    open.push(reports);
    const app = express();
    const router = (name: string) => {
      const inner = express.Router();
      inner.get('/reports/:id', reports.cache('default', options), (req, res) => {
        res.json({ from: name, url: req.originalUrl, user: req.get('x-user') });
      });
      return inner;
    };
    app.use('/north', router('north'));
    app.use('/south', router('south'));
    app.use(router('root'));
    return { reports, get: asker(app) };
  }
  const asker = (app: Express) => async (path: string, user: string) => {
    const answer = await request(app).get(path).set('x-user', user);
    return { label: answer.get('x-cache'), status: answer.status, body: answer.body as Record<string, unknown> };
  };

  it('belongs to one user of one tenant in one role', async () => {
    const { get } = setUp();
    const users = ['ann', 'bob', 'ann@school', 'ann@other', 'ann@school/teacher', 'ann@school/parent', 'ann/teacher'];
    for (const label of ['MISS', 'HIT']) {
      for (const user of users) {
        expect(await get('/reports/1', user)).toMatchObject({ label, body: { user } });
      }
    }
  });

  it.each([[''], ['undefined'], ['null'], ['@school'], ['ann@'], ['ann@school/']])(
    'of nobody (%j) passes by: nothing is stored, nothing is served',
    async (user) => {
      const { get } = setUp();
      await get('/reports/1', 'ann');
      for (let turn = 0; turn < 2; turn += 1) {
        expect(await get('/reports/1', user)).toMatchObject({ label: 'BYPASS', body: { user } });
      }
    },
  );

  it('is told apart by its whole path, whatever the route says of its report', async () => {
    const { get } = setUp({ report: () => 'same' });
    const paths = ['/reports/1', '/reports/2', '/north/reports/1', '/south/reports/1'];
    for (const label of ['MISS', 'HIT']) {
      for (const url of paths) expect(await get(url, 'ann')).toMatchObject({ label, body: { url } });
    }
  });

  it('is told apart by its filters, in whichever order', async () => {
    const { get } = setUp({ filters: { term: 'string', page: { type: 'integer', default: 1 } } });
    const label = async (query: string) => (await get(`/reports/1${query}`, 'ann')).label;
    expect(await label('')).toBe('MISS');
    expect(await label('?page=1')).toBe('HIT');
    expect(await label('?page=2')).toBe('MISS');
    expect(await label('?term=a&page=2')).toBe('MISS');
    expect(await label('?page=2&term=a')).toBe('HIT');
    expect(await label('?page=2&term=b')).toBe('MISS');
  });

  it('with a parameter that no filter declares passes by, is refused, or forgets it', async () => {
    const standard = setUp();
    await standard.get('/reports/1', 'ann');
    const url = '/reports/1?utm=x';
    expect(await standard.get(url, 'ann')).toMatchObject({ label: 'BYPASS', body: { url } });
    const refusing = setUp({ unknownParameters: 'refuse' });
    const refused = await refusing.get(url, 'ann');
    expect(refused).toMatchObject({ status: 400, body: { code: 'unknown-parameter', parameter: 'utm' } });
    const ignoring = setUp({ unknownParameters: 'ignore' });
    expect((await ignoring.get(url, 'ann')).label).toBe('MISS');
    expect((await ignoring.get('/reports/1?utm=y&more=z', 'ann')).label).toBe('HIT');
  });

  it('with a value that does not fit is refused, or passes by', async () => {
    const filters = { page: 'integer' } as const;
    const standard = await setUp({ filters }).get('/reports/1?page=x', 'ann');
    expect(standard).toMatchObject({ status: 400, body: { code: 'invalid-parameter', parameter: 'page' } });
    const lenient = setUp({ filters, invalidParameters: 'bypass' });
    await lenient.get('/reports/1', 'ann');
    const url = '/reports/1?page=x';
    expect(await lenient.get(url, 'ann')).toMatchObject({ label: 'BYPASS', body: { url } });
  });

  describe('goes away with', () => {
    const about: RouteOptions = {
      report: (req) => String(req.params['id']),
      tags: (req) => [tag('student', String(req.params['id']))],
      tables: ['grade'],
    };
    it.each([
      ['its viewer', tag('viewer', 'ann'), tag('viewer', 'bob')],
      ['its tenant', tag('tenant', 'school'), tag('tenant', 'other')],
      ['its report', tag('report', 1), tag('report', 2)],
      ['its type', tag('type', 'default'), tag('type', 'other')],
      ['what it is about', tag('student', 1), tag('student', 2)],
      ['a table it reads', tableTag('grade'), tableTag('other')],
    ])('%s, and not with another', async (_name, own, others) => {
      const { reports, get } = setUp(about);
      await get('/reports/1', 'ann@school');
      await reports.invalidate(others);
      expect((await get('/reports/1', 'ann@school')).label).toBe('HIT');
      await reports.invalidate(own);
      expect((await get('/reports/1', 'ann@school')).label).toBe('MISS');
    });
  });

  it('that is shared by a tenant goes with the tenant, and not with who happened to compute it', async () => {
    const { reports, get } = setUp({ share: 'tenant' });
    expect((await get('/reports/1', 'ann@school')).label).toBe('MISS');
    expect((await get('/reports/1', 'bob@school')).label).toBe('HIT');
    expect((await get('/reports/1', 'ann@other')).label).toBe('MISS');
    expect((await get('/reports/1', 'ann')).label).toBe('BYPASS');
    await reports.invalidate(tag('viewer', 'ann'));
    expect((await get('/reports/1', 'bob@school')).label).toBe('HIT');
    await reports.invalidate(tag('tenant', 'school'));
    expect((await get('/reports/1', 'bob@school')).label).toBe('MISS');
  });

  it('that everyone shares needs nobody', async () => {
    const { get } = setUp({ share: 'everyone' });
    expect((await get('/reports/1', '')).label).toBe('MISS');
    expect((await get('/reports/1', 'ann@school')).label).toBe('HIT');
  });

  it('counts against the memory of its own user', async () => {
    const { get } = setUp({}, { memory: { maxBytesPerUser: '20kb' } });
    await get('/reports/0', 'bob');
    for (let id = 0; id < 40; id += 1) await get(`/reports/${id}`, 'ann');
    expect((await get('/reports/39', 'ann')).label).toBe('HIT');
    // Which of hers have gone is a matter of what each cost to compute.
    const labels = new Set<string | undefined>();
    for (let id = 0; id < 39; id += 1) labels.add((await get(`/reports/${id}`, 'ann')).label);
    expect(labels).toContain('MISS');
    expect((await get('/reports/0', 'bob')).label).toBe('HIT');
  });
});
