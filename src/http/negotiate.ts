// Content negotiation: which form of an entry's body a request gets, and which it would rather have had (RFC 9110 §12.5.3).
import type { ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Coding, Entry, Form } from '../contract/entry.js';
import { bytesIn } from '../entry/codings.js';
import { has, parseCacheControl } from './cache-control.js';
import type { CompressPolicy } from './route.js';
import { lineOfHeader, listFieldNames } from './vary.js';

export interface Choice {
  readonly form: Form;
  /** Whether another request may get another form, which Vary then has to say. */
  readonly negotiable: boolean;
  /** What this request would rather have had: to be made for those who come later. */
  readonly wanted?: Coding;
}

/** Text in its many names; what is compressed in itself (images, archives, office documents) only costs time. */
const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)[^;\s]+|application\/(?:[^;\s]+\+)?(?:json|xml)|application\/(?:javascript|x-ndjson|ndjson|json-seq|yaml)|image\/svg\+xml)\s*(?:;|$)/i;

/** They speak of the very bytes sent, or forbid others (RFC 9530 §2, §3; RFC 9110 §8.4). */
const BOUND_TO_BYTES = ['content-encoding', 'content-digest', 'repr-digest', 'digest', 'content-md5', 'content-range'];

/**
 * Whether an answer with these fields may be sent in a coding. Not where the handler's Vary names Accept-Encoding: then
 * the handler, or compression behind the cache, has chosen already.
 * @param field the value of a field by its lower-case name.
 * @param bytes its size as the handler wrote it; unknown counts as large.
 */
export function isNegotiable(
  { codings, minBytes }: CompressPolicy,
  field: (name: string) => string | undefined,
  bytes: number | undefined,
): boolean {
  if (codings.length === 0 || (bytes !== undefined && bytes < minBytes)) return false;
  if (!COMPRESSIBLE.test(field('content-type') ?? '')) return false;
  if (BOUND_TO_BYTES.some((name) => field(name) !== undefined) || forbidsTransform(field('cache-control')))
    return false;
  return !listFieldNames(field('vary') ?? '').some((name) => name.toLowerCase() === 'accept-encoding');
}

/** RFC 9110 §12.4.2. */
const MEMBER = /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/;

/**
 * The codings that the sender likes at least as well as none, best first; where he does not care, in the order of
 * `offered`. Without the field none: any would be allowed, but who does not ask may not be able to read it. What is
 * malformed is not there.
 */
export function preferredCodings(acceptEncoding: string | undefined, offered: readonly Coding[]): readonly Coding[] {
  const weights = new Map<string, number>();
  for (const member of acceptEncoding?.split(',') ?? []) {
    const [, name, weight] = MEMBER.exec(member) ?? [];
    // RFC 9110 §8.4.1.3: x-gzip is gzip.
    if (name !== undefined) weights.set(name.toLowerCase().replace(/^x-(?=gzip$)/, ''), Number(weight ?? 1));
  }
  const others = weights.get('*') ?? 0;
  const weightOf = (coding: Coding) => weights.get(coding) ?? others;
  const asWritten = weights.get('identity') ?? 0;
  return offered
    .filter((coding) => weightOf(coding) > 0 && weightOf(coding) >= asWritten)
    .toSorted((one, other) => weightOf(other) - weightOf(one));
}

/** Browsers send a handful of different lines. With the longest they come to a few kilobytes, whatever clients send. */
const MOST_KEPT = 64;
const LONGEST_KEPT = 128;

const UNTOUCHED: Choice = { form: 'identity', negotiable: false };

/** The choices of one route. What depends on the entry alone, or on the request's line alone, is found out once. */
export class Negotiation {
  readonly #policy: CompressPolicy;
  readonly #preferences = new LRUCache<string, readonly Coding[]>({ max: MOST_KEPT });
  readonly #negotiable = new WeakMap<Entry, boolean>();

  constructor(policy: CompressPolicy) {
    this.#policy = policy;
  }

  /** Lines of Accept-Encoding that need not be read again. */
  get remembered(): number {
    return this.#preferences.size;
  }

  /**
   * The best of what is there. Where none of the wanted forms is, identity, also for who refuses it: the field is advice
   * (§12.1), and he is served better the next time.
   * @param res as it is before the entry's fields: what was set in front counts, too.
   */
  choose(entry: Entry, acceptEncoding: string | undefined, res: Pick<ServerResponse, 'getHeader'>): Choice {
    if (!this.#isNegotiable(entry) || isFixedInFront(res)) return UNTOUCHED;
    const preferences = this.#preferencesOf(acceptEncoding);
    for (const coding of preferences) {
      if (bytesIn(entry, coding) !== undefined) return { form: coding, negotiable: true };
    }
    const [wanted] = preferences;
    return { form: 'identity', negotiable: true, ...(wanted !== undefined && { wanted }) };
  }

  #isNegotiable(entry: Entry): boolean {
    const known = this.#negotiable.get(entry);
    if (known !== undefined) return known;
    const field = (name: string) => {
      const [, value] = entry.headers.find(([stored]) => stored.toLowerCase() === name) ?? [];
      return value === undefined ? undefined : lineOfHeader(value);
    };
    const negotiable = isNegotiable(this.#policy, field, bytesIn(entry, 'identity')?.length);
    this.#negotiable.set(entry, negotiable);
    return negotiable;
  }

  #preferencesOf(line: string | undefined): readonly Coding[] {
    if (line === undefined) return [];
    const known = this.#preferences.get(line);
    if (known !== undefined) return known;
    const preferences = preferredCodings(line, this.#policy.codings);
    if (line.length <= LONGEST_KEPT) this.#preferences.set(line, preferences);
    return preferences;
  }
}

function isFixedInFront(res: Pick<ServerResponse, 'getHeader'>): boolean {
  return (
    res.getHeader('Content-Encoding') !== undefined || forbidsTransform(lineOfHeader(res.getHeader('Cache-Control')))
  );
}

/** RFC 9111 §5.2.2.6. */
function forbidsTransform(cacheControl: string | undefined): boolean {
  return cacheControl !== undefined && cacheControl !== '' && has(parseCacheControl(cacheControl), 'no-transform');
}
