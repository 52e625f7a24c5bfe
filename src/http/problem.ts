// Answers that the cache gives by itself, as problem details (RFC 9457).
import type { Response } from 'express';
import { KEEP_NOTHING } from './browser-policy.js';
import { cacheStatus, type Outcome } from './labels.js';
import type { ProblemDetails, ResolvedRoute } from './route.js';

/** RFC 9111 §5.2.1.7: no usable entry and the request forbids to make one. */
export const ONLY_IF_CACHED: ProblemDetails = {
  type: 'about:blank',
  title: 'Gateway Timeout',
  status: 504,
  detail: 'The request asked for a stored report only, and none is fresh.',
  code: 'only-if-cached',
};

/** RFC 9110 §15.6.4: as many readers wait, or reports are computed, as this process may. */
export const OVERLOADED: ProblemDetails = {
  type: 'about:blank',
  title: 'Service Unavailable',
  status: 503,
  detail: 'Too many reports are being computed. Try again in a moment.',
  code: 'overload',
};

/** RFC 6585 §4: what may be spent on reports of this type in a day is spent. */
export const OVERSPENT: ProblemDetails = {
  type: 'about:blank',
  title: 'Too Many Requests',
  status: 429,
  detail: 'What may be spent on new reports today is spent. Stored ones are still served.',
  code: 'spend',
};

/** RFC 9110 §15.5.2 wants a challenge, which only the application could name: its login stands in front. */
export const NOBODY: ProblemDetails = {
  type: 'about:blank',
  title: 'Unauthorized',
  status: 401,
  detail: 'Log in to see this report.',
  code: 'no-identity',
};

/** When to try again, s: most reports that are computed now are done by then, and come from the cache. */
export const OVERLOADED_RETRY_S = 2;

/** Sends `problem`; never to be kept, because the next answer may differ. */
export function sendProblem(res: Response, route: ResolvedRoute, outcome: Outcome, problem: ProblemDetails): void {
  res.setHeader('X-Cache', outcome.label);
  res.setHeader('Cache-Status', cacheStatus(res, route.cacheName, outcome));
  res.setHeader('Cache-Control', KEEP_NOTHING);
  writeProblem(res, problem);
}

/** Sends `problem` as it is, for who has been labelled already. */
export function writeProblem(res: Response, problem: ProblemDetails): void {
  const body = Buffer.from(JSON.stringify(problem));
  res.statusCode = problem.status;
  res.setHeader('Content-Type', 'application/problem+json');
  res.setHeader('Content-Length', body.length);
  if (res.req.method === 'HEAD') res.end();
  else res.end(body);
}
