// Retry-After (RFC 9110 §10.2.3), seconds or a date, as seconds from now. Pure.

/** Nobody is believed who wants to be left alone for longer. */
const MOST_S = 3600;

/** Undefined: absent, or neither of the two. */
export function secondsOf(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 1), MOST_S);
}
