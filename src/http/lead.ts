// A miss: lets the handler make the whole answer, tells the client what it may know, offers the bytes to the cache.
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Request, Response } from 'express';
import type { Clock } from '../contract/clock.js';
import type { HeaderField } from '../contract/entry.js';
import type { DeclineReason } from '../contract/events.js';
import type { Fallback, Load } from '../contract/reading.js';
import {
  browserCacheControl,
  givesLifetime,
  IDENTITY_FIELDS,
  keepPrivate,
  unstoredCacheControl,
} from './browser-policy.js';
import { captureResponse, type HeadDecision, type WholeBody } from './capture.js';
import { entityTagOf, isEntityTag, isNotModified, type Preconditions } from './conditional.js';
import { changedFields, fieldsOf, lineOf, storedFields, type Fields } from './header-fields.js';
import type { Edits } from './intercept.js';
import { cacheStatus, type Forward } from './labels.js';
import { isNegotiable, type Negotiation } from './negotiate.js';
import { BODY_FIELDS } from './not-modified.js';
import { isSendFileDefault, judgeAnswer, type Verdict } from './response-policy.js';
import type { ResolvedRoute } from './route.js';
import { isFailure, standIn } from './stand-in.js';
import { lineOfHeader, listFieldNames, mergeNames, VARIES_BY_CODING, type VaryMemory } from './vary.js';

export interface Leading {
  readonly req: Request;
  readonly res: Response;
  readonly route: ResolvedRoute;
  readonly vary: VaryMemory;
  readonly negotiation: Negotiation;
  readonly clock: Clock;
  readonly load: Load;
  /** What to send if the handler fails. */
  readonly fallback: Fallback | undefined;
  /** The key before header values were added to it. */
  readonly baseKey: string;
  readonly fwd: Forward;
  readonly detail: string | undefined;
}

/** Hidden from the handler so that it makes the whole answer; Range and If-Range may be ignored (RFC 9110 §14.2). */
const HIDDEN = ['if-none-match', 'if-modified-since', 'range', 'if-range'] as const;

/** Prepares the response for the handler. From here on the load is settled whatever happens to the response. */
export function lead(context: Leading): void {
  const { req, res, route, vary, negotiation, clock, load, fallback } = context;
  const before = fieldsOf(res);
  const startedAt = clock.now();
  const hidden = hideFrom(req.headers);
  const preconditions: Preconditions = {
    ifNoneMatch: hidden.taken.get('if-none-match'),
    ifModifiedSince: hidden.taken.get('if-modified-since'),
  };
  let accepted: Accepted | undefined;

  captureResponse(res, route.maxEntryBytes, {
    head(edits: Edits, whole: WholeBody | undefined): HeadDecision {
      hidden.giveBack();
      accepted = undefined;
      if (fallback !== undefined && isFailure(res.statusCode, route.storeStatuses) && !load.settled) {
        const decision = standIn(
          { req, res, route, vary, negotiation },
          before,
          fallback,
          edits,
          context.fwd,
          clock.now(),
        );
        if (decision !== undefined) {
          load.decline('error');
          return decision;
        }
      }
      const after = fieldsOf(res);
      const said = changedFields(before, after);
      const status = res.statusCode;
      const now = clock.now();
      const length = lineOf(after, 'content-length');
      const bytes = whole?.bytes ?? (length === undefined ? undefined : Number(length));
      // What is made of its key alone varies by nothing else.
      const demanded = route.loaded === undefined ? demandedVary(before, after) : [];
      const verdict = judge(context, said, demanded, status, bytes, now);
      const stated = sayToBrowser(edits, context, said, after, status, verdict, now - startedAt);
      const etag = chooseEtag(edits, after, verdict.store ? whole?.body : undefined);
      // This answer is as the handler wrote it; its hits may not be.
      if (verdict.store && isNegotiable(route.compress, (name) => lineOf(after, name), bytes)) {
        const names = listFieldNames(lineOfHeader(res.getHeader('Vary')));
        edits.set('Vary', mergeNames(names, VARIES_BY_CODING).join(', '));
      }
      if (verdict.store) {
        const { ttlMs, key, withoutGrace } = verdict;
        accepted = {
          status,
          etag,
          ...(ttlMs === undefined ? {} : { ttlMs }),
          ...(key === undefined ? {} : { key }),
          ...(withoutGrace && { withoutGrace: true as const }),
          headers: storedFields(
            said,
            verdict.without,
            new Map([
              ['cache-control', stated],
              ['vary', demanded.join(', ') || undefined],
            ]),
          ),
        };
      } else {
        load.decline(verdict.reason);
      }
      // Ranges of this route are not served from entries, so its own answers offer none either.
      edits.remove('Accept-Ranges');

      const known = verdict.store && bytes !== undefined;
      const note = verdict.store ? context.detail : verdict.reason;
      label(
        edits,
        res,
        route,
        `; fwd=${context.fwd}${known ? '; stored' : ''}${note === undefined ? '' : `; detail=${note}`}`,
      );

      const lastModified = lineOf(after, 'last-modified');
      // RFC 9110 §13.2.1: preconditions count only where the answer would be 2xx without them.
      const current = status >= 200 && status < 300 && isNotModified(preconditions, { etag, lastModified }, now);
      if (current) becomeNotModified(edits, res, vary);
      return { status: current ? 304 : status, collect: verdict.store, swallow: current };
    },

    complete(body: Buffer): void {
      if (res.statusCode === 200) vary.noteSent(res);
      try {
        if (accepted !== undefined) void load.store({ ...accepted, body, etag: accepted.etag ?? entityTagOf(body) });
      } finally {
        // Nothing once it was offered; otherwise whoever waits must not wait for ever.
        if (!load.settled) load.decline('error');
      }
    },

    abandon(reason): void {
      hidden.giveBack();
      load.decline(reason);
    },
  });
}

