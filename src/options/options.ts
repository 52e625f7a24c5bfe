// What users may set: every option with its unit, default and consequence.
import type { Request } from 'express';
import type { Coding } from '../contract/entry.js';
import type { CacheEvent } from '../contract/events.js';
import type { Identity, Share } from '../contract/identity.js';
import type { Logger } from '../contract/logger.js';
import type { Observer } from '../contract/observer.js';
import type { Coalesce } from '../contract/reading.js';
import type { Consistency } from '../contract/store.js';
import type { Tracer } from '../contract/tracing.js';
import type { Filters } from '../entry/filters.js';
import type { ValueCodec } from '../entry/value-codec.js';
import type { RedisLike } from '../contract/redis-like.js';
import type { CostOptions } from './cost-options.js';
import type { Duration, Size } from './duration.js';

/**
 * What the browser is told. `revalidate`: keep a copy but ask each time (`private, no-cache`), so that an invalidated
 * report is never shown again. A duration or `ttl`: do not ask for so long; until then a device may show a report that
 * was invalidated, and nothing can recall it. `no-store`: keep nothing.
 */
export type BrowserPolicy = 'revalidate' | 'ttl' | 'no-store' | Duration;

/** How hits are compressed. */
export interface CompressOptions {
  /**
   * The codings that are offered, in the order in which they are preferred where a client does not care; `zstd` only where
   * Node knows it (22.15, 23.8). @default ['br', 'zstd', 'gzip']
   */
  readonly encodings?: readonly Coding[];
  /** Smaller bodies are sent as they are. @default '1kb' */
  readonly minBytes?: Size;
}

/** How far a ttl may adapt. */
export interface AdaptiveTtlOptions {
  /** @default a quarter of the ttl */
  readonly min?: Duration;
  /** The bound wherever the ttl would be one, e.g. for writes that nothing sees. @default four times the ttl */
  readonly max?: Duration;
}

/** Policy of a report type; a route may override it. */
export interface TypeOptions {
  /**
   * How long an entry is fresh on the server. `'0s'` switches caching off; `'forever'`, until it is invalidated, is for
   * persisted types. @default by type, see README
   */
  readonly ttl?: Duration | 'forever';
  /**
   * Keep reports in the database of the connected DataSource, too: for what costs money or minutes. They outlive every
   * process and Redis, and are invalidated like all others. Needs the tables of `persistMigrations`. @default false
   */
  readonly persist?: boolean;
  /**
   * `strict` asks Redis before serving from memory. `lease` does not, within the lease, and may miss what was pushed a
   * moment ago. `barrier` does not either, and writers wait until every process that does so has taken their change.
   * @default 'strict'
   */
  readonly consistency?: Consistency;
  /**
   * Who shares one computation of a report that is missing or stale: the readers of all processes (`shared`), at the price of a
   * round trip to Redis before it begins, or of each process for itself (`process`), for reports that cost less than that.
   * @default 'shared'
   */
  readonly coalesce?: Coalesce;
  /**
   * How long a reader waits for the same report being computed for others; then it is computed for him. Longer than a
   * computation ever takes, where two of them would cost money. @default the cache's `wait`
   */
  readonly wait?: Duration;
  /** @default 'revalidate' */
  readonly browser?: BrowserPolicy;
  /** Larger answers pass through unstored. @default '5mb' */
  readonly maxEntryBytes?: Size;
  /**
   * For so long after its ttl a report is kept and may be served stale (RFC 5861): to whoever comes while another reader's
   * request computes it anew, and to everybody for a moment after that has failed. Never one that was invalidated. @default '0s'
   */
  readonly grace?: Duration;
  /**
   * The fraction of the ttl, 0 to 0.5, that chance takes off at most, so that reports stored together do not expire
   * together. @default 0.1
   */
  readonly jitter?: number;
  /**
   * Computes a report anew before its ttl is over, the likelier the longer it takes and the nearer the end (XFetch), so that
   * under load nobody finds it expired. `true` is 1, the optimum of the paper; more is earlier, 10 at most. @default false
   */
  readonly refreshAhead?: boolean | number;
  /**
   * Lets the ttl follow the report: if computing it anew, when its ttl was over, has made the very same bytes, the next ttl is
   * twice as long, otherwise half; and never shorter than a hundred times what it took. Needs a `grace`, because what is gone
   * cannot be compared. Never keeps what was invalidated; an invalidated report begins with `ttl` again. @default false
   */
  readonly adaptiveTtl?: boolean | AdaptiveTtlOptions;
  /**
   * Loaders only: how long the caller waits for a new value where a stale one is at hand; then he gets that one and the
   * loader goes on. @default '0s', he gets it at once
   */
  readonly softTimeout?: Duration;
  /**
   * Loaders only, because a handler cannot be given up: how long the caller waits at all; then he gets the stale value or
   * ERC_TIMEOUT. What the loader returns later is stored if it is still current. @default none
   */
  readonly hardTimeout?: Duration;
  /**
   * Loaders only: for so long after it has failed, whoever asks this process for the same value gets the same error, or the stale value
   * if there is one, and the loader does not run. For what costs money even where it fails: else each of those who waited runs it
   * anew. @default '0s'
   */
  readonly restAfterError?: Duration;
  /**
   * Send hits of text and JSON compressed to who accepts it. Each body is compressed once, after somebody has wanted it
   * and has been answered. Switch it off for a report that shows a secret of its reader beside words that others can put
   * into its URL: the size of compressed answers can give such secrets away (BREACH). @default true
   */
  readonly compress?: boolean | CompressOptions;
}

