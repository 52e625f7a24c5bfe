// A small school behind a report cache, with the management API and its dashboard, on Express 4 or 5.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type express from 'express';
import type { Request, RequestHandler } from 'express';
import { Redis } from 'ioredis';
import {
  createReportCache,
  tag,
  type AdminOptions,
  type ReportCache,
  type ReportCacheOptions,
} from '../../src/index.js';
import { expresses } from '../support/expresses.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

/** `x-user: <id> <role>` */
export const identify = (req: Request) => {
  const [user, role] = String(req.headers['x-user'] ?? '').split(' ');
  return user ? { user, role: role ?? '' } : null;
};

const ROLES: Readonly<Record<string, readonly string[]>> = {
  viewer: ['read'],
  editor: ['read', 'invalidate'],
  operator: ['read', 'invalidate', 'clear', 'warm'],
};

export const authorize = (req: Request, action: string) => ROLES[identify(req)?.role ?? '']?.includes(action) ?? false;

export interface Scene {
  readonly express?: typeof express;
  readonly at?: string;
  readonly front?: readonly RequestHandler[];
  /** Between login and the management API. */
  readonly before?: RequestHandler;
  readonly admin?: Partial<AdminOptions>;
  readonly cache?: Partial<ReportCacheOptions>;
  /** What else there is. */
  readonly furnish?: (reports: ReportCache, app: express.Express) => void;
}

export interface Told {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly json: Record<string, unknown>;
}

export type Stage = Awaited<ReturnType<typeof startStage>>;

export async function startStage({
  at = '/api/reports/cache',
  front = [],
  before,
  admin = {},
  cache = {},
  furnish,
  ...scene
}: Scene = {}) {
  const redis = new Redis(redisUrl());
  await redis.ping();
  const reports = createReportCache({ redis, namespace: ownNamespace(), identify, redisDeadline: '10s', ...cache });
  const app = (scene.express ?? expresses[0]![1])();
  for (const one of front) app.use(one);
  app.get(
    '/students/:id',
    reports.cache('analytics', {
      report: (req) => String(req.params['id']),
      tags: (req) => [tag('student', String(req.params['id']))],
    }),
    (req, res) => void res.json({ id: req.params['id'] }),
  );
  furnish?.(reports, app);
  if (before) app.use(at, before);
  app.use(at, reports.admin({ authorize, ...admin }));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const base = at === '/' ? '' : at;

  const send = (method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Told> =>
    new Promise((resolve, reject) => {
      const asked = http.request(`${origin}${path}`, { method, agent: false, headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const isJson = bytes.length > 0 && String(res.headers['content-type']).includes('json');
          const json = (isJson ? JSON.parse(bytes.toString()) : {}) as Told['json'];
          resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes, json });
        });
      });
      asked.on('error', reject);
      asked.end(body);
    });
  const read = (id: number | string, user = 1) => send('GET', `/students/${id}`, { 'x-user': `${user} reader` });
  return {
    reports,
    redis,
    server,
    origin,
    base,
    send,
    read,
    /** Below the mount point. */
    ask: (method: string, path: string, role = 'operator', headers: Record<string, string> = {}, body?: unknown) =>
      send(
        method,
        `${base}${path}`,
        {
          ...(role && { 'x-user': `7 ${role}` }),
          ...(method === 'POST' && { 'content-type': 'application/json' }),
          ...headers,
        },
        body === undefined ? undefined : JSON.stringify(body),
      ),
    /** Stored before the next one asks. */
    async warm(id: number | string, user?: number) {
      await read(id, user);
      while ((await read(id, user)).headers['x-cache'] !== 'HIT');
    },
    async close() {
      await reports.close();
      redis.disconnect();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
