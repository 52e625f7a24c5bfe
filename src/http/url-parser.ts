// Whether a request's query is what Express makes of its URL and of nothing else.
import type { Request } from 'express';

/** Express 5 parses at every look; how, only its source tells. By the getter, of which a process has one. */
const FROM_URL = new WeakMap<() => unknown, boolean>();

/**
 * The parser that turns the query string of `req.url` into `req.query`, where that is all that happens: the same URL then has
 * the same query. Absent where Express 4 or middleware have put a query there, or anybody has replaced the getter.
 */
export function urlParserOf(req: Request): unknown {
  const getter = queryGetterOf(req);
  if (getter === undefined) return undefined;
  let known = FROM_URL.get(getter);
  if (known === undefined) {
    known = isExpressOwn(getter);
    FROM_URL.set(getter, known);
  }
  return known ? req.app.get('query parser fn') : undefined;
}

function queryGetterOf(req: Request): (() => unknown) | undefined {
  let holder: unknown = req;
  while (typeof holder === 'object' && holder !== null) {
    const query = Object.getOwnPropertyDescriptor(holder, 'query');
    if (query !== undefined) return query.get;
    holder = Object.getPrototypeOf(holder);
  }
  return undefined;
}

function isExpressOwn(getter: () => unknown): boolean {
  const source = getter.toString().replace(/\s+/g, ' ');
  return source.includes("this.app.get('query parser fn')") && source.includes('parse(this).query');
}