export interface MemoryOptions {
  /** Bytes of all entries of this process. @default '256mb', in front of Redis '50mb' */
  readonly maxBytes?: Size;
  /** Bytes of one user's entries; beyond it his own go first. @default '50mb', in front of Redis '12mb' */
  readonly maxBytesPerUser?: Size;
  /** How long memory keeps an entry in front of Redis. @default '60s' */
  readonly ttl?: Duration;
}

export interface ReportCacheOptions {
  /**
   * Says who is asking. Called once per request, after your authentication. Nothing usable (no user, an empty id, an
   * error) means BYPASS: the handler answers and nothing is stored.
   */
  readonly identify: (req: Request) => Identity | null | undefined | false | '' | 0;
  /** An ioredis client or cluster (5.4+ or 6, Redis 7+ or Valkey). Without it: one process, memory only. */
  readonly redis?: RedisLike;
  /**
   * Whether this is the only process of the application. Several without Redis would each know only its own writes, so
   * they serve nothing from memory and say so. @default true, but false in a worker of `node:cluster`
   */
  readonly alone?: boolean;
  /** Part of every name in Redis; two applications on one Redis need two. @default 'reports' */
  readonly namespace?: string;
  /** Version of what your reports look like; a new one starts without entries. @default '1' */
  readonly version?: string;
  /** Report types, merged over the built-in ones. */
  readonly types?: Readonly<Record<string, TypeOptions>>;
  readonly memory?: MemoryOptions;
  /** How long memory serves without asking Redis under `lease` and `barrier`; the longest a stale answer can live there. @default '250ms' */
  readonly lease?: Duration;
  /** Longest wait for one Redis operation; then the report is computed. @default '250ms' */
  readonly redisDeadline?: Duration;
  /**
   * Bytes that entries of this namespace take in Redis, with all that Redis holds for them. When they are reached,
   * reports go that were cheap to compute, are large, and have not been asked for in a while. The same in all
   * processes. @default '256mb'
   */
  readonly redisMaxBytes?: Size;
  /** Bytes of one user's entries in Redis; beyond it his own go first. @default '50mb' */
  readonly redisMaxBytesPerUser?: Size;
  /** Bytes that persisted reports take in the database; beyond it the cheapest for their size go first. @default '1gb' */
  readonly persistMaxBytes?: Size;
  /** Bytes of one user's persisted reports; beyond it his own go first. @default '256mb' */
  readonly persistMaxBytesPerUser?: Size;
  /** Longest wait for one operation of the database on persisted reports; then they are computed. @default '1s' */
  readonly databaseDeadline?: Duration;
  /**
   * The one bound for every fault together where invalidations are kept in the database: nothing is served that no
   * sweeper has vouched for within this time. @default '2s'
   */
  readonly lambda?: Duration;
  /** How long a writer waits while Redis does not take his invalidation; it is retried in the background after that. @default '2s' */
  readonly hold?: Duration;
  /** `answer`: do not let writers wait for that; the window is theirs. @default 'hold' */
  readonly onInvalidateError?: 'hold' | 'answer';
  /**
   * Announce every write before its COMMIT, so that nobody is served the old report while others see the new rows. One
   * more round trip for each write. @default false
   */
  readonly mark?: boolean;
  /** A writer who does not end what he has announced blocks those reports for so long. @default '5s' */
  readonly markTtl?: Duration;
  /** Redis does not take the announcement: `proceed` with the write, or `abort` it (ERC_MARK). @default 'proceed' */
  readonly onMarkError?: 'proceed' | 'abort';
  /** {@link TypeOptions.wait} of types that set none. @default '30s' */
  readonly wait?: Duration;
  /** Most readers of this process who wait for that at the same time. @default 10000 */
  readonly maxWaiting?: number;
  /** What becomes of one more: his report is computed, or refused (503, ERC_OVERLOADED). @default 'compute' */
  readonly overload?: 'compute' | 'refuse';
  /**
   * Most reports that are computed at the same time in this process; one more is refused (503, ERC_OVERLOADED). What a
   * report computes inside itself counts as a part of it, what bypasses the cache not at all. @default unbounded
   */
  readonly maxComputing?: number;
  /**
   * Keep account of what results cost, and of what hits spare, by day and report type; `{}` for tokens and time alone. Absent:
   * nothing is counted, but what a run tells of its cost stands with its value.
   */
  readonly costs?: CostOptions;
  /** Name of this cache in `Cache-Status`. @default 'reports' */
  readonly cacheName?: string;
  /** pino, or anything with its four methods. Ids only are logged, never bodies. */
  readonly logger?: Logger;
  /** Receives every event; see `CacheEvent`. */
  readonly onEvent?: (event: CacheEvent) => void;
  /** `prometheusMetrics(client)`, `openTelemetryMetrics(api)`, or your own. */
  readonly observers?: readonly Observer[];
  /** `openTelemetryTracer(api)`. */
  readonly tracer?: Tracer;
  /**
   * Names a request: its events, log records and spans carry the name as `correlationId`, and so do the invalidations and
   * background refreshes that come of it. 64 letters, digits and `._:=+/-` at most; anything else is none. @default `req.id`
   */
  readonly correlate?: (req: Request) => unknown;
}

