// Whose report is whose, from real requests to real keys: nothing that a client can write makes two reports meet.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Application, Express, Request } from 'express';
import type { CacheEvent } from '../../src/contract/events.js';
import { compose } from '../../src/create-report-cache.js';
import type { ReportCacheOptions, RouteOptions } from '../../src/options/options.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ask, onBoth, type Question } from './stage.js';

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});

const servers: http.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  process.off('unhandledRejection', note);
  if (unhandled.length > 0) throw new AggregateError(unhandled);
});

onBoth('keys', (express) => {
  async function serve(
    route: RouteOptions = {},
    options: Partial<ReportCacheOptions> = {},
    settings?: (app: Application) => void,
  ) {
    const events: CacheEvent[] = [];
    const reports = compose(
      {
        identify: (req) => ({ user: req.get('x-user') ?? '' }),
        onEvent: (event) => events.push(event),
        ...options,
      },
      new FakeClock(),
    );
    const app = express();
    settings?.(app);
    const handler = (req: Request, res: { send(text: string): unknown }) =>
      void res.send(`${req.hostname} ${req.get('x-user') ?? ''} ${req.originalUrl}`);
    app.get(['/reports/:id', '/reports'], reports.cache('custom', route), handler);
    app.use('/api', express.Router().get('/reports/:id', reports.cache('custom', route), handler));
    const server = http.createServer(app);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const { port } = server.address() as AddressInfo;
    const get = async (path: string, headers: Question['headers'] = {}) => {
      const answer = await ask(port, { path, headers: { 'x-user': '7', ...headers } });
      return { label: answer.headers['x-cache'], text: answer.text, status: answer.status };
    };
    return { events, get, reports };
  }

  it('two hosts are two targets: a school by its host name never gets the report of another (RFC 9111 §2)', async () => {
    for (const share of ['user', 'everyone'] as const) {
      const { get } = await serve({ share });
      expect(await get('/reports/1', { Host: 'a.example' })).toMatchObject({ label: 'MISS' });
      expect(await get('/reports/1', { Host: 'b.example' })).toMatchObject({
        label: 'MISS',
        text: 'b.example 7 /reports/1',
      });
      expect(await get('/reports/1', { Host: 'a.example' })).toMatchObject({ label: 'HIT' });
    }
  });

  it('behind a trusted proxy the host is the forwarded one', async () => {
    const { get } = await serve({ share: 'everyone' }, {}, (app) => app.set('trust proxy', true));
    await get('/reports/1', { 'X-Forwarded-Host': 'a.example' });
    expect(await get('/reports/1', { 'X-Forwarded-Host': 'b.example' })).toMatchObject({ label: 'MISS' });
  });

  it.each([
    '/reports/1/',
    '//reports/1',
    '/reports/%31',
    '/Reports/1',
    '/api/reports/1',
    '/reports/1%2F',
    '/reports/2',
  ])('the path %s is another target than /reports/1', async (path) => {
    const { get } = await serve({ report: (req) => req.params['id'] as string });
    await get('/reports/1');
    const other = await get(path);
    expect([other.label, other.status]).not.toEqual(['HIT', 200]);
  });

  it('where the application parses no query, a query is an unknown parameter, not none', async () => {
    const { get } = await serve({}, {}, (app) => app.set('query parser', false));
    expect(await get('/reports/1?term=1')).toMatchObject({ label: 'BYPASS' });
    expect(await get('/reports/1?term=2')).toMatchObject({ label: 'BYPASS', text: expect.stringContaining('term=2') });
    await get('/reports/1');
    expect(await get('/reports/1?')).toMatchObject({ label: 'HIT' });
  });

  it.each<[how: string, settings: (app: Application) => void]>([
    [
      'put there by middleware',
      (app) =>
        app.use((req, _res, next) => {
          const value = req.get('x-term') === undefined ? req.query : { term: req.get('x-term') };
          Object.defineProperty(req, 'query', { value, writable: true, configurable: true });
          next();
        }),
    ],
    [
      'made by a getter of the application',
      (app) => {
        Object.defineProperty((app as Express).request, 'query', {
          get(this: Request) {
            return { term: this.get('x-term') ?? 'a' };
          },
        });
        // Express 4 has put its own there.
        app.use((req, _res, next) => next(delete (req as Partial<Request>).query && undefined));
      },
    ],
    [
      'of a URL that middleware has rewritten',
      (app) =>
        app.use((req, _res, next) => {
          if (req.get('x-term') !== undefined) {
            req.url = `/reports/1?term=${req.get('x-term')}`;
            // Express 4 has parsed it before.
            if (Object.hasOwn(req, 'query')) req.query = { term: req.get('x-term') };
          }
          next();
        }),
    ],
  ])('a query that is not what the URL says counts, also where the URL is known: %s', async (_how, settings) => {
    const { get } = await serve({ report: () => 1, filters: { term: 'string' } }, {}, settings);
    await get('/reports/1?term=a');
    expect(await get('/reports/1?term=a')).toMatchObject({ label: 'HIT' });
    expect(await get('/reports/1?term=a', { 'X-Term': 'b' })).toMatchObject({ label: 'MISS' });
  });

  it('an identify() that answers with a promise identifies nobody, says so, and may even fail', async () => {
    const identify = (async () => {
      throw new Error('no session store');
    }) as never;
    const { get, events } = await serve({}, { identify });
    expect(await get('/reports/1')).toMatchObject({ label: 'BYPASS', status: 200 });
    expect(events).toContainEqual(expect.objectContaining({ kind: 'bypass', reason: 'no-identity' }));
    await new Promise<void>((resolve) => setImmediate(resolve));
  });
});
