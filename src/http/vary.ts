// Vary: which request headers this route's answers depend on, learnt from the answers themselves.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { ResolvedRoute } from './route.js';

/** So many header names may enter a key; a handler that varies by more has no useful entries. */
export const MOST_VARY_NAMES = 8;

/** What the Vary of an answer names that may be sent in a content coding (RFC 9110 §12.5.5). */
export const VARIES_BY_CODING = ['Accept-Encoding'] as const;

/** The field names of a Vary line, as spelled; `*` among them stays. */
export function listFieldNames(line: string): string[] {
  return line
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** Adds names to the Vary that the response has so far, each once whatever its case. `Vary: *` already says it all. */
export function addVary(res: ServerResponse, names: readonly string[]): void {
  const [only] = names;
  if (only === undefined) return;
  const now = lineOfHeader(res.getHeader('Vary'));
  // The usual case of a hit: nothing to read, nothing to compare.
  if (now === '' && names.length === 1) res.setHeader('Vary', only);
  else res.setHeader('Vary', mergeNames(listFieldNames(now), names).join(', '));
}

export function mergeNames(some: readonly string[], more: readonly string[]): string[] {
  const merged = [...some];
  if (merged.includes('*')) return merged;
  const known = new Set(some.map((name) => name.toLowerCase()));
  for (const name of more) {
    if (known.has(name.toLowerCase())) continue;
    known.add(name.toLowerCase());
    merged.push(name);
  }
  return merged;
}

/** Several Vary lines add up (RFC 9110 §12.5.5). */
export function lineOfHeader(value: number | string | readonly string[] | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'object' ? value.join(', ') : String(value);
}

/**
 * What one route has learnt. The header names that its handler's Vary has demanded so far enter the key of every
 * request, so a look-up needs one step; a name learnt late only makes older entries of that route unreachable, never
 * wrong. Beside them, the Vary that went out with its 200s, hooks of earlier middleware included: those hooks leave it
 * out of a 304 (compression does), which must repeat it (RFC 9110 §15.4.5).
 */
export class VaryMemory {
  #names: readonly string[] = [];
  #sent: readonly string[] = [];
  /** Answers of a route say the same again and again. */
  #lastNoted: ReturnType<ServerResponse['getHeader']>;

  /** Lower case and sorted, so that every process makes the same key. */
  get names(): readonly string[] {
    return this.#names;
  }

  get sent(): readonly string[] {
    return this.#sent;
  }

  /** The key of a request, with the values of every header that answers of this route vary by (RFC 9111 §4.1). */
  keyOf(route: Pick<ResolvedRoute, 'varyKey'>, key: string, headers: IncomingHttpHeaders): string {
    return this.#names.length === 0 ? key : route.varyKey(key, this.#names, valuesOf(headers, this.#names));
  }

  /** Takes in what a handler's Vary names; false when that would be too many, and then nothing is learnt. */
  learn(names: readonly string[]): boolean {
    if (names.every((name) => this.#names.includes(name.toLowerCase()))) return true;
    const grown = new Set([...this.#names, ...names.map((name) => name.toLowerCase())]);
    if (grown.size > MOST_VARY_NAMES) return false;
    this.#names = [...grown].toSorted();
    return true;
  }

  /** Remembers the Vary of a 200 as it was sent. */
  noteSent(res: ServerResponse): void {
    const value = res.getHeader('Vary');
    if (value === undefined || value === this.#lastNoted) return;
    this.#lastNoted = value;
    const names = listFieldNames(lineOfHeader(value));
    if (names.includes('*')) return;
    if (names.every((name) => this.#sent.includes(name))) return;
    this.#sent = mergeNames(this.#sent, names).slice(0, 2 * MOST_VARY_NAMES);
  }
}

/** The request's values for these names; absent is `undefined`, which differs from empty (RFC 9111 §4.1). */
export function valuesOf(headers: IncomingHttpHeaders, names: readonly string[]): (string | undefined)[] {
  return names.map((name) => {
    const value = headers[name];
    return typeof value === 'object' ? value.join(', ') : value;
  });
}
