// Answers that the cache has no part in: labelled, kept out of shared caches, otherwise the handler's own.
import type { Response } from 'express';
import { KEEP_NOTHING, keepPrivate, unstoredCacheControl } from './browser-policy.js';
import { byteLengthOf, interceptHead, methodOf, patch, sendHeadFor } from './intercept.js';
import { cacheStatus, type Outcome } from './labels.js';
import { isSendFileDefault } from './response-policy.js';
import type { ResolvedRoute } from './route.js';
import { lineOfHeader } from './vary.js';

/** Labels the answer when its headers go out, so that an error handler that clears the headers keeps the label. */
export function passThrough(res: Response, route: ResolvedRoute, outcome: Outcome): void {
  interceptHead(
    res,
    (edits) => {
      edits.set('X-Cache', outcome.label);
      edits.set('Cache-Status', cacheStatus(res, route.cacheName, outcome));
      const cacheControl = saidToBrowser(res, route);
      if (cacheControl !== undefined) edits.set('Cache-Control', cacheControl);
      return res.statusCode;
    },
    // Only labels are lost, and they were taken back.
    () => undefined,
  );
}

function saidToBrowser(res: Response, route: ResolvedRoute): string | undefined {
  const { method } = res.req;
  // Answers to other safe methods, a CORS preflight above all, say what they want to say.
  if (outsideCaching(method)) return undefined;
  const said = lineOfHeader(res.getHeader('Cache-Control'));
  if (said !== '' && !isSendFileDefault(said)) return keepPrivate(said, route.share);
  if (said === '' && res.hasHeader('Expires')) return 'private';
  const read = method === 'GET' || method === 'HEAD';
  return read ? unstoredCacheControl(res.statusCode, route.browser) : KEEP_NOTHING;
}

function outsideCaching(method: string): boolean {
  return method === 'OPTIONS' || method === 'TRACE';
}

/**
 * Holds the end of a successful answer until `invalidate` has resolved, so that the next request of whoever gets it
 * sees the change (RFC 9111 §4.4); an answer of 4xx or 5xx changed nothing and is not held. The headers are fixed at
 * once but not sent: fetch() resolves on headers, and a later `next()` must find `headersSent`.
 */
export function holdEndFor(res: Response, invalidate: () => Promise<void>): void {
  const original = methodOf(res, 'end');
  let held = false;
  patch(res, 'end', (...args) => {
    if (held) return res;
    const chunk = typeof args[0] === 'function' ? undefined : args[0];
    const size = chunk === undefined || chunk === null ? 0 : byteLengthOf(chunk, args[1]);
    if (size === undefined || res.statusCode < 200 || res.statusCode >= 400) {
      return original(...args);
    }
    if (!res.headersSent) sendHeadFor(res, size);
    held = true;
    const release = () => {
      original(...args);
    };
    // A hook in front that throws finds no caller to throw to any more.
    invalidate()
      .then(release, release)
      .catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
    return res;
  });
}
