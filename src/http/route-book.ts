// Learns where cached routes are mounted, from their requests, so that a URL can be read without being asked for.
import type { Request } from 'express';
import type { Identity } from '../contract/identity.js';
import type { AskedUrl, ReadUrl } from '../contract/look.js';
import { pathOf } from './describe.js';
import { parsePattern, type PathPattern } from './path-pattern.js';
import type { Description } from './route.js';

/** A cached route, as far as a URL can be explained with it. */
export interface BookedRoute {
  readonly type: string;
  /** Of the policy; 0: switched off. */
  readonly ttlMs: number;
  readonly graceMs: number;
  /** What a request of that identity would mean. Throws what the application's functions throw. */
  describe(req: Request, identity: Identity | undefined): Description;
  /** The key with what the report varies by. */
  keyOf(key: string, headers: Readonly<Record<string, string>>): string;
}

interface Learned {
  readonly pattern: PathPattern;
  readonly route: BookedRoute;
  /** Express' own: it knows the parser of queries, and what requests can do. */
  readonly app: Request['app'];
}

/** Mount points with ids in them differ with each request: of one route only so many are looked at. */
const MOST_LOOKS = 50;
const LONGEST = 512;

export class RouteBook {
  readonly #learned = new Map<string, Learned>();

  /** On the path of every request: mostly two comparisons. */
  follow(route: BookedRoute): (req: Request) => void {
    let seen: unknown;
    let base: string | undefined;
    let looks = 0;
    return (req) => {
      if ((req.route === seen && req.baseUrl === base) || looks >= MOST_LOOKS) return;
      looks += 1;
      if (this.#learn(req, route)) [seen, base] = [req.route, req.baseUrl];
    };
  }

  /** @returns undefined: no route is known that takes it @throws TypeError for what is no URL; what the application's functions throw */
  read(asked: AskedUrl): ReadUrl | undefined {
    const url = new URL(asked.url, `${asked.origin.protocol}://${asked.origin.host}`);
    let found: { readonly learned: Learned; readonly params: Readonly<Record<string, string>> } | undefined;
    for (const learned of this.#learned.values()) {
      if (found !== undefined && learned.pattern.literals <= found.learned.pattern.literals) continue;
      const params = learned.pattern.match(url.pathname);
      if (params !== undefined) found = { learned, params };
    }
    if (found === undefined) return undefined;
    const { app, route } = found.learned;
    return readWith(route, standIn(app, url, found.params, asked), asked);
  }

  /** @returns false: another request may tell more. */
  #learn(req: Request, route: BookedRoute): boolean {
    const path: unknown = (req.route as { path?: unknown } | undefined)?.path;
    if (typeof path !== 'string') return true;
    const mounted = `${req.baseUrl}/${path}`;
    const name = mounted.toLowerCase();
    if (this.#learned.has(name) || name.length > LONGEST) return true;
    const pattern = parsePattern(mounted);
    if (pattern === undefined) return true;
    // What somebody in front has made of them, or has added, a URL does not tell.
    if (!hasSame(pattern.match(pathOf(req)), req.params)) return false;
    this.#learned.set(name, { pattern, route, app: req.app });
    return true;
  }
}

function hasSame(
  read: Readonly<Record<string, string>> | undefined,
  given: Readonly<Record<string, unknown>>,
): boolean {
  const names = Object.keys(given);
  return (
    read !== undefined && names.length === Object.keys(read).length && names.every((name) => read[name] === given[name])
  );
}

function readWith(route: BookedRoute, req: Request, { identity, headers }: AskedUrl): ReadUrl {
  const { type, graceMs } = route;
  if (route.ttlMs <= 0) return { type, graceMs, tags: [], bypass: { reason: 'ttl-zero' } };
  const described = route.describe(req, identity);
  if ('refuse' in described)
    return { type, graceMs, tags: [], bypass: { reason: described.reason, detail: described.refuse.detail } };
  if ('bypass' in described) {
    const { bypass: reason, detail } = described;
    return { type, graceMs, tags: [], bypass: { reason, ...(detail !== undefined && { detail }) } };
  }
  return { type, graceMs, key: route.keyOf(described.key, headers), tags: described.tags() };
}

/** A GET as Express would hand it on, without a connection behind it. */
function standIn(
  app: Request['app'],
  url: URL,
  params: Readonly<Record<string, string>>,
  { headers }: AskedUrl,
): Request {
  const parse = app.get('query parser fn') as ((text: string) => unknown) | undefined;
  const protocol = url.protocol.slice(0, -1);
  const target = `${url.pathname}${url.search}`;
  const members = {
    app,
    method: 'GET',
    url: target,
    originalUrl: target,
    baseUrl: '',
    path: url.pathname,
    params,
    query: parse?.(url.search.slice(1)) ?? {},
    headers: { ...headers, host: url.host },
    protocol,
    secure: protocol === 'https',
    hostname: url.hostname,
    host: url.host,
    socket: protocol === 'https' ? { encrypted: true } : {},
  };
  const req = Object.create(Reflect.get(app, 'request') as object) as Request;
  for (const [name, value] of Object.entries(members))
    Object.defineProperty(req, name, { value, enumerable: true, configurable: true, writable: true });
  return req;
}
