// Pure but for what the route does: from request to what the middleware does first, without touching the response.
import type { Request } from 'express';
import { errorText } from '../contract/errors.js';
import type { BypassReason } from '../contract/events.js';
import type { Position } from '../contract/entry.js';
import type { Coalesce, Freshness, ReadRequest } from '../contract/reading.js';
import type { Consistency } from '../contract/store.js';
import type { Forward } from './labels.js';
import { isUnsafe, planRequest, type LookUp } from './request-policy.js';
import type { Described, ProblemDetails, ResolvedRoute } from './route.js';
import type { VaryMemory } from './vary.js';

export interface Ask {
  readonly do: 'ask';
  readonly request: ReadRequest;
  /** The key before header values were added to it. */
  readonly baseKey: string;
}

export interface Pass {
  readonly do: 'pass';
  readonly reason: BypassReason;
  readonly fwd: Forward;
  readonly detail?: string;
  /** What the request invalidates if it succeeds. */
  readonly targets?: readonly string[];
}

export interface Refuse {
  readonly do: 'refuse';
  readonly reason: BypassReason;
  readonly problem: ProblemDetails;
}

/** The application's function for the tags has failed. */
export class TagsError extends Error {}

/** Never throws: what fails in the route's functions is a bypass. */
export function planStep(req: Request, route: ResolvedRoute, vary: VaryMemory): Ask | Pass | Refuse {
  try {
    return stepFor(req, route, vary);
  } catch (error) {
    const detail = errorText(error);
    return req.method === 'GET' || req.method === 'HEAD'
      ? { do: 'pass', reason: 'key', fwd: 'bypass', detail }
      : { do: 'pass', reason: 'method', fwd: 'method', detail };
  }
}

function stepFor(req: Request, route: ResolvedRoute, vary: VaryMemory): Ask | Pass | Refuse {
  const wish = planRequest(req.method, req.headers, route.requestDirectives);
  if (wish.kind === 'bypass') {
    if (wish.reason !== 'method') return { do: 'pass', reason: wish.reason, fwd: 'request' };
    return { do: 'pass', reason: 'method', fwd: 'method', targets: isUnsafe(req.method) ? route.targetTags(req) : [] };
  }
  if (route.ttlMs <= 0) return { do: 'pass', reason: 'ttl-zero', fwd: 'bypass' };
  const description = route.describe(req);
  if ('bypass' in description) {
    const { bypass: reason, detail } = description;
    return { do: 'pass', reason, fwd: 'bypass', ...(detail === undefined ? {} : { detail }) };
  }
  if ('refuse' in description) return { do: 'refuse', problem: description.refuse, reason: description.reason };
  const key = vary.keyOf(route, description.key, req.headers);
  return {
    do: 'ask',
    request: new RouteRequest(route, description, key, wish, route.atLeast(req), req.method === 'HEAD'),
    baseKey: description.key,
  };
}

/** A request in the terms of the core. */
class RouteRequest implements ReadRequest {
  readonly owner: string;
  readonly refresh: boolean;
  readonly onlyIfCached: boolean;
  readonly accept: ReadRequest['accept'];
  #tags: readonly string[] | undefined;

  constructor(
    private readonly route: ResolvedRoute,
    private readonly described: Described,
    readonly key: string,
    wish: LookUp,
    readonly atLeast: Position | undefined,
    readonly storesNothing: boolean,
  ) {
    this.owner = described.owner;
    this.refresh = wish.refresh;
    this.onlyIfCached = wish.onlyIfCached;
    this.accept = wish.accept;
  }

  /** @throws TagsError */
  get tags(): readonly string[] {
    if (this.#tags === undefined) {
      try {
        this.#tags = this.described.tags();
      } catch (error) {
        throw new TagsError(errorText(error), { cause: error });
      }
    }
    return this.#tags;
  }

  get type(): string {
    return this.route.type;
  }

  get ttlMs(): number {
    return this.route.ttlMs;
  }

  get freshness(): Freshness {
    return this.route.freshness;
  }

  get consistency(): Consistency {
    return this.route.consistency;
  }

  get waitMs(): number | undefined {
    return this.route.waitMs;
  }

  get coalesce(): Coalesce {
    return this.route.coalesce;
  }

  get persist(): boolean {
    return this.route.persist === true;
  }
}
