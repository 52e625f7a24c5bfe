// A cache with its management API on a real Express, with Redis or without, to be looked at.
import type { AddressInfo } from 'node:net';
import type express from 'express';
import type { Request } from 'express';
import { Redis } from 'ioredis';
import { systemClock, type Clock } from '../../src/contract/clock.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { compose } from '../../src/create-report-cache.js';
import type { AdminOptions, ReportCache, ReportCacheOptions } from '../../src/index.js';
import { expresses } from '../support/expresses.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

export interface Told {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
  /** Empty where it is no JSON. */
  readonly json: ReturnType<typeof JSON.parse>;
}

export interface SceneOptions {
  readonly express?: typeof express;
  readonly redis?: boolean;
  readonly url?: string;
  readonly namespace?: string;
  readonly clock?: Clock;
  readonly admin?: Partial<AdminOptions>;
  readonly cache?: Partial<ReportCacheOptions>;
  readonly routes?: (app: express.Express, reports: ReportCache) => void;
}

/** `x-user: <id> <tenant>` */
const identify = (req: Request) => {
  const [user, tenant] = String(req.headers['x-user'] ?? '').split(' ');
  return user ? { user, ...(tenant && { tenant }) } : null;
};

export class Scenes {
  readonly #closing: (() => Promise<unknown>)[] = [];

  async start(options: SceneOptions = {}) {
    const { redis: shared = true, url, namespace = ownNamespace(), clock = systemClock, cache, admin } = options;
    const make = options.express ?? expresses[0]![1];
    const events: CacheEvent[] = [];
    const redis = shared ? new Redis(url ?? redisUrl(), { maxRetriesPerRequest: 1 }) : undefined;
    redis?.on('error', () => undefined);
    this.#closing.push(async () => redis?.disconnect());
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
    const app = make();
    options.routes?.(app, reports);
    app.use('/cache', reports.admin({ authorize: () => true, ...admin }));
    app.use(
      (_error: unknown, _req: unknown, res: express.Response, _next: unknown) =>
        void res.status(500).json({ failed: true }),
    );
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    this.#closing.push(async () => {
      await reports.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    const send = async (method: string, path: string, user: string, body?: unknown): Promise<Told> => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: {
          connection: 'close',
          ...(user && { 'x-user': user }),
          ...(method === 'POST' && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const type = answer.headers.get('content-type');
      const text = await answer.text();
      return { status: answer.status, type, text, json: type?.includes('json') ? JSON.parse(text) : {} };
    };
    return {
      reports,
      events,
      redis,
      namespace,
      port,
      read: (path: string, user: string) => send('GET', path, user),
      get: (path: string) => send('GET', `/cache${path}`, 'operator'),
      post: (path: string, body: unknown) => send('POST', `/cache${path}`, 'operator', body),
      /** Until Redis counts so many entries, which it is told behind the readers' backs. */
      counted: async (entries: number) => {
        while (Number(await redis?.zcard(`{${namespace}}:b`)) < entries + 1);
      },
      keyOf: (type: string) =>
        events.findLast((event) => event.kind === 'stored' && event.type === type) as { key: string },
    };
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}
