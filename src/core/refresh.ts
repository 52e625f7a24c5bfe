// Computing anew what can still be served: one process does it, the others are told so at once and wait for nothing.
import type { Entry } from '../contract/entry.js';
import type { Store } from '../contract/store.js';
import type { Backoff } from './backoff.js';
import type { Claim, OwnClaims } from './own-claims.js';

/** Compute. Without a claim where the store did not answer: then each process does it once. */
export interface Permission {
  readonly claim: Claim | undefined;
}

export interface RefreshParts {
  readonly claims: OwnClaims;
  readonly store: Store;
  readonly backoff: Backoff;
}

/**
 * Asks the other processes, in one round trip, whether somebody is at it or has done it already.
 * @param longestMs so long the others leave it to this process
 * @returns `undefined`: serve what is at hand. Never rejects.
 */
export async function askToRefresh(
  key: string,
  entry: Entry,
  longestMs: number,
  { claims, store, backoff }: RefreshParts,
): Promise<Permission | undefined> {
  const attempt = await claims.take(key, longestMs, entry);
  // Done since this reader looked. Memory may hold the old entry until its ttl ends, and would be found due again and again.
  const done = 'stored' in attempt && attempt.stored;
  if (done) void store.refill?.(key);
  switch (attempt.state) {
    case 'taken':
      if (!done) return { claim: attempt.claim };
      attempt.claim.end(false);
      return undefined;
    case 'held':
      return undefined;
    case 'private':
      // It failed there, or came to nothing that can be shared, and would here.
      backoff.failed(key);
      return undefined;
    case 'unknown':
      return { claim: undefined };
  }
}
