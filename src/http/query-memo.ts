// Remembers what a URL with its query comes to, so that a report asked for again is neither parsed nor hashed again.
import type { Request } from 'express';
import { LRUCache } from 'lru-cache';
import { urlParserOf } from './url-parser.js';

interface Known {
  /** What made the query of the request's URL, and of which URL; absent: it was not made of the URL alone. */
  readonly parser: unknown;
  readonly url: string;
  readonly names: readonly string[];
  readonly values: readonly string[];
  readonly hash: string;
}

/** Of one route. With the longest URL they come to about a megabyte, whatever clients send. */
const MOST_KEPT = 1000;
const LONGEST_URL = 512;

/**
 * Found by the target but believed only if the query is the same as then. Where Express makes it of the URL alone, the URL
 * tells. Otherwise the query, as the application's parser and other middleware have made it, must have the same members:
 * what somebody has put into `req.query` counts, as it does without a memo. For flat queries of strings; all others are
 * parsed each time.
 */
export class QueryMemo {
  readonly #known = new LRUCache<string, Known>({ max: MOST_KEPT });

  /** @param target the URL in full: host, path and query. */
  get(target: string, req: Request): string | undefined {
    const known = this.#known.get(target);
    if (known === undefined) return undefined;
    const parser = urlParserOf(req);
    if (parser !== undefined && parser === known.parser && req.url === known.url) return known.hash;
    const query: unknown = req.query;
    return isFlat(query) && sameMembers(known, query) ? known.hash : undefined;
  }

  set(target: string, req: Request, hash: string): void {
    const query: unknown = req.query;
    if (target.length > LONGEST_URL || !isFlat(query)) return;
    const values = Object.values(query);
    if (values.every((value) => typeof value === 'string')) {
      this.#known.set(target, { parser: urlParserOf(req), url: req.url, names: Object.keys(query), values, hash });
    }
  }
}

function isFlat(query: unknown): query is Readonly<Record<string, unknown>> {
  return typeof query === 'object' && query !== null && !Array.isArray(query);
}

function sameMembers({ names, values }: Known, query: Readonly<Record<string, unknown>>): boolean {
  const present = Object.keys(query);
  return (
    present.length === names.length &&
    present.every((name, index) => name === names[index] && query[name] === values[index])
  );
}