/** What an answer that may be stored will be stored as, but for its bytes. */
interface Accepted {
  readonly status: number;
  readonly headers: readonly HeaderField[];
  /** Unknown while the handler writes piece by piece and set none: made of the bytes at the end. */
  readonly etag: string | undefined;
  readonly ttlMs?: number;
  readonly key?: string;
  readonly withoutGrace?: true;
}

type Judgement =
  | (Extract<Verdict, { store: true }> & { readonly key?: string })
  | { readonly store: false; readonly reason: DeclineReason };

function judge(
  { req, route, vary, load, baseKey }: Leading,
  said: Fields,
  demanded: readonly string[],
  status: number,
  bytes: number | undefined,
  now: number,
): Judgement {
  // Settled elsewhere, e.g. by a close: nothing to offer any more.
  if (load.settled) return { store: false, reason: 'incomplete' };
  const verdict = judgeAnswer({ status, said, bytes }, route.storeStatuses, route.maxEntryBytes, now);
  if (!verdict.store) return verdict;
  // Past the bound the answer depends on more than a key should hold, which is what `Vary: *` says.
  if (!vary.learn(demanded)) return { store: false, reason: 'vary-star' };
  const key = vary.keyOf(route, baseKey, req.headers);
  return key === load.key ? verdict : { ...verdict, key };
}

/**
 * What middleware in front says of itself: CORS of its own headers, which no entry keeps, and a login of whom it has
 * recognised, which `identify` puts into the key.
 */
const SAID_IN_FRONT: ReadonlySet<string> = new Set(['origin', 'cookie', 'authorization']);

/** Header names that the answer varies by. One said in front counts: whether the handler meant it too, nobody can see. */
function demandedVary(before: Fields, after: Fields): string[] {
  const earlier = listFieldNames(lineOf(before, 'vary') ?? '').map((name) => name.toLowerCase());
  return listFieldNames(lineOf(after, 'vary') ?? '').filter((name) => {
    const key = name.toLowerCase();
    return !(SAID_IN_FRONT.has(key) && earlier.includes(key));
  });
}

/** Sets Cache-Control; returns the handler's own words, if any, for the entry. */
function sayToBrowser(
  edits: Edits,
  { route, load }: Leading,
  said: Fields,
  after: Fields,
  status: number,
  verdict: Judgement,
  elapsedMs: number,
): string | undefined {
  const inEffect = lineOf(after, 'cache-control');
  if (inEffect !== undefined && !isSendFileDefault(inEffect)) {
    const kept = keepPrivate(inEffect, route.share);
    if (kept !== inEffect) edits.set('Cache-Control', kept);
    return said.has('cache-control') ? kept : undefined;
  }
  if (said.has('expires') && verdict.store) {
    // The handler's lifetime, said the old way: only who may keep it is added.
    edits.set('Cache-Control', 'private');
    return 'private';
  }
  if (!verdict.store) {
    edits.set('Cache-Control', unstoredCacheControl(status, route.browser));
    return undefined;
  }
  const ttlMs = Math.min(load.ttlMs, verdict.ttlMs ?? Infinity);
  edits.set('Cache-Control', browserCacheControl(route.browser, 0, ttlMs - elapsedMs));
  if (givesLifetime(route.browser) && route.share !== 'everyone') {
    edits.set('Vary', mergeNames(listFieldNames(lineOf(after, 'vary') ?? ''), IDENTITY_FIELDS).join(', '));
  }
  return undefined;
}

/** The handler's entity-tag, or one made of the bytes where they are known and it set none that a browser could send back. */
function chooseEtag(edits: Edits, after: Fields, body: Buffer | undefined): string | undefined {
  const given = lineOf(after, 'etag');
  if (given !== undefined && isEntityTag(given)) return given;
  if (body === undefined) return undefined;
  const made = entityTagOf(body);
  edits.set('ETag', made);
  return made;
}

function becomeNotModified(edits: Edits, res: ServerResponse, vary: VaryMemory): void {
  for (const name of BODY_FIELDS) edits.remove(name);
  const now = listFieldNames(lineOfHeader(res.getHeader('Vary')));
  if (vary.sent.length > 0) edits.set('Vary', mergeNames(now, vary.sent).join(', '));
}

function label(edits: Edits, res: ServerResponse, route: ResolvedRoute, status: string): void {
  edits.set('X-Cache', 'MISS');
  edits.set('Cache-Status', cacheStatus(res, route.cacheName, { label: 'MISS', status }));
}

function hideFrom(headers: IncomingHttpHeaders) {
  const taken = new Map<string, string>();
  for (const name of HIDDEN) {
    const value = headers[name];
    if (typeof value !== 'string') continue;
    taken.set(name, value);
    delete headers[name];
  }
  let given = false;
  return {
    taken,
    giveBack(): void {
      if (given) return;
      given = true;
      for (const [name, value] of taken) headers[name] = value;
    },
  };
}
