// Entries and the truth about them in Redis: shared by all processes.
import type { Backplane, BackplaneListener } from '../../contract/backplane.js';
import type { Clock } from '../../contract/clock.js';
import type { Coding, Dependency, Entry, Form, Position } from '../../contract/entry.js';
import { ReportCacheError } from '../../contract/errors.js';
import type { CacheEvent, EventSink } from '../../contract/events.js';
import type { RedisLike } from '../../contract/redis-like.js';
import type {
  ClaimAnswer,
  Claims,
  Invalidated,
  InvalidateOptions,
  Lookup,
  Marks,
  MissReason,
  PutOutcome,
  Store,
} from '../../contract/store.js';
import { decodeEntry, encodeGuard, encodeHeader } from '../../entry/codec.js';
import { CODINGS } from '../../entry/codings.js';
import { keyTag } from '../../entry/tags.js';
import { LookUpBatch } from './look-up-batch.js';
import { Pushes } from './pushes.js';
import { RedisBudget, type RedisLimits } from './redis-budget.js';
import { RedisClaims } from './redis-claims.js';
import { RedisHistory } from './redis-history.js';
import { redisKeys, type RedisKeys } from './redis-keys.js';
import { RedisUpkeep } from './redis-upkeep.js';
import { SCRIPTS, Scripts } from './scripts.js';

export interface RedisStoreOptions {
  /** Letters, digits, `.`, `_`, `-`. */
  readonly namespace: string;
  /** The application's version: entries of another one are never read. */
  readonly version: string;
  /** Most tags remembered; beyond it everything becomes cold once. */
  readonly maxTags: number;
  /** Without it entries are bounded by their time to live and by the server's maxmemory. */
  readonly limits?: RedisLimits | undefined;
}

/**
 * Throws on every failure of Redis; turning failures into misses is the business of the layer around it.
 * Needs Redis 7 or Valkey.
 */
export class RedisStore implements Store, Marks, Claims, Backplane {
  readonly name = 'redis';
  /** The same Redis as the sweeper sees it. */
  readonly history: RedisHistory;
  readonly upkeep: RedisUpkeep;
  readonly #client: RedisLike;
  readonly #onReady = new Set<() => void>();
  readonly #keys: RedisKeys;
  readonly #options: RedisStoreOptions;
  readonly #clock: Clock;
  readonly #scripts: Scripts;
  readonly #claims: RedisClaims;
  readonly #budget: RedisBudget | undefined;
  readonly #lookUps: LookUpBatch;
  readonly #pushes: Pushes;

