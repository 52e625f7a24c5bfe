// One copy of header fields for all entries that carry the same ones, as the reports of a route do.
import { LRUCache } from 'lru-cache';
import type { HeaderField } from '../../contract/entry.js';

/** Sets of fields that are known, of so many characters each at most: a quarter of a megabyte, whatever handlers set. */
const MOST_KEPT = 256;
const LONGEST = 1024;

export class SharedHeaders {
  readonly #known = new LRUCache<string, readonly HeaderField[]>({ max: MOST_KEPT });

  /** The same fields; the same array where they have been met before. Nobody changes the fields of an entry. */
  of(headers: readonly HeaderField[]): readonly HeaderField[] {
    const text = JSON.stringify(headers);
    if (text.length > LONGEST) return headers;
    const known = this.#known.get(text);
    if (known === undefined) this.#known.set(text, headers);
    return known ?? headers;
  }
}
