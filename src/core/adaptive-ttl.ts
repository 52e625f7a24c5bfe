// Pure: how long a report is fresh, learned from whether it had changed each time its ttl was over, and from what it costs.
import type { Entry } from '../contract/entry.js';
import type { TtlReason } from '../contract/events.js';
import type { AdaptiveTtl, Draft } from '../contract/reading.js';
import { ADAPTIVE_TTL } from '../options/defaults.js';

const { step, spread, lifePerCost } = ADAPTIVE_TTL;

/** The least and the most that `ttlMs` adapts to, ms. */
export function boundsOf(
  ttlMs: number,
  { minMs, maxMs }: AdaptiveTtl,
): { readonly minMs: number; readonly maxMs: number } {
  return { minMs: minMs ?? Math.ceil(ttlMs / spread), maxMs: maxMs ?? ttlMs * spread };
}

/** The longest that an entry of this ttl may be fresh, ms. */
export function longestTtl(ttlMs: number, adaptive: AdaptiveTtl | undefined): number {
  return adaptive === undefined ? ttlMs : boundsOf(ttlMs, adaptive).maxMs;
}

/** The ttl with which a computation begins, ms: what the entry before it has left word of, if there is one. */
export function ttlAfter(
  previous: Pick<Entry, 'nextTtlMs'> | undefined,
  ttlMs: number,
  adaptive: AdaptiveTtl | undefined,
): number {
  if (adaptive === undefined || ttlMs <= 0) return ttlMs;
  return within(previous?.nextTtlMs ?? ttlMs, ttlMs, adaptive);
}

/** What a computation has shown of its report. */
export interface Lesson {
  /** The ttl with which it began, ms. */
  readonly lastMs: number;
  /** What it took, ms. */
  readonly computeMs: number;
  /** Whether the bytes were those of the entry whose ttl was over; `undefined`: nobody can tell. */
  readonly same: boolean | undefined;
}

/** The ttl with which the next computation begins, ms, and why. */
export function nextTtl(
  { lastMs, computeMs, same }: Lesson,
  ttlMs: number,
  adaptive: AdaptiveTtl,
): { readonly nextTtlMs: number; readonly because: TtlReason } {
  const learned = same === undefined ? lastMs : same ? lastMs * step : lastMs / step;
  const least = computeMs * lifePerCost;
  const because = least > learned ? 'costly' : same === undefined ? 'kept' : same ? 'unchanged' : 'changed';
  return { nextTtlMs: within(Math.ceil(Math.max(learned, least)), ttlMs, adaptive), because };
}

/** Whether a computation has made what the entry holds; `undefined`: the entry is in another form, and has no entity-tag. */
export function isUnchanged(entry: Entry, draft: Draft): boolean | undefined {
  if (entry.status !== draft.status) return false;
  if (entry.etag !== '' && draft.etag !== '') return entry.etag === draft.etag;
  return entry.coding === undefined ? entry.body.equals(draft.body) : undefined;
}

function within(value: number, ttlMs: number, adaptive: AdaptiveTtl): number {
  const { minMs, maxMs } = boundsOf(ttlMs, adaptive);
  return Math.min(Math.max(value, minMs), maxMs);
}
