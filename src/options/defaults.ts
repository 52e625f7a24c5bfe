// Every default once, with its reason.
import type { Share } from '../contract/identity.js';
import type { Consistency } from '../contract/store.js';
import type { Duration, Size } from './duration.js';

/** The built-in report types and how long each is fresh on the server. */
export const DEFAULT_TYPES: Readonly<Record<string, { readonly ttl: Duration }>> = {
  student_progress: { ttl: '5m' },
  grade_distribution: { ttl: '15m' },
  analytics: { ttl: '30m' },
  custom: { ttl: '1h' },
  default: { ttl: '10m' },
};

export const DEFAULTS = {
  /** Part of every name in Redis. */
  namespace: 'reports',
  /** The application's version; change it to start with no entries after a change of what reports look like. */
  version: '1',
  /** Name of this cache in `Cache-Status`. */
  cacheName: 'reports',
  /** Zero stale answers at the price of one small shared Redis question; nothing to ask where there is no Redis. */
  consistency: 'strict' as Consistency,
  /** The browser keeps a copy but asks each time: no invalidation reaches a browser that was told max-age. */
  browser: 'revalidate' as const,
  share: 'user' as Share,
  unknownParameters: 'bypass' as const,
  invalidParameters: 'refuse' as const,
  requestDirectives: 'honour' as const,
  /** Memory where it is the only layer. */
  memoryMaxBytes: '256mb' as Size,
  memoryMaxBytesPerUser: '50mb' as Size,
  /** Memory in front of Redis: many processes hold copies, so each holds fewer, for a minute at most. */
  replicaMaxBytes: '50mb' as Size,
  replicaMaxBytesPerUser: '12mb' as Size,
  replicaTtl: '60s' as Duration,
  /** Room for reports of some hundred users; a small server's maxmemory still holds twice as much. */
  redisMaxBytes: '256mb' as Size,
  redisMaxBytesPerUser: '50mb' as Size,
  /** Larger answers pass through. */
  maxEntryBytes: '5mb' as Size,
  /** Under `lease`: how long memory serves without asking. */
  lease: '250ms' as Duration,
  /** For one operation of Redis; then the reader gets the computed report. */
  redisDeadline: '250ms' as Duration,
  /** Long enough for three sweeps, short enough to live with after a crash. */
  lambda: '2s' as Duration,
  /** How long a writer waits for his invalidation while Redis does not answer. */
  hold: '2s' as Duration,
  /** A late answer is a nuisance, an old grade a lie. */
  onInvalidateError: 'hold' as const,
  /** Readers woken by the database itself are rare, and it costs every write a round trip. */
  mark: false as boolean,
  /** Longer than any COMMIT should take; what a dead writer has announced is not cached for so long. */
  markTtl: '5s' as Duration,
  /** A cache that is away must not stop the grading. */
  onMarkError: 'proceed' as const,
  /** How long a reader waits for the same report being computed for another. */
  wait: '30s' as Duration,
} as const;

/** Bounds that nobody has needed to set; constants so that no client can grow anything past them. */
export const BOUNDS = {
  /** Tags of one entry, whole-kind tags included. */
  tagsPerEntry: 256,
  /** Tags of one kind in one invalidation; above it the whole kind. */
  tagsPerKind: 64,
  /** Tags remembered in the table of one process, and in Redis. */
  tagsPerProcess: 100_000,
  tagsInRedis: 1_000_000,
  /** Invalidations waiting for Redis; above it everything is invalidated. */
  pendingTags: 10_000,
  /** How long an invalidation of what the plugin has not seen waits for the WAL position of the database, ms. */
  walPositionMs: 1000,
  /** How long a pushed invalidation may be overdue before memory stops waiting for it, ms. */
  overduePushMs: 100,
} as const;
