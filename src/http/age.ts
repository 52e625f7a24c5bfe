// How old an entry is, for Age, max-age and min-fresh alike.
import type { Entry } from '../contract/entry.js';
import { parseDeltaSeconds } from './cache-control.js';

/**
 * Milliseconds since generation, plus the Age that the handler's answer already had (RFC 9111 §4.2.3). Capture keeps
 * that one under its canonical name; a clock set back makes nothing younger than new.
 */
export function ageMs(entry: Entry, now: number): number {
  let received = 0;
  for (const [name, value] of entry.headers) if (name === 'Age') received = parseDeltaSeconds(String(value)) ?? 0;
  return Math.max(0, now - entry.createdAt) + received * 1000;
}
