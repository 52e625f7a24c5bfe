// Pure: what a reader of one entry would get now, and why, from what is known of it.
import type { BypassReason } from '../contract/events.js';
import type { EntryAt, TableView } from '../contract/look.js';
import type { LayerName, MissReason } from '../contract/store.js';
import { judge, latestOf, watchedBy, type Invalidation } from './judge.js';

/** What is known of the entry under one key. */
export interface Facts {
  readonly key: string;
  /** Where it is, in the order in which readers ask. */
  readonly found: readonly EntryAt[];
  /** Why the database has it and would not serve it; absent: it would, has it not, or there is none. */
  readonly database?: MissReason;
  /** Undefined: nobody can tell. */
  readonly table: TableView | undefined;
  /** Why readers are not told what is valid: the breaker, Redis itself, the watermark. */
  readonly unavailable?: string;
  /** A write to it has announced itself and has not ended, in whatever process. */
  readonly flux: boolean;
  /** This process has an invalidation of it that is not in force yet. */
  readonly pending: boolean;
  /** Why the cache is not even asked. */
  readonly bypass?: { readonly reason: BypassReason; readonly detail?: string };
  /** For how long it is served past its ttl, ms; undefined: as long as it was stored for. */
  readonly graceMs?: number;
  /** What it would depend on, as far as that is declared. */
  readonly tags: readonly string[];
}

export interface Verdict {
  readonly verdict: 'hit' | 'stale' | 'miss' | 'bypass';
  readonly reason: 'fresh' | 'stale' | 'pending' | MissReason | BypassReason;
  /** The same in words. */
  readonly detail: string;
  readonly layer?: LayerName;
  /** What has ended it; for one that is not there, the last that would have. */
  readonly by?: Invalidation;
}

type Standing = { readonly layer: LayerName } & (
  | { readonly state: 'fresh' | 'stale' | 'expired' | 'epoch' }
  | { readonly state: 'invalidated'; readonly by: Invalidation | undefined }
);

/** Leases are not looked at: under one, memory serves for a moment what Redis has not confirmed. */
export function verdictOf(facts: Facts, now: number): Verdict {
  const { bypass, unavailable, flux, pending, table } = facts;
  if (bypass !== undefined) return bypassed(bypass.reason, bypass.detail ?? BYPASSED[bypass.reason] ?? bypass.reason);
  const standings = facts.found.map((one) => standingOf(one, facts, now));
  const served = standings.find(({ state }) => state === 'fresh') ?? standings.find(({ state }) => state === 'stale');
  if (unavailable !== undefined && served?.layer !== 'database')
    return bypassed('unavailable', `It is computed for everybody: nobody can tell what is valid (${unavailable}).`);
  if (flux && facts.found.length > 0) return bypassed('flux', 'A write to what it depends on is under way.');
  if (pending)
    return {
      verdict: 'miss',
      reason: 'pending',
      detail: 'This process has invalidated it, and that is not in force yet.',
    };
  if (served?.state === 'fresh')
    return { verdict: 'hit', reason: 'fresh', detail: 'It is there, and valid.', layer: served.layer };
  if (served?.state === 'stale')
    return {
      verdict: 'stale',
      reason: 'stale',
      detail: 'It is past its ttl, and served while a new one is computed.',
      layer: served.layer,
    };
  return missed(standings, facts, table);
}

function standingOf({ layer, entry }: EntryAt, { key, table, graceMs }: Facts, now: number): Standing {
  // What the database gives it has proved itself, in a history of its own.
  if (layer !== 'database' && table !== undefined) {
    const judged = judge(key, entry, table);
    if (judged.state === 'epoch') return { layer, state: 'epoch' };
    if (judged.state === 'invalidated') return { layer, state: 'invalidated', by: judged.by };
  }
  const { staleAt, deleteAt } = entry;
  if (now < Math.min(staleAt, deleteAt)) return { layer, state: 'fresh' };
  const servedUntil = Math.min(deleteAt, graceMs === undefined ? Infinity : staleAt + graceMs);
  return { layer, state: now < servedUntil ? 'stale' : 'expired' };
}

function missed(standings: readonly Standing[], facts: Facts, table: TableView | undefined): Verdict {
  for (const standing of standings) {
    const { state, layer } = standing;
    if (state === 'invalidated') return { ...MISSED.invalidated, layer, ...(standing.by && { by: standing.by }) };
    if (state === 'epoch' || state === 'expired') return { ...MISSED[state], layer };
  }
  const last = table && latestOf(watchedBy(facts.key, facts.tags), table);
  const by = last === undefined ? {} : { by: last };
  if (facts.database !== undefined && facts.database !== 'absent')
    return { ...MISSED[facts.database], layer: 'database', ...by };
  return { ...MISSED.absent, ...by };
}

const bypassed = (reason: BypassReason, detail: string): Verdict => ({ verdict: 'bypass', reason, detail });

const miss = (reason: MissReason, detail: string): Verdict => ({ verdict: 'miss', reason, detail });

const MISSED: Readonly<Record<MissReason, Verdict>> = {
  absent: miss('absent', 'It is not there: never stored, pushed out, or gone since it was invalidated or at its end.'),
  invalidated: miss('invalidated', 'Something that it depends on was invalidated after it was computed.'),
  epoch: miss('epoch', 'The history of invalidations that it refers to is gone, so nobody knows whether it is valid.'),
  expired: miss('expired', 'It is past its time.'),
  flux: miss('flux', 'A write to what it depends on is under way.'),
};

const BYPASSED: Readonly<Partial<Record<BypassReason, string>>> = {
  'no-identity': 'There is nobody to keep it for: such a report needs a user, or a tenant or role to be shared in.',
  'unknown-parameter': 'The URL has a parameter that no filter declares.',
  'filter-value': 'A parameter does not fit its filter.',
  'ttl-zero': 'The type is switched off: its ttl is nought.',
  'not-alone': 'This is one of several processes, and there is no Redis to share with them.',
  closed: 'The cache is closed.',
};
