// Every event of the cache as one discriminated union. Ids only: never bodies, headers or filter values.
import type { Cost } from './costs.js';
import type { Coding } from './entry.js';
import type { LayerName, PutOutcome } from './store.js';

/** Why the cache was not asked. */
export type BypassReason =
  | 'method' // neither GET nor HEAD
  | 'no-identity' // identify() returned nothing usable
  | 'unknown-parameter' // a query parameter that no filter declares
  | 'filter-value' // a query parameter that does not fit its filter
  | 'key' // report, filters or tags could not be made from the request
  | 'ttl-zero' // the type is switched off
  | 'request-no-store' // the request forbids it
  | 'transaction' // the request has written inside an open transaction, or reads an older snapshot
  | 'unavailable' // the store cannot tell
  | 'not-alone' // one of several processes, and no Redis to share with them
  | 'flux' // a write to what it depends on is under way
  | 'wait' // waited too long for a running computation
  | 'overload' // refused: too many wait, or too many reports are being computed
  | 'spend' // refused: what may be spent in a day is spent
  | 'closed';

/** Why a computed answer was not stored. */
export type DeclineReason =
  | 'status'
  | 'no-store'
  | 'no-cache'
  | 'max-age'
  | 'set-cookie'
  | 'vary-star'
  | 'partial'
  | 'too-large'
  | 'too-many-tags'
  | 'incomplete' // the client left, the handler destroyed the response, or the length does not add up
  | 'not-modified' // the handler itself answered 304
  | 'head' // HEAD answers have no body to store
  | 'request-no-store'
  | 'transaction'
  | 'stale' // invalidated while it was computed
  | 'epoch'
  | 'flux' // a write to one of its tags is under way
  | 'replica' // read from a database replica that lags behind
  | 'unavailable'
  | 'expired' // past its ttl before it was done, or built from what is
  | 'busy' // as many computations run in the background as may
  | 'spend' // what may be spent in a day is spent
  | 'error'; // the loader or handler failed

/** What has decided the next ttl of a report: its own bytes when its ttl was over, or what it costs. `kept`: nothing has. */
export type TtlReason = 'unchanged' | 'changed' | 'costly' | 'kept';

/** Why a history in Redis had to begin anew under a new generation. */
export type AdoptionReason =
  | 'new' // it belongs to no generation: a new, restarted or promoted Redis
  | 'restored' // the database has forgotten that generation: it was restored, or is another one
  | 'incarnation' // the database was restarted or failed over, and may have lost commits that are cached
  | 'sequence' // the history has lost its latest part
  | 'silence'; // the history that the database follows has had no sweeper for long

