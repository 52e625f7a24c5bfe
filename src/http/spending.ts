// Routes whose runs cost something: who may begin one, and for whom it is counted that goes on beside the cache.
import type { Request, Response } from 'express';
import type { Refusal } from '../contract/costs.js';
import { answeredHere } from './labels.js';
import { OVERSPENT, sendProblem } from './problem.js';
import type { ResolvedRoute } from './route.js';

/** Whom a run is counted for where the cache has no key for it; nobody: all of those together. */
export function ownerOf(req: Request, route: ResolvedRoute): string {
  try {
    return route.spending?.ownerOf(req) ?? '';
  } catch {
    // An error of the application's `identify`, which is a bypass.
    return '';
  }
}

/**
 * Goes on where a new run may begin, at once unless the type has a limit; else says no.
 * @param failed gets what `go` throws later than this.
 */
export function whereAdmitted(
  route: ResolvedRoute,
  owner: string,
  go: () => void,
  refuse: (refusal: Refusal) => void,
  failed: (error: unknown) => void,
): void {
  const asked = route.spending?.admit(owner);
  if (asked === undefined) go();
  else asked.then((refusal) => (refusal === undefined ? go() : refuse(refusal))).catch(failed);
}

/** A handler without the cache. */
export function beside(route: ResolvedRoute, owner: string, next: () => void): void {
  if (route.spending === undefined) next();
  else route.spending.beside(owner, () => next());
}

/** 429 until the day is over (RFC 6585 §4, RFC 9110 §10.2.3). */
export function sendOverspent(res: Response, route: ResolvedRoute, { retryMs }: Refusal): void {
  res.setHeader('Retry-After', Math.ceil(retryMs / 1000));
  sendProblem(res, route, answeredHere('BYPASS', 'spend'), OVERSPENT);
}
