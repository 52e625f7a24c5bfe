// A cached route on real Express, and a client that shows an answer exactly as it came.
import { createRequire } from 'node:module';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe } from '@jest/globals';
import type express from 'express';
import type { Application, ErrorRequestHandler, Request, RequestHandler } from 'express';
import type { CacheEvent } from '../../src/contract/events.js';
import { BackgroundForms } from '../../src/core/forms.js';
import { createMiddleware } from '../../src/http/middleware.js';
import type { ResolvedRoute } from '../../src/http/route.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { TinyReader } from '../fakes/tiny-reader.js';

type Express = typeof express;
const require = createRequire(import.meta.url);

export const EXPRESSES: readonly (readonly [string, Express])[] = [
  ['Express 4', require('express4') as Express],
  ['Express 5', require('express') as Express],
];

/** Runs the same tests on both. */
export function onBoth(name: string, tests: (express: Express, version: string) => void): void {
  describe.each(EXPRESSES)(`${name} (%s)`, (version, each) => {
    tests(each, version);
  });
}

export interface Scene {
  readonly route?: Partial<ResolvedRoute>;
  readonly front?: readonly RequestHandler[];
  /** Between the cache and the handler. */
  readonly behind?: readonly RequestHandler[];
  readonly handler: RequestHandler;
  readonly onError?: ErrorRequestHandler;
  readonly settings?: (app: Application) => void;
  readonly server?: http.ServerOptions;
}

export interface Answer {
  readonly status: number;
  readonly message: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly trailers: NodeJS.Dict<string>;
  readonly body: Buffer;
  readonly text: string;
}

export interface Stage {
  readonly reader: TinyReader;
  readonly clock: FakeClock;
  readonly events: CacheEvent[];
  readonly invalidated: { readonly tags: readonly string[]; readonly cause: string }[];
  readonly port: number;
  readonly server: http.Server;
  /** How often the handler ran. */
  readonly runs: () => number;
  ask(options?: Question): Promise<Answer>;
  /** Sends these bytes and returns everything that comes until the server closes. */
  raw(bytes: string): Promise<string>;
}

export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: http.OutgoingHttpHeaders;
}

const open = new Set<http.Server>();

afterEach(async () => {
  for (const server of open) {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  open.clear();
});

export function resolvedRoute(overrides: Partial<ResolvedRoute> = {}): ResolvedRoute {
  return {
    type: 'student_progress',
    ttlMs: 300_000,
    freshness: { graceMs: 0, jitter: 0, refreshAhead: 0 },
    consistency: 'strict',
    coalesce: 'process',
    browser: 'revalidate',
    share: 'user',
    maxEntryBytes: 1_000_000,
    compress: { codings: [], minBytes: 1024 },
    requestDirectives: 'honour',
    storeStatuses: new Set([200]),
    cacheName: 'reports',
    describe: (req: Request) => ({
      key: JSON.stringify([req.get('x-user') ?? 'ann', req.originalUrl]),
      owner: 'ann',
      tags: () => ['report:42'],
    }),
    atLeast: () => undefined,
    varyKey: (key, names, values) => JSON.stringify([key, names, values.map((value) => value ?? null)]),
    targetTags: () => ['report:42'],
    invalidate: async () => undefined,
    ...overrides,
  };
}

export async function stage(framework: Express, scene: Scene): Promise<Stage> {
  const clock = new FakeClock();
  const reader = new TinyReader(clock);
  const events: CacheEvent[] = [];
  const invalidated: { tags: readonly string[]; cause: string }[] = [];
  const route = resolvedRoute({
    invalidate: async (tags, cause) => {
      invalidated.push({ tags, cause });
    },
    ...scene.route,
  });
  const emit = (event: CacheEvent) => void events.push(event);
  const forms = new BackgroundForms(reader, clock, emit);
  const app = framework();
  scene.settings?.(app);
  let runs = 0;
  for (const middleware of scene.front ?? []) app.use(middleware);
  app.all(
    '/report',
    createMiddleware({ reader, forms, emit, clock, route }),
    ...(scene.behind ?? []),
    (req, res, next) => {
      runs += 1;
      return scene.handler(req, res, next);
    },
  );
  if (scene.onError) app.use(scene.onError);
  const server = http.createServer(scene.server ?? {}, app);
  open.add(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;

  return {
    reader,
    clock,
    events,
    invalidated,
    port,
    server,
    runs: () => runs,
    ask: (options = {}) => ask(port, options),
    raw: (bytes) => raw(port, bytes),
  };
}

export function ask(port: number, { method = 'GET', path = '/report', headers = {} }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          message: response.statusMessage ?? '',
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          trailers: response.trailers,
          body,
          text: body.toString(),
        });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => (received += text));
    socket.on('end', () => resolve(received));
    socket.on('error', reject);
  });
}
