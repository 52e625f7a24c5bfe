// Pure but for what the route does: from request to what the middleware does first, without touching the response.
import type { Request } from 'express';
import { errorText } from '../contract/errors.js';
import type { BypassReason } from '../contract/events.js';
import type { ReadRequest } from '../contract/reading.js';
import type { Forward } from './labels.js';
import { isUnsafe, planRequest } from './request-policy.js';
import type { ProblemDetails, ResolvedRoute } from './route.js';
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
  const request: ReadRequest = {
    key: vary.keyOf(route, description.key, req.headers),
    type: route.type,
    owner: description.owner,
    tags: description.tags,
    ttlMs: route.ttlMs,
    freshness: route.freshness,
    consistency: route.consistency,
    coalesce: route.coalesce,
    refresh: wish.refresh,
    onlyIfCached: wish.onlyIfCached,
  };
  const { accept } = wish;
  const atLeast = route.atLeast(req);
  const wishes = { ...(accept !== undefined && { accept }), ...(atLeast !== undefined && { atLeast }) };
  const asked = accept === undefined && atLeast === undefined ? request : { ...request, ...wishes };
  return { do: 'ask', request: asked, baseKey: description.key };
}
