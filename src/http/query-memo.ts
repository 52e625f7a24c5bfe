// Remembers what a URL with its query comes to, so that a report asked for again is neither parsed nor hashed again.
import { LRUCache } from 'lru-cache';

interface Known {
  readonly names: readonly string[];
  readonly values: readonly string[];
  readonly hash: string;
}

/** Of one route. With the longest URL they come to about a megabyte, whatever clients send. */
const MOST_KEPT = 1000;
const LONGEST_URL = 512;

/**
 * Found by the URL but believed only if the query, as the application's parser and other middleware have made it, has
 * the same members as then: what somebody has put into `req.query` counts, as it does without a memo. For flat queries
 * of strings; all others are parsed each time.
 */
export class QueryMemo {
  readonly #known = new LRUCache<string, Known>({ max: MOST_KEPT });

  get(url: string, query: unknown): string | undefined {
    const known = this.#known.get(url);
    return known !== undefined && isFlat(query) && sameMembers(known, query) ? known.hash : undefined;
  }

  set(url: string, query: unknown, hash: string): void {
    if (url.length > LONGEST_URL || !isFlat(query)) return;
    const values = Object.values(query);
    if (values.every((value) => typeof value === 'string')) {
      this.#known.set(url, { names: Object.keys(query), values, hash });
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
