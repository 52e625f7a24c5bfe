// A handler has failed: what was at hand before it ran goes out in place of its error (stale-if-error, RFC 5861 §4).
import type { Fallback } from '../contract/reading.js';
import type { HeadDecision } from './capture.js';
import { fieldsOf, type Fields } from './header-fields.js';
import type { Edits } from './intercept.js';
import { stoodIn, type Forward } from './labels.js';
import { prepareReplay, type Replay } from './replay.js';

/** RFC 5861 §4 counts these as errors; any other status is an answer, 501 included. */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/** What the route stores is an answer, too. */
export function isFailure(status: number, storeStatuses: ReadonlySet<number>): boolean {
  return FAILURES.has(status) && !storeStatuses.has(status);
}

/**
 * Called when the headers of the error are about to go out, whoever made it: the handler, or the application's error
 * handler after it. The headers become those of before the handler, and then those of the entry.
 * @returns `undefined` where the fallback may not be served any more: the error goes out as it is.
 */
export function standIn(
  replay: Replay,
  before: Fields,
  fallback: Fallback,
  edits: Edits,
  fwd: Forward,
  now: number,
): HeadDecision | undefined {
  const served = fallback.take();
  if (served === undefined) return undefined;
  const { req, res, vary, negotiation } = replay;
  const outcome = stoodIn(served, fwd, res.statusCode, now);
  restore(replay, before, edits);
  const { entry } = fallback;
  const choice = negotiation.choose(entry, req.headers['accept-encoding'], res);
  const instead = prepareReplay(replay, entry, choice, outcome, now);
  if (res.statusCode === 200) vary.noteSent(res);
  return { status: res.statusCode, collect: false, swallow: true, instead };
}

function restore({ res }: Replay, before: Fields, edits: Edits): void {
  for (const key of fieldsOf(res).keys()) if (!before.has(key)) edits.remove(key);
  for (const [name, value] of before.values()) edits.set(name, value);
}
