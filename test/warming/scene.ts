// A declared report on real Express, with or without Redis, the clock and the loader in the test's hands.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from '@jest/globals';
import express, { type Request, type RequestHandler } from 'express';
import { Redis } from 'ioredis';
import type { CacheEvent, CacheEventKind } from '../../src/contract/events.js';
import { compose } from '../../src/create-report-cache.js';
import {
  tag,
  type LoadedReportOptions,
  type LoaderRun,
  type ReportCacheOptions,
  type Subject,
} from '../../src/index.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** `x-user: <id> <tenant>` */
const identify = (req: Request) => {
  const [user, tenant] = String(req.headers['x-user'] ?? '').split(' ');
  return user ? { user, ...(tenant && { tenant }) } : null;
};

export interface Scene {
  readonly redis?: boolean;
  readonly namespace?: string;
  readonly clock?: FakeClock;
  readonly cache?: Partial<ReportCacheOptions>;
  readonly report?: Partial<LoadedReportOptions>;
  readonly front?: readonly RequestHandler[];
}

export interface Told {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export async function start({
  redis: shared = false,
  namespace = ownNamespace(),
  clock = new FakeClock(),
  cache = {},
  report = {},
  front = [],
}: Scene = {}) {
  const events: CacheEvent[] = [];
  const loads: Subject[] = [];
  const redis = shared ? new Redis(redisUrl()) : undefined;
  if (redis) await redis.ping();
  const reports = compose(
    {
      ...(redis && { redis }),
      namespace,
      identify,
      redisDeadline: '10s',
      onEvent: (event) => void events.push(event),
      ...cache,
    },
    clock,
  );
  const app = express();
  for (const one of front) app.use(one);
  const progress = reports.report('student_progress', {
    jitter: 0,
    filters: { term: 'string', page: { type: 'integer', default: 1 } },
    tags: ({ report: id }) => [tag('student', id)],
    ...report,
    load: async (subject, run: LoaderRun) => {
      loads.push(subject);
      return report.load
        ? report.load(subject, run)
        : { of: subject.report, as: subject.identity, with: subject.filters, n: loads.length };
    },
  });
  app.get(
    '/students/:id',
    progress.route((req) => String(req.params['id'])),
  );
  app.use((_req, res) => void res.status(404).json({ not: 'found' }));
  const failing: express.ErrorRequestHandler = (error: Error, _req, res, _next) =>
    void res.status(500).json({ error: error.message });
  app.use(failing);
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;

  closing.push(async () => {
    await reports.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    redis?.disconnect();
  });
  return {
    reports,
    progress,
    clock,
    events,
    loads,
    redis,
    namespace,
    kinds: () => events.map(({ kind }) => kind),
    of: <K extends CacheEventKind>(kind: K) =>
      events.filter((event): event is Extract<CacheEvent, { kind: K }> => event.kind === kind),
    ask: (path: string, user = '7', headers: http.OutgoingHttpHeaders = {}, method = 'GET'): Promise<Told> =>
      new Promise((resolve, reject) => {
        const sent = http.request(
          { port, path, method, headers: { ...(user && { 'x-user': user }), ...headers } },
          (res) => {
            let text = '';
            res.setEncoding('utf8').on('data', (more: string) => (text += more));
            res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
          },
        );
        sent.on('error', reject).end();
      }),
  };
}
