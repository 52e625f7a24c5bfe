// A request's correlation id around all that its handlers do.
import type { Request, RequestHandler } from 'express';
import { safeId, type Correlation } from '../core/correlation.js';

/** As pino-http and others set it. */
const idOf = (req: Request): unknown => (req as { readonly id?: unknown }).id;

/** @param correlation undefined: nobody wants to know. @param name of the application; what it throws is no name. */
export function correlated(
  correlation: Correlation | undefined,
  name: (req: Request) => unknown = idOf,
): (handler: RequestHandler) => RequestHandler {
  if (correlation === undefined) return (handler) => handler;
  const named = (req: Request): string | undefined => {
    try {
      return safeId(name(req));
    } catch {
      return undefined;
    }
  };
  return (handler) => (req, res, next) => {
    const id = named(req);
    // Also where a handler in front has named it already.
    if (id === undefined || id === correlation.id) handler(req, res, next);
    else correlation.run(id, () => handler(req, res, next));
  };
}
