// Pure: whether a browser sends a request for a page of another site (CSRF).
import type { IncomingHttpHeaders } from 'node:http';

/**
 * By what the browser itself says, Sec-Fetch-Site; over plain HTTP it says only Origin. Programs that are no browsers send neither.
 * Pages of the same site, on another port or subdomain, are left to the application's CORS: they cannot send JSON or DELETE without it.
 * @param hostname of this server, as the application knows it behind its proxies
 */
export function isCrossSite(headers: IncomingHttpHeaders, hostname: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'same-site' && site !== 'none';
  const { origin } = headers;
  if (origin === undefined) return false;
  // `null`, of a sandbox or a file, is no URL, and nobody's site.
  return !URL.canParse(origin) || new URL(origin).hostname !== hostname.replace(/:\d+$/, '');
}