  /** @throws ERC_REDIS for something that is no ioredis client. */
  constructor(client: RedisLike, options: RedisStoreOptions, clock: Clock, emit: EventSink = () => undefined) {
    if (
      typeof client?.call !== 'function' ||
      typeof client.duplicate !== 'function' ||
      typeof client.pipeline !== 'function'
    ) {
      throw new ReportCacheError('ERC_REDIS', 'The `redis` option is not an ioredis client.');
    }
    this.#client = client;
    this.#options = options;
    this.#clock = clock;
    this.#keys = redisKeys(options.namespace, options.version, client.options?.keyPrefix ?? '');
    this.#scripts = new Scripts(client, this.#keys, {
      infoRefused: () => emit(INFO_REFUSED),
      watermark: (live) => emit({ kind: 'watermark', state: live ? 'live' : 'dead' }),
    });
    this.#claims = new RedisClaims(this.#scripts, this.#keys);
    this.#budget = options.limits && new RedisBudget(this.#scripts, this.#keys, options.limits, emit);
    this.#lookUps = new LookUpBatch((keys) => this.#lookUpAll(keys), clock);
    this.#pushes = new Pushes(client, this.#keys, this.#scripts.process);
    this.history = new RedisHistory(this.#scripts, this);
    this.upkeep = new RedisUpkeep({ client, keys: this.#keys, scripts: this.#scripts, history: this.history });
  }

  /** From now on nothing is served unless a sweeper has vouched for it within `lambdaMs`; undefined ends that. */
  requireWatermark(lambdaMs: number | undefined): void {
    this.#scripts.requireWatermark(lambdaMs);
  }

  async lookup(key: string): Promise<Lookup> {
    this.#scripts.assertUsable();
    return this.#lookUps.lookUp(key);
  }

  async put(key: string, entry: Entry, inherited: readonly Dependency[] = []): Promise<PutOutcome> {
    const ttl = entry.deleteAt - this.#clock.now();
    if (ttl < 1) return 'declined';
    if (inherited.some((dependency) => dependency.epoch !== entry.epoch)) return 'epoch';
    const oldest = inherited.reduce((least, { asOf }) => Math.min(least, asOf), entry.asOf);
    const { rest } = await this.#scripts.run(
      SCRIPTS.put,
      [this.#keys.entry(key)],
      [
        entry.epoch,
        entry.asOf,
        oldest,
        Math.ceil(ttl),
        encodeHeader(entry),
        entry.body,
        entry.tags.length,
        ...entry.tags,
        keyTag(key),
        ...[...oldestByTag(inherited)].flat(),
      ],
    );
    const outcome = rest[0] as PutOutcome;
    if (outcome === 'stored') this.#budget?.charge(key, entry);
    return outcome;
  }

  /** Here a body is kept in one form: the first coding that somebody wanted takes the place of what the handler wrote. */
  async keepForm(key: string, entry: Entry, form: Form, bytes: Buffer): Promise<void> {
    if (form === 'identity' || entry.coding !== undefined) return;
    const args = [encodeGuard(entry), encodeHeader(entry), CODED_FIELDS[form], bytes];
    await this.#scripts.run(SCRIPTS.keep, [this.#keys.entry(key)], args);
  }

  async invalidate(
    tags: readonly string[],
    { mark = '', lsn = '', lsnEpoch = '' }: InvalidateOptions = {},
  ): Promise<Invalidated> {
    const args = [this.#options.maxTags, mark, lsn, lsnEpoch, this.#scripts.process, ...tags];
    const { position, rest } = await this.#scripts.run(SCRIPTS.bump, [], args);
    const [epochAge, awaited] = rest;
    return { ...position, epochAgeMs: Number(epochAge), awaited: awaited ? String(awaited).split(' ') : [] };
  }

  async mark(tags: readonly string[], id: string, ttlMs: number): Promise<Position> {
    return (await this.#scripts.run(SCRIPTS.mark, [], [id, ttlMs, ...tags])).position;
  }

  async unmark(id: string): Promise<void> {
    await this.#scripts.run(SCRIPTS.clear, [], [id]);
  }

  claim(key: string, token: string, ttlMs: number, known?: Entry): Promise<ClaimAnswer> {
    return this.#claims.claim(key, token, ttlMs, known);
  }

  renewClaim(key: string, token: string, ttlMs: number): Promise<boolean> {
    return this.#claims.renewClaim(key, token, ttlMs);
  }

  endClaim(key: string, token: string, privateMs: number): Promise<void> {
    return this.#claims.endClaim(key, token, privateMs);
  }

  async position(leaseMs?: number): Promise<Position> {
    const lease = leaseMs === undefined ? ['', 0] : [this.#scripts.process, leaseMs];
    return (await this.#scripts.run(SCRIPTS.index, [], lease)).position;
  }

  /** Tells of every new connection, once it can be used. */
  onReady(listener: () => void): void {
    this.#client.on('ready', listener);
    this.#onReady.add(listener);
  }

  listen(listener: BackplaneListener): void {
    this.#pushes.listen(listener);
  }

  acknowledge(writer: string, epoch: string, seq: number): void {
    this.#pushes.acknowledge(writer, epoch, seq);
  }

  /** Memory belongs to the layer in front. */
  evict(): void {}

  close(): Promise<void> {
    for (const listener of this.#onReady) this.#client.off('ready', listener);
    this.#scripts.close();
    return this.#pushes.close();
  }

  /** One round trip: CHECK, then the fields of what it left standing. Bodies do not pass through Lua, which is slow. */
  async #lookUpAll(keys: readonly string[]): Promise<(Lookup | Error)[]> {
    const entryKeys = keys.map((key) => this.#keys.entry(key));
    const { reply, fetched } = await this.#scripts.runAndFetch(SCRIPTS.check, entryKeys, keys.map(keyTag), FIELDS);
    const { position, rest: codes } = reply;
    return fetched.map(([error, fields], index) => {
      if (error !== null) return error;
      if (position.live === false) return { outcome: 'unavailable', reason: 'watermark' };
      const code = codes[index];
      if (code !== 'hit') return { outcome: 'miss', reason: code as MissReason, position };
      return this.#found(fields as (Buffer | null)[], position);
    });
  }

  #found([guard, header, ...bodies]: (Buffer | null)[], position: Position): Lookup {
    const at = bodies.findIndex((body) => body !== null);
    const body = bodies[at];
    // Evicted, or replaced under another epoch, between the two commands; or in a coding that this Node does not know.
    const entry = guard && header && body ? decodeOrUndefined(guard, header, body, FORMS[at]) : undefined;
    if (entry === undefined || entry.epoch !== position.epoch) return { outcome: 'miss', reason: 'absent', position };
    if (this.#clock.now() >= entry.deleteAt) return { outcome: 'miss', reason: 'expired', position };
    return { outcome: 'hit', entry, layer: 'redis', position };
  }
}

const INFO_REFUSED: CacheEvent = {
  kind: 'advice',
  code: 'redis-info',
  message:
    'The Redis user may not run INFO, by which a restart or failover is recognised. Instead everything becomes cold whenever a process connects. Grant the user +info.',
};

/** Where a body stands that is kept in a coding. */
const CODED_FIELDS: Readonly<Record<Coding, string>> = { br: 'br', zstd: 'zs', gzip: 'gz' };

/** The forms that a body may be found in; only one of their fields is there. */
const FORMS: readonly (Coding | undefined)[] = [undefined, ...CODINGS];

/** As it was written, then in each of the codings. */
export const BODY_FIELDS: readonly string[] = FORMS.map((form) => (form === undefined ? 'b' : CODED_FIELDS[form]));

/** Guard, header, and the body wherever it stands. */
const FIELDS = ['g', 'h', ...BODY_FIELDS];

/** A report over ten thousand cached values depends on few tags: each counts once, as of its oldest use. */
function oldestByTag(inherited: readonly Dependency[]): Map<string, number> {
  const oldest = new Map<string, number>();
  for (const { tags, asOf } of inherited)
    for (const tag of tags) oldest.set(tag, Math.min(asOf, oldest.get(tag) ?? asOf));
  return oldest;
}

function decodeOrUndefined(guard: Buffer, header: Buffer, body: Buffer, coding?: Coding): Entry | undefined {
  try {
    return decodeEntry(guard.toString(), header.toString(), body, coding);
  } catch {
    // Not written by this version: as good as absent, and the next put replaces it.
    return undefined;
  }
}
