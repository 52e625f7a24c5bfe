// Pure: the Cache-Control that a browser is told.
import type { Share } from '../contract/identity.js';
import { has, parseCacheControl, printCacheControl } from './cache-control.js';
import type { BrowserPolicy } from './route.js';

/** Keep a copy, ask each time: the only policy under which an invalidation reaches the browser at once. */
export const ASK_EACH_TIME = 'private, no-cache';
export const KEEP_NOTHING = 'no-store';

/** The browser finds its copy by URL, not by user: without this, the next to log in on a machine sees the last one's report. */
export const IDENTITY_FIELDS = ['Cookie', 'Authorization'] as const;

/** Whether the policy lets a browser show its copy without asking, so that its copy needs {@link IDENTITY_FIELDS}. */
export function givesLifetime(policy: BrowserPolicy): boolean {
  return policy === 'ttl' || (typeof policy === 'number' && policy > 0);
}

/**
 * For an answer that the cache holds or will hold.
 * @param ageSeconds the Age sent with it; 0 on a miss, which sends none.
 * @param remainingMs until the entry is stale. The browser's copy never outlives it: max-age minus Age is at most this
 * (RFC 9111 §4.2.1), and never negative, which some caches take for "for ever".
 */
export function browserCacheControl(policy: BrowserPolicy, ageSeconds: number, remainingMs: number): string {
  if (policy === 'no-store') return KEEP_NOTHING;
  if (policy === 'revalidate' || policy === 0) return ASK_EACH_TIME;
  const remaining = Math.max(0, Math.floor(remainingMs / 1000));
  const lifetime = policy === 'ttl' ? remaining : Math.min(remaining, policy);
  return `private, max-age=${ageSeconds + lifetime}, must-revalidate`;
}

/**
 * For an answer that is not stored and about which nothing was said. No lifetime: it was given for a status that this
 * is not, or nothing would end it.
 */
export function unstoredCacheControl(status: number, policy: BrowserPolicy): string {
  return policy === 'no-store' || status >= 400 || status === 202 ? KEEP_NOTHING : ASK_EACH_TIME;
}

/**
 * What somebody else said, kept word for word unless a cache between here and the browser might then show it to another
 * reader: whatever not everyone may see is `private`, `public` never (RFC 9111 §5.2.2.7, §5.2.2.9).
 */
export function keepPrivate(line: string, share: Share): string {
  if (share === 'everyone') return line;
  const directives = parseCacheControl(line);
  const isPublic = has(directives, 'public');
  if (!isPublic && (has(directives, 'no-store') || directives.some((one) => one.name === 'private' && !one.value))) {
    return line;
  }
  const others = directives.filter(({ name, value }) => name !== 'public' && !(name === 'private' && !value));
  if (has(others, 'no-store')) return printCacheControl(others);
  return printCacheControl([{ name: 'private' }, ...others]);
}
