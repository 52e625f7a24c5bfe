// Says of a report as of when the materialised views are that it was built from.
import type { NextFunction, Request, Response } from 'express';
import type { RouteViews } from '../contract/views.js';
import type { Description } from './route.js';

const HEADER = 'Report-As-Of';

/** A request whose report reads views: what it depends on through them, or a bypass while nobody knows. */
export function describedWith(
  views: RouteViews,
  describe: (req: Request) => Description,
): (req: Request) => Description {
  return (req) => {
    const described = describe(req);
    if (!('key' in described)) return described;
    const tags = views.tags();
    if (tags === undefined) return { bypass: 'unavailable', detail: 'a view is not connected' };
    return { ...described, tags: () => [...described.tags(), ...tags] };
  };
}

/**
 * Goes in front of a handler that will really run: what is said here is the handler's own word, so it is stored with its
 * answer and stays as it is for all who get that. Asked before the handler reads: its rows are no older than what it says.
 */
export function sayingAsOf(views: RouteViews, req: Request, res: Response, next: NextFunction): NextFunction {
  const go = next as (error?: unknown) => void;
  return (error?: unknown) => {
    if (error !== undefined || (req.method !== 'GET' && req.method !== 'HEAD')) {
      go(error);
      return;
    }
    void views.asOf().then((times) => {
      if (times.size > 0 && !res.headersSent) res.setHeader(HEADER, lineOf(times));
      go();
    });
  };
}

/** A dictionary of strings (RFC 9651 §3.2): `class_stats="2026-01-05T08:00:00.000Z"`. */
function lineOf(times: ReadonlyMap<string, Date>): string {
  return [...times].map(([name, time]) => `${name.toLowerCase()}="${time.toISOString()}"`).join(', ');
}
