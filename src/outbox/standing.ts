// Where the history in one Redis stands with the database: the true one, to be adopted, or the old side of a split.
import type { AdoptionReason } from '../contract/events.js';
import type { Observation } from '../contract/history.js';
import type { Scan } from '../contract/outbox.js';

export type Standing =
  | { readonly kind: 'true' }
  | { readonly kind: 'adopt'; readonly reason: AdoptionReason }
  /** The database follows another history, and somebody keeps that one alive. */
  | { readonly kind: 'fenced' };

const TRUE: Standing = { kind: 'true' };
const FENCED: Standing = { kind: 'fenced' };

/**
 * Compares what Redis and the database say. Generations are given out by the database alone, one after the other, so a
 * lower one is old; another epoch of the same or a higher one comes from a database that has gone back in time since.
 */
export function standingOf(
  { position, generation }: Observation,
  { state, incarnation }: Scan,
  lambdaMs: number,
): Standing {
  if (generation === undefined) return adopt('new');
  // After twice lambda without a sweep the other history's watermark is dead by any clock: nobody is served from it.
  if (generation < state.generation) return state.silentMs > 2 * lambdaMs ? adopt('silence') : FENCED;
  if (position.epoch !== state.epoch) return adopt('restored');
  if (incarnation !== state.incarnation) return adopt('incarnation');
  if (position.seq < state.seq) return adopt('sequence');
  return TRUE;
}

function adopt(reason: AdoptionReason): Standing {
  return { kind: 'adopt', reason };
}
