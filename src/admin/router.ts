// The management API as one Express handler: who may, what is asked, the answer, and a record of who has changed what.
import type { Request, RequestHandler, Response } from 'express';
import { errorName } from '../contract/errors.js';
import type { CacheEvent, EventSink } from '../contract/events.js';
import type { Identity } from '../contract/identity.js';
import type { AdminAction, AdminOptions } from '../options/admin.js';
import type { ManagedCache } from './cache.js';
import { isCrossSite } from './cross-site.js';
import {
  AdminProblem,
  badRequest,
  type AdminAnswer,
  type AdminContext,
  type AdminRequest,
  type Asking,
} from './exchange.js';
import { isClientError } from './handlers.js';
import { checkInput } from './input.js';
import type { Live } from './live.js';
import { openApiOf } from './openapi.js';
import { matchRoute, ROUTES, type Match } from './routes.js';

export interface AdminParts {
  readonly cache: ManagedCache;
  readonly identify: (req: Request) => Identity | null | undefined | false | '' | 0;
  readonly options: AdminOptions;
  readonly emit: EventSink;
  readonly live: Live;
}

const LARGEST_BODY = 65_536;

/**
 * Mount it with `app.use(path, …)`, behind your login. Whoever has no identity gets 401, whoever `authorize` does not let do it 403;
 * nothing is known of a path before that.
 */
export function createAdmin({ cache, identify, options, emit, live }: AdminParts): RequestHandler {
  const { authorize, events = {}, lists = {}, metrics } = options;

  const whoIs = (req: Request): Identity | undefined => {
    try {
      const identity = identify(req);
      return identity ? identity : undefined;
    } catch {
      return undefined;
    }
  };

  const mayDo = async (req: Request, action: AdminAction): Promise<boolean> => {
    try {
      return (await authorize(req, action)) === true;
    } catch (error) {
      emit({
        kind: 'advice',
        code: 'admin-authorize',
        message: `authorize() has failed (${errorName(error)}): nobody is let in.`,
      });
      return false;
    }
  };

  const askingOf = (req: Request, { user }: Identity): Asking => ({
    user: String(user),
    path: req.originalUrl.split('?', 1)[0] ?? '',
    takesGzip: req.acceptsEncodings('gzip') === 'gzip',
    may: (action) => mayDo(req, action),
    mayStillLook: async () => whoIs(req) !== undefined && (await mayDo(req, 'read')),
  });

  const answer = async (req: Request, res: Response): Promise<AdminAnswer> => {
    const identity = whoIs(req);
    if (identity === undefined) throw new AdminProblem(401, 'unauthorized', 'Log in to manage the cache.');
    const match = matchRoute(req.method, req.path);
    // Who may not even look is told nothing of what there is.
    if (match === undefined || 'allowed' in match) {
      if (!(await mayDo(req, 'read'))) throw new AdminProblem(403, 'forbidden', 'You may not do that.');
      if (match === undefined) throw new AdminProblem(404, 'not-found', 'There is nothing here.');
      res.setHeader('Allow', match.allowed.join(', '));
      throw new AdminProblem(405, 'method-not-allowed', `This path takes ${match.allowed.join(', ')}.`);
    }
    const { action } = match.route;
    const changes = action !== 'read';
    if (req.method !== 'GET' && req.method !== 'HEAD' && isCrossSite(req.headers, req.hostname)) {
      if (changes) record(identity, match, { params: match.params, query: {}, body: {} }, 'denied');
      throw new AdminProblem(403, 'cross-site', 'A page of another site has sent this.');
    }
    if (!(await mayDo(req, action))) {
      if (changes) record(identity, match, { params: match.params, query: {}, body: {} }, 'denied');
      throw new AdminProblem(403, 'forbidden', 'You may not do that.');
    }
    const sent: AdminRequest = {
      params: match.params,
      query: queryOf(req),
      body: match.route.method === 'POST' ? await bodyOf(req) : {},
    };
    checkInput(match.route, sent);
    const origin = { protocol: req.protocol, host: req.headers.host ?? 'localhost' };
    const openApi = () => openApiOf(ROUTES, req.baseUrl);
    const asking = askingOf(req, identity);
    const context: AdminContext = { cache, events, lists, metrics, origin, live, asking, openApi };
    try {
      const done = await match.route.handler(sent, context);
      if (changes) record(identity, match, sent, 'done');
      return done;
    } catch (error) {
      const refused = error instanceof AdminProblem || isClientError(error);
      if (changes) record(identity, match, sent, refused ? 'refused' : 'failed');
      if (isClientError(error)) throw badRequest(error.message);
      throw error;
    }
  };

  function record(
    { user }: Identity,
    { route, params }: Match,
    { query, body }: AdminRequest,
    outcome: Extract<CacheEvent, { kind: 'managed' }>['outcome'],
  ): void {
    const dryRun = query['dry_run'] === 'true' || body['dry_run'] === true;
    const what = `${route.method} ${route.path}`;
    const names = [...Object.keys(params), ...Object.keys(body)].filter((name) => name !== 'dry_run');
    emit({ kind: 'managed', user: String(user), what, names, dryRun, outcome });
  }

  return (req, res, next) => {
    answer(req, res).then(
      (done) => send(req, res, done, 'application/json'),
      (error: unknown) => {
        if (error instanceof AdminProblem) {
          const { status, code, message } = error;
          const body = { type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail: message, code };
          send(req, res, { status, body }, 'application/problem+json');
        } else next(error);
      },
    );
  };
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  503: 'Service Unavailable',
};

function send(
  req: Request,
  res: Response,
  { status, body, bytes = Buffer.from(JSON.stringify(body)), headers = {}, stream }: AdminAnswer,
  type: string,
): void {
  if (res.headersSent) return;
  if (stream !== undefined && req.method !== 'HEAD') return stream(res);
  res.statusCode = status;
  res.setHeader('Content-Type', type);
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'Vary') res.vary(value);
    else res.setHeader(name, value);
  }
  res.setHeader('Content-Length', bytes.length);
  if (req.method === 'HEAD') res.end();
  else res.end(bytes);
}

/** Of the URL itself: the application may have put another parser in place of Express' own. */
function queryOf({ url }: Request): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of new URL(url, 'http://localhost').searchParams) {
    if (Object.hasOwn(query, name)) throw badRequest(`"${name.slice(0, 64)}" stands there twice.`);
    query[name] = value;
  }
  return query;
}

/**
 * What a parser in front has made of it, else read here. Always as JSON, also where there is nothing to say: a form of another site
 * cannot send that without asking first (CSRF).
 */
async function bodyOf(req: Request): Promise<Record<string, unknown>> {
  const type = String(req.headers['content-type'] ?? '').split(';')[0];
  if (type?.trim().toLowerCase() !== 'application/json')
    throw new AdminProblem(
      415,
      'unsupported-media-type',
      'Send `Content-Type: application/json`, also with an empty body.',
    );
  const body: unknown = req.body ?? (await readJson(req));
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw badRequest('Send an object.');
  return body as Record<string, unknown>;
}

async function readJson(req: Request): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LARGEST_BODY) throw new AdminProblem(413, 'content-too-large', `Send ${LARGEST_BODY} bytes at most.`);
    chunks.push(chunk);
  }
  if (length === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch {
    throw badRequest('The body is no JSON.');
  }
}
