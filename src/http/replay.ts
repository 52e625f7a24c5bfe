// A hit: sends an entry's bytes, or 304 to whoever has them already. No parsing, no serialising, no hashing.
import type { IncomingHttpHeaders } from 'node:http';
import type { Request, Response } from 'express';
import type { Entry } from '../contract/entry.js';
import { bytesIn } from '../entry/codings.js';
import { ageMs } from './age.js';
import { browserCacheControl, givesLifetime, IDENTITY_FIELDS, keepPrivate } from './browser-policy.js';
import { isNotModified, weakened } from './conditional.js';
import { cacheStatus, type Outcome } from './labels.js';
import type { Choice, Negotiation } from './negotiate.js';
import { BODY_FIELDS } from './not-modified.js';
import type { ResolvedRoute } from './route.js';
import { addVary, lineOfHeader, listFieldNames, VARIES_BY_CODING, type VaryMemory } from './vary.js';

export interface Replay {
  readonly req: Request;
  readonly res: Response;
  readonly route: ResolvedRoute;
  readonly vary: VaryMemory;
  readonly negotiation: Negotiation;
}

/**
 * Sends through setHeader, statusCode and end, so that hooks of earlier middleware (compression, sessions, response
 * time) run as for any answer. `Range` is ignored, as RFC 9110 §14.2 allows, and so is If-Match, as §13.1.1 allows a
 * cache.
 */
export function replay(parts: Replay, entry: Entry, choice: Choice, outcome: Outcome, now: number): void {
  const { req, res, vary } = parts;
  const body = prepareReplay(parts, entry, choice, outcome, now);
  if (body === undefined || req.method === 'HEAD') res.end();
  else res.end(body);
  if (res.statusCode === 200 && req.method === 'GET') vary.noteSent(res);
}

/** Sets status and headers. @returns what is to follow them; absent for 304 and 204. */
export function prepareReplay(
  { req, res, route, vary }: Replay,
  entry: Entry,
  { form, negotiable }: Choice,
  outcome: Outcome,
  now: number,
): Buffer | undefined {
  const body = bytesIn(entry, form);
  if (body === undefined) throw new Error(`The entry is not there as ${form}.`);
  // RFC 9110 §8.8.3.3: a strong tag names one sequence of bytes, and these are others.
  const etag = form === 'identity' ? entry.etag : weakened(entry.etag);
  const current = isCurrent(req.headers, entry, etag, now);

  res.statusCode = current ? 304 : entry.status;
  const ageSeconds = Math.floor(ageMs(entry, now) / 1000);
  sayCacheControl(res, route, entry, ageSeconds, now);
  for (const [name, value] of entry.headers) {
    if (name === 'Vary') addVary(res, listFieldNames(lineOfHeader(value)));
    else if (name !== 'Age' && !(current && BODY_FIELDS.has(name.toLowerCase()))) res.setHeader(name, value);
  }
  if (etag !== '') res.setHeader('ETag', etag);
  // RFC 9110 §12.5.5: also where it is sent as it is, for another request might have it otherwise.
  if (negotiable) addVary(res, VARIES_BY_CODING);
  // RFC 9111 §5.1: Age is what tells a reader that this answer was not made for this request.
  res.setHeader('Age', String(ageSeconds));
  res.setHeader('X-Cache', outcome.label);
  res.setHeader('Cache-Status', cacheStatus(res, route.cacheName, outcome));

  if (current) {
    addVary(res, vary.sent);
    return undefined;
  }
  if (form !== 'identity') res.setHeader('Content-Encoding', form);
  // RFC 9110 §8.6: no Content-Length on 204; everywhere else exact, for HTTP/1.0 and for HEAD.
  if (entry.status === 204) return undefined;
  res.setHeader('Content-Length', body.length);
  return body;
}

/** RFC 9110 §13.2.1: preconditions count only where the answer would be 2xx without them. */
function isCurrent(headers: IncomingHttpHeaders, entry: Entry, etag: string, now: number): boolean {
  const ifNoneMatch = headers['if-none-match'];
  const ifModifiedSince = headers['if-modified-since'];
  if (ifNoneMatch === undefined && ifModifiedSince === undefined) return false;
  if (entry.status < 200 || entry.status > 299) return false;
  const lastModified = storedLine(entry, 'Last-Modified');
  return isNotModified({ ifNoneMatch, ifModifiedSince }, { etag: etag === '' ? undefined : etag, lastModified }, now);
}

/** Removes what a failed replay has left, so that the handler starts from a clean response. */
export function takeBack(res: Response, entry: Entry): void {
  res.statusCode = 200;
  for (const [name] of entry.headers) res.removeHeader(name);
  for (const name of ['ETag', 'Age', 'Cache-Control', 'X-Cache', 'Cache-Status', 'Content-Encoding', 'Content-Length'])
    res.removeHeader(name);
}

/** The handler's own Cache-Control comes with the stored fields; one set in front for this request stays. */
function sayCacheControl(res: Response, route: ResolvedRoute, entry: Entry, ageSeconds: number, now: number): void {
  if (storedLine(entry, 'Cache-Control') !== undefined) return;
  const inFront = res.getHeader('Cache-Control');
  if (inFront !== undefined) {
    res.setHeader('Cache-Control', keepPrivate(lineOfHeader(inFront), route.share));
    return;
  }
  res.setHeader('Cache-Control', browserCacheControl(route.browser, ageSeconds, entry.staleAt - now));
  if (givesLifetime(route.browser) && route.share !== 'everyone') addVary(res, IDENTITY_FIELDS);
}

/** By canonical name, as capture stores it. */
function storedLine(entry: Entry, name: string): string | undefined {
  for (const [stored, value] of entry.headers) if (stored === name) return lineOfHeader(value);
  return undefined;
}