/** What has happened, without in whose request. */
export type Happening =
  | {
      readonly kind: 'hit';
      readonly key: string;
      readonly type: string;
      readonly layer: LayerName;
      readonly ageMs: number;
      readonly coalesced: boolean;
      readonly durationMs: number;
      /** How long the computation took that was not repeated, ms, and what it cost, where it told. */
      readonly avoidedMs: number;
      readonly cost?: Cost;
    }
  /** Served past its ttl, within its grace: a new one is being computed, or that has failed. */
  | {
      readonly kind: 'staleHit';
      readonly key: string;
      readonly type: string;
      readonly layer: LayerName;
      readonly ageMs: number;
      readonly durationMs: number;
      readonly avoidedMs: number;
      readonly cost?: Cost;
    }
  | {
      readonly kind: 'miss';
      readonly key: string;
      readonly type: string;
      readonly reason: string;
      readonly durationMs: number;
    }
  /** A handler or a loader has run. `failed`: with an error, or without an end. */
  | { readonly kind: 'ran'; readonly type: string; readonly failed: boolean; readonly durationMs: number }
  /** A run has told what a call cost. It is spent whatever becomes of the run. */
  | { readonly kind: 'spent'; readonly type: string; readonly cost: Cost }
  /** A loader took longer than its caller waits; it goes on. `stale`: the caller got the old value instead of an error. */
  | {
      readonly kind: 'overdue';
      readonly key: string;
      readonly type: string;
      readonly limit: 'soft' | 'hard';
      readonly stale: boolean;
    }
  /** A loader that no caller waited for any more has failed. `error` is the name of its class. */
  | { readonly kind: 'refreshFailed'; readonly key: string; readonly type: string; readonly error: string }
  | { readonly kind: 'bypass'; readonly type: string; readonly reason: BypassReason; readonly detail?: string }
  | {
      readonly kind: 'declined';
      readonly key: string;
      readonly type: string;
      readonly reason: DeclineReason;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'stored';
      readonly key: string;
      readonly type: string;
      readonly bytes: number;
      /** For so long it is fresh from the beginning of its computation on. */
      readonly ttlMs: number;
      /** Where ttls adapt: with which its next computation begins, before the jitter, and why. */
      readonly nextTtlMs?: number;
      readonly because?: TtlReason;
      readonly durationMs: number;
    }
  /** What was stored, or would have been, is not in the database: `unproved` where a value mixed in has no place there. */
  | {
      readonly kind: 'notPersisted';
      readonly key: string;
      readonly type: string;
      readonly reason: Exclude<PutOutcome, 'stored'> | 'unproved';
    }
  /** The body of an entry was compressed for those who come later; `bytes` is its size now. */
  | {
      readonly kind: 'compressed';
      readonly key: string;
      readonly type: string;
      readonly coding: Coding;
      readonly bytes: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'invalidate';
      readonly tags: readonly string[];
      readonly cause: string;
      /** Where it stands in the history of all invalidations. */
      readonly epoch: string;
      readonly seq: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'invalidateFailed';
      readonly tags: readonly string[];
      readonly cause: string;
      readonly attempt: number;
      readonly error: string;
    }
  | { readonly kind: 'layerFailed'; readonly layer: LayerName; readonly operation: string; readonly error: string }
  /** Whether readers ask the store: `open`, it failed too often; `half-open`, one of them finds out; `closed`, they do. */
  | { readonly kind: 'breaker'; readonly layer: LayerName; readonly state: 'open' | 'half-open' | 'closed' }
  /** A writer waited a whole lease for processes that did not acknowledge his invalidation: they have stopped or are cut off. */
  | { readonly kind: 'leaseAwaited'; readonly processes: number }
  /** A write could not be announced before its COMMIT; `aborted`: it was refused for that, as the host has chosen. */
  | { readonly kind: 'markFailed'; readonly tags: readonly string[]; readonly aborted: boolean; readonly error: string }
  /** A writer was answered although his invalidation is not in force yet; it goes on in the background. */
  | { readonly kind: 'released'; readonly tags: readonly string[]; readonly cause: string; readonly heldMs: number }
  /** The database did not take a row of the outbox, or did not give it. */
  | { readonly kind: 'outboxFailed'; readonly operation: string; readonly error: string }
  /** A report was read from a database replica that did not catch up in time; it is not stored. */
  | { readonly kind: 'replicaLags'; readonly waitedMs: number }
  /** Whether a sweeper vouches for what is cached. `dead`: nothing is served until one does. */
  | { readonly kind: 'watermark'; readonly state: 'live' | 'dead' }
  /** Pushes were lost or the history changed: this process's memory is distrusted from here on. */
  | { readonly kind: 'distrust'; readonly reason: 'gap' | 'epoch' | 'disconnected' }
  /** A cascade rule threw, or named what it should not: the coarse tag was used instead. */
  | { readonly kind: 'cascadeFailed'; readonly entity: string; readonly error: string }
  /** A statement that no entity event accounts for was answered with coarse tags. */
  | { readonly kind: 'rawWrite'; readonly tables: readonly string[] }
  /** A sweep brought into force what writers had left in the outbox. */
  | {
      readonly kind: 'swept';
      readonly rows: number;
      /** Age of the oldest row, ms. */
      readonly oldestMs: number;
      readonly durationMs: number;
    }
  /** The database took this history in Redis for the true one; it begins empty. */
  | { readonly kind: 'adopted'; readonly generation: number; readonly reason: AdoptionReason }
  /** The database follows another history than the one in this Redis, from which nothing is served any more. Said once. */
  | { readonly kind: 'fenced'; readonly generation: number }
  /** Rows of the outbox that nobody can read: everything was invalidated, and they are kept to be looked at. */
  | { readonly kind: 'setAside'; readonly ids: readonly string[] }
  /** A sweep failed and is tried again; said when it begins, when it changes, and once a minute. */
  | { readonly kind: 'sweepFailed'; readonly step: string; readonly error: string; readonly failures: number }
  /** So many rows waited that one which means everything took their place. */
  | { readonly kind: 'collapsed'; readonly rows: number }
  /** A materialised view was refreshed; the reports that read it are invalidated next. */
  | {
      readonly kind: 'viewRefreshed';
      readonly view: string;
      /** Readers of the view did not have to wait. */
      readonly concurrently: boolean;
      readonly durationMs: number;
    }
  /** A version of a result was made, or readers get another one than before. */
  | {
      readonly kind: 'version';
      readonly type: string;
      readonly change: 'added' | 'served' | 'removed';
      /** Of `served`: absent, there is none any more. */
      readonly version?: number;
    }
  /**
   * A scheduled task. `done` and `failed`: told when the run can be looked up; `timeout`: its time limit is over and it was told to end; `retry`: it is tried again after `retryMs`;
   * `missed`: `count` due times have passed without a run.
   */
  | {
      readonly kind: 'task';
      readonly task: string;
      readonly state: 'begun' | 'done' | 'failed' | 'timeout' | 'retry' | 'missed';
      /** From 1, over all processes; 0 of `missed`. */
      readonly attempt: number;
      /** When it was due; absent: somebody has asked for it. */
      readonly due?: Date;
      readonly durationMs?: number;
      /** Class and code. */
      readonly error?: string;
      readonly retryMs?: number;
      readonly count?: number;
    }
  /** Somebody has used the management API to change something, or tried to. `names`: members of what he sent, not their values. */
  | {
      readonly kind: 'managed';
      readonly user: string;
      /** Method and path. */
      readonly what: string;
      readonly names: readonly string[];
      readonly dryRun: boolean;
      /** `denied`: he may not; `refused`: something is wrong with what he has sent. */
      readonly outcome: 'done' | 'denied' | 'refused' | 'failed';
    }
  /**
   * Reports are made ready ahead. `way`: what was named, never whose; told when a run begins, now and then while it goes on, and
   * when it ends.
   */
  | {
      readonly kind: 'warming';
      readonly run: number;
      readonly name?: string;
      readonly way: string;
      readonly state: 'begun' | 'progress' | 'ended';
      readonly total: number;
      readonly cached: number;
      readonly computed: number;
      readonly failed: number;
      readonly stopped?: 'budget' | 'database' | 'aborted' | 'closed';
    }
  /** Views of versions could not be told to the database; `waiting` of them are told later. `error`: class and code. */
  | { readonly kind: 'viewsFailed'; readonly error: string; readonly waiting: number }
  /**
   * A materialised view could not be refreshed, or its state not be read: it stays as of when it was, and is tried again.
   * `error`: class and code, no message.
   */
  | {
      readonly kind: 'viewFailed';
      readonly view: string;
      readonly step: 'look' | 'refresh';
      readonly error: string;
      readonly failures: number;
      readonly retryMs: number;
    }
  /** Counted costs could not be added to their table. `rows` are kept and tried again; `dropped`, of the oldest day, are lost. */
  | { readonly kind: 'costsFailed'; readonly error: string; readonly rows: number; readonly dropped: number }
  /** Something in the set-up that weakens the cache; said once. */
  | { readonly kind: 'advice'; readonly code: string; readonly message: string };

/** In whose request, as `correlate` says; in background refreshes and late invalidations, too. Absent: in nobody's, or not known. */
export interface Correlated {
  readonly correlationId?: string;
}

export type CacheEvent = Happening & Correlated;

export type CacheEventKind = CacheEvent['kind'];

/** Receives events; must not throw and is called synchronously. */
export interface EventSink {
  (event: CacheEvent): void;
  /** Whether anybody listens to this kind now, so that what every request would tell need not be put into words for nobody. Absent: yes. */
  readonly hears?: (kind: CacheEventKind) => boolean;
}