export interface ConnectOptions {
  /**
   * Keep invalidations in the database, in the transactions that cause them, until Redis has them. `true` demands it,
   * `false` switches it off. @default on where there are Redis or persisted reports, PostgreSQL, MySQL or MariaDB, and the
   * migrated tables
   */
  readonly durable?: boolean;
  /**
   * PostgreSQL: wake the sweepers by NOTIFY instead of letting them look three times in each `lambda`. Writers are
   * serialised by it, and it does not pass transaction poolers. @default false
   */
  readonly notify?: boolean;
  /**
   * Answer writers only when the database confirms which Redis was told: no stale answer even while a Redis is split in
   * two. Costs a statement for each write, and up to `lambda` after a failover. @default false
   */
  readonly fencedAnswers?: boolean;
  /**
   * Keep persisted reports in this database, and tell it of every invalidation. `true` demands it, `false` switches it
   * off. @default on where the tables of `persistMigrations` are
   */
  readonly persist?: boolean;
}

export interface RouteOptions extends Omit<TypeOptions, 'softTimeout' | 'hardTimeout' | 'restAfterError'> {
  /** The report's id in the key and its `report:` tag. @default the path of the request */
  readonly report?: (req: Request) => string | number | bigint;
  /** The query parameters that make a difference; the only way from the query into the key. @default {} */
  readonly filters?: Filters;
  /** What the report is about. `tag('student', req.params.id)`; the viewer, the report and the type are added. */
  readonly tags?: (req: Request) => readonly string[];
  /** Tables that the report reads as a whole: any write to one of them invalidates it. */
  readonly tables?: readonly string[];
  /**
   * Materialised views that the report reads, as declared with `view()`: it is invalidated when one has been refreshed, and
   * says in `Report-As-Of` as of when they are.
   */
  readonly views?: readonly string[];
  /** Who may share an entry. @default 'user' */
  readonly share?: Share;
  /** A query parameter that no filter declares: `bypass` the cache, `ignore` it, or `refuse` with 400. @default 'bypass' */
  readonly unknownParameters?: 'bypass' | 'ignore' | 'refuse';
  /** A value that does not fit its filter: `refuse` with 400 or `bypass`. @default 'refuse' */
  readonly invalidParameters?: 'refuse' | 'bypass';
  /** Whether a client may force a fresh report by `Cache-Control: no-cache` and the like. @default 'honour' */
  readonly requestDirectives?: 'honour' | 'ignore';
  /** Statuses that are stored. @default [200] */
  readonly statuses?: readonly number[];
}

/** What may be said of a value that a loader makes. */
export type LoaderOptions = Pick<
  TypeOptions,
  | 'ttl'
  | 'consistency'
  | 'coalesce'
  | 'wait'
  | 'grace'
  | 'jitter'
  | 'refreshAhead'
  | 'adaptiveTtl'
  | 'softTimeout'
  | 'restAfterError'
  | 'hardTimeout'
>;

/** Names a value for `getOrLoad`. */
export interface ValueRequest extends LoaderOptions, Pick<TypeOptions, 'persist'> {
  readonly type: string;
  readonly report: string | number | bigint;
  /** Whose value; required unless `share` is `everyone`. Nothing usable means: loaded, not cached. */
  readonly identity?: Identity | null | undefined;
  readonly share?: Share;
  /** Plain data of any depth; order of names does not matter. */
  readonly filters?: unknown;
  readonly tags?: readonly string[];
  readonly tables?: readonly string[];
  /** Materialised views that the loader reads, as declared with `view()`. */
  readonly views?: readonly string[];
  /** @default Node's structured clone, for plain data */
  readonly codec?: ValueCodec;
}
