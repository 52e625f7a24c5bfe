// One computation over all processes: takes the claim on what is missing, or waits for what its holder makes of it.
import type { Clock } from '../contract/clock.js';
import type { Position } from '../contract/entry.js';
import type { Lookup } from '../contract/store.js';
import type { Admission } from './admission.js';
import type { Claim, OwnClaims } from './own-claims.js';

export type Contest =
  /** Compute. Without a claim where the store did not answer, or too many have computed it in vain. */
  | { readonly end: 'lead'; readonly position: Position; readonly claim: Claim | undefined }
  /** Not fit to be shared: everybody computes at once. */
  | { readonly end: 'private'; readonly position: Position }
  /** A hit, or why nothing can be stored. `asked`: when the question was sent, in the order of arrivals. */
  | { readonly end: 'found'; readonly found: Lookup; readonly asked: number }
  /** Too many wait already. */
  | { readonly end: 'crowded'; readonly position: Position }
  /** Waited for too long. */
  | { readonly end: 'late' };

export interface Contestant {
  readonly claims: OwnClaims;
  /** What the reader was told when he missed it. */
  readonly position: Position;
  /** Looks the entry up, proved by the store. Never rejects. */
  lookup(): Promise<Lookup>;
  /** Takes a place in the order of arrivals. */
  arrive(): number;
  readonly admission: Admission;
  /** Longest wait, ms. */
  readonly waitMs: number;
  readonly clock: Clock;
}

/** Pauses between two looks, ms. The last one repeats: so much later than in the leader's process an answer comes at most. */
const PAUSES_MS = [5, 10, 20, 30];

/** After so many others have computed it without storing it, the next one computes at once. */
const MOST_HOLDERS = 3;

export async function contend(key: string, contestant: Contestant): Promise<Contest> {
  const { claims, admission, clock, waitMs } = contestant;
  const since = clock.monotonic();
  const holders = new Set<string>();
  let leave: (() => void) | undefined;
  try {
    for (let looks = 0; ; looks += 1) {
      const attempt = await claims.take(key, waitMs);
      if (attempt.state === 'held') holders.add(attempt.by);
      const waits = attempt.state === 'held' && holders.size <= MOST_HOLDERS;
      const stored = 'stored' in attempt && attempt.stored;
      let { position } = contestant;
      // What was captured before waiting is older than what may have ended the wait, and nothing computed now would be stored.
      if (stored || (looks > 0 && !waits)) {
        const asked = contestant.arrive();
        const found = await contestant.lookup();
        if (found.outcome !== 'miss' || found.reason === 'flux') {
          if (attempt.state === 'taken') attempt.claim.end(false);
          return { end: 'found', found, asked };
        }
        ({ position } = found);
      }
      if (attempt.state === 'taken') return { end: 'lead', position, claim: attempt.claim };
      if (attempt.state === 'private') return { end: 'private', position };
      if (!waits) return { end: 'lead', position, claim: undefined };
      if (leave === undefined) {
        if (!admission.mayWait) return { end: 'crowded', position };
        leave = admission.waits();
      }
      const left = since + waitMs - clock.monotonic();
      if (left <= 0) return { end: 'late' };
      await pause(clock, Math.min(left, PAUSES_MS[Math.min(looks, PAUSES_MS.length - 1)] ?? 0));
    }
  } finally {
    leave?.();
  }
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
