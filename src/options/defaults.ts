// Every default once, with its reason.
import type { Share } from '../contract/identity.js';
import type { Coalesce } from '../contract/reading.js';
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
  /** A round trip at each miss is little beside a report; nothing to agree on where there is no Redis. */
  coalesce: 'shared' as Coalesce,
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
  /** Reports that cost money are few and worth their room; a table of this size is no burden to a database. */
  persistMaxBytes: '1gb' as Size,
  /** What everybody shares counts for one of them. */
  persistMaxBytesPerUser: '256mb' as Size,
  /** For one operation of the database behind Redis; what is persisted takes longer than that to compute. */
  databaseDeadline: '1s' as Duration,
  /** Stale reports are for those who ask for them. */
  grace: '0s' as Duration,
  /** Enough to spread a page's reports, little enough that nobody misses it; a ttl is a bound, and stays one. */
  jitter: 0.1,
  /** Nobody computes what is not asked for yet, unless told. */
  refreshAhead: false as boolean | number,
  /** A ttl is what somebody has chosen; that it moves is for him to choose, too. */
  adaptiveTtl: false as boolean,
  /** Where a stale value will do, it will do at once. */
  softTimeout: '0s' as Duration,
  /** An error is its own caller's; whoever comes next may have more luck. */
  restAfterError: '0s' as Duration,
  /** Larger answers pass through. */
  maxEntryBytes: '5mb' as Size,
  /** A packet holds as much; `compression` begins there, too. */
  compressMinBytes: '1kb' as Size,
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
  /** More than any process can have connections that mean it; each waits with a few hundred bytes. */
  maxWaiting: 10_000,
  /** How many reports the database bears at once, only its owner knows. */
  maxComputing: Infinity,
  /** Long enough for a class's grades to come together, short enough to look after a click. */
  viewDelay: '1s' as Duration,
  /** Writes that never pause. */
  viewMaxDelay: '30s' as Duration,
  /** Longer than any refresh that is worth keeping. */
  viewTimeout: '10m' as Duration,
  /** What a process that is killed may lose of its counts; a statement in so long is nothing to a database. */
  costFlush: '10s' as Duration,
  /** Nobody is turned away unless it was asked for. */
  overload: 'compute' as const,
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
  /** How long the others wait for a computing process that has died, ms; long beside a pause of the garbage collector. */
  claimMs: 5000,
  /** For how long nobody queues for a report that was not fit to be shared, ms. */
  privateMs: 1000,
  /** For answers of Redis that no reader waits for: pages of entries, days of counts, ms. */
  patienceMs: 5000,
  /** How long `close()` waits for computations that are running, and for writers without an answer, ms. */
  closeMs: 2000,
  /** What a killed process may lose of the views of versions, ms; and of the counts of a day, which are looked at while they are made. */
  viewFlushMs: 10_000,
  statisticsFlushMs: 5000,
  /** Views that a process refreshes at once: each takes a connection of the application's pool. */
  refreshes: 2,
  /** The longest that a persisted report stays in memory and Redis; then it is looked up in the database again, ms. */
  persistedInFrontMs: 3_600_000,
  /** One persisted report: a server's default packet holds it (MariaDB: 16 MB), whatever its encoding adds, bytes. */
  persistedEntryBytes: 12 * 1024 ** 2,
  /** Operations of readers that Redis has not answered: the client keeps each of them, in time or not. */
  unanswered: 10_000,
} as const;

/** How a ttl adapts to its report, where it may. */
export const ADAPTIVE_TTL = {
  /** Doubled where computing it anew has made the same bytes, halved where not. */
  step: 2,
  /** Unless somebody names bounds: a quarter of the ttl to four times it. */
  spread: 4,
  /** Nothing is to be computed for more than a hundredth of its life. Metabase's adaptive policy, too, goes by what it costs. */
  lifePerCost: 100,
} as const;

/** When readers stop asking Redis, and for how long: one who asks a Redis that hangs waits a whole `redisDeadline`. */
export const BREAKER = {
  failuresInARow: 5,
  /** A Redis that answers every second reader costs more than it saves. */
  failureShare: 0.5,
  fewest: 20,
  windowMs: 10_000,
  /** As short as a failover at its best; one probe in five seconds costs nobody anything. */
  firstCoolOffMs: 500,
  longestCoolOffMs: 5000,
} as const;

/** How reports are made ready ahead. */
export const WARMING = {
  /** One school's reports of 20 ms each, many times over. */
  budget: '5m' as Duration,
  /** Beside readers, not instead of them. */
  concurrency: 2,
  mostAtOnce: 32,
  /** Ten times what a database in the same rack needs for nothing. */
  slowDatabase: '100ms' as Duration,
  /** This hour and the next: who comes first in the morning. */
  hours: 2,
  mostHours: 24,
  most: 10_000,
  mostTargets: 100_000,
  /** Runs of one process at the same time; and those that are remembered. */
  runs: 4,
  remembered: 20,
  failures: 100,
  /** How often a run tells how far it is, ms. */
  progressMs: 500,
  /** How often the database is asked how it is, ms; so often in a row it may answer slowly; and how long it is left alone then. */
  askMs: 250,
  slowAnswers: 5,
  firstPauseMs: 500,
  /** Reports that are remembered of each hour of the week, and of one process until it tells them. */
  learnedPerHour: 500,
  learnedPerProcess: 2000,
  /** What a killed process may lose of them, ms. */
  learnedFlushMs: 30_000,
  /** Within the time limits of the tasks that do it. */
  scheduled: {
    daily: { budget: '12m' as Duration, hours: 3 },
    expiring: { budget: '10m' as Duration, hours: 1, freshFor: '30m' as Duration },
  },
} as const;

/** How processes agree on who runs a scheduled task. */
export const SCHEDULE = {
  /** How long a claim holds unless it is renewed: others go on after so long with what a dead process has begun. */
  leaseMs: 10_000,
  /** And for so long they look again: who was cut off from Redis together with them comes back first. */
  doubtMs: 2000,
  /** For one question about a claim: several fit into a lease. */
  answerMs: 2000,
  /** Runs kept of each task. */
  mostRuns: 20,
  /** Between two attempts, however many there were. */
  longestBackoffMs: 3_600_000,
  /** For clocks that differ, before a tag is older than any entry. */
  pruneMarginMs: 60_000,
} as const;
