// Entries and the truth about invalidations in Redis, shared by every process.
import { createHash, randomBytes } from 'node:crypto';
import type { Backplane, BackplaneListener } from '../../contract/backplane.js';
import type { Clock } from '../../contract/clock.js';
import type { Dependency, Entry, Position } from '../../contract/entry.js';
import { ReportCacheError } from '../../contract/errors.js';
import type { Lookup, MissReason, PutOutcome, Store } from '../../contract/store.js';
import { decodeEntry, encodeHeader } from '../../entry/codec.js';
import { keyTag } from '../../entry/tags.js';
import { BUMP } from './lua/bump.js';
import { CHECK } from './lua/check.js';
import { INDEX } from './lua/index-position.js';
import { PUT } from './lua/put.js';
import { LookUpBatch } from './look-up-batch.js';
import { redisKeys, type RedisKeys } from './redis-keys.js';
import type { RedisLike, SubscriberLike } from '../../contract/redis-like.js';

export interface RedisStoreOptions {
  /** Letters, digits, `.`, `_`, `-`. */
  readonly namespace: string;
  /** The application's version: entries of another one are never read. */
  readonly version: string;
  /** Most tags remembered; beyond it everything becomes cold once. */
  readonly maxTags: number;
}

interface Script {
  readonly lua: string;
  readonly sha: string;
}

const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') });
const SCRIPTS = { check: script(CHECK), put: script(PUT), bump: script(BUMP), index: script(INDEX) };

/** A client with `stringNumbers` gives integers as text, and as text 10 comes before 9. */
type Reply = [epoch: string, seq: number | string, ...codes: string[]];

const positionOf = ([epoch, seq]: Reply): Position => ({ epoch, seq: Number(seq) });

/** Connected, or about to connect on the first command (`lazyConnect`). Anything else would queue and hang. */
const USABLE = new Set(['ready', 'wait']);

/**
 * Throws on every failure of Redis; turning failures into misses is the business of the layer around it.
 * Needs Redis 7 or Valkey.
 */
export class RedisStore implements Store, Backplane {
  readonly name = 'redis';
  readonly #client: RedisLike;
  readonly #keys: RedisKeys;
  readonly #options: RedisStoreOptions;
  readonly #clock: Clock;
  readonly #lookUps: LookUpBatch;
  #subscriber: SubscriberLike | undefined;

  /** @throws ERC_REDIS for something that is no ioredis client. */
  constructor(client: RedisLike, options: RedisStoreOptions, clock: Clock) {
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
    this.#lookUps = new LookUpBatch((keys) => this.#lookUpAll(keys), clock);
  }

  async lookup(key: string): Promise<Lookup> {
    this.#assertUsable();
    return this.#lookUps.lookUp(key);
  }

  async put(key: string, entry: Entry, inherited: readonly Dependency[] = []): Promise<PutOutcome> {
    const ttl = entry.deleteAt - this.#clock.now();
    if (ttl < 1) return 'declined';
    if (inherited.some((dependency) => dependency.epoch !== entry.epoch)) return 'epoch';
    const oldest = inherited.reduce((least, { asOf }) => Math.min(least, asOf), entry.asOf);
    const [, , code] = (await this.#run(
      SCRIPTS.put,
      [this.#keys.table, this.#keys.entry(key)],
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
    )) as Reply;
    return code as PutOutcome;
  }

  async invalidate(tags: readonly string[]): Promise<Position> {
    const args = [this.#options.maxTags, ...tags];
    return positionOf((await this.#run(SCRIPTS.bump, [this.#keys.table], args)) as Reply);
  }

  async position(): Promise<Position> {
    return positionOf((await this.#run(SCRIPTS.index, [this.#keys.table], [])) as Reply);
  }

  listen(listener: BackplaneListener): void {
    const subscriber = this.#client.duplicate() as SubscriberLike;
    this.#subscriber = subscriber;
    subscriber.on('message', (_channel: string, message: string) => {
      const [epoch = '', seq = '', ...tags] = message.split(' ');
      listener.push(epoch, Number(seq), tags);
    });
    subscriber.on('close', () => listener.lost());
    // Without a listener ioredis prints; the reconnect is its own business and `close` has already been told.
    subscriber.on('error', () => listener.lost());
    // ioredis renews a subscription after a reconnect only if it was in force before; this one may have been given up.
    const subscribe = () => {
      subscriber.subscribe(this.#keys.channel).catch(() => listener.lost());
    };
    subscriber.on('ready', subscribe);
    subscribe();
  }

  /** Memory belongs to the layer in front. */
  evict(): void {}

  /** Resolves once the connection for pushes is closed, as far as it was open. */
  async close(): Promise<void> {
    const subscriber = this.#subscriber;
    if (subscriber === undefined) return;
    const closed = new Promise<void>((resolve) => {
      if (subscriber.status === 'ready') subscriber.on('end', () => resolve());
      else resolve();
    });
    subscriber.disconnect();
    await closed;
  }

  #assertUsable(): void {
    if (!USABLE.has(this.#client.status)) throw new Error(`Redis connection is ${this.#client.status}.`);
  }

  /** One round trip: CHECK, then the fields of what it left standing. Bodies do not pass through Lua, which is slow. */
  async #lookUpAll(keys: readonly string[]): Promise<(Lookup | Error)[]> {
    const entryKeys = keys.map((key) => this.#keys.entry(key));
    const names = [this.#keys.table, ...entryKeys];
    const args = [names.length, ...names, spareEpoch(), this.#keys.channel, ...keys.map(keyTag)];
    let [checked, ...fetched] = await this.#pipelined('evalsha', SCRIPTS.check.sha, args, entryKeys);
    if (isNoScript(checked?.[0]))
      [checked, ...fetched] = await this.#pipelined('eval', SCRIPTS.check.lua, args, entryKeys);
    if (!checked) throw new Error('Redis answered a pipeline with nothing.');
    if (checked[0]) throw checked[0];
    const reply = checked[1] as Reply;
    const [, , ...codes] = reply;
    const position = positionOf(reply);
    return fetched.map(([error, fields], index) => {
      if (error !== null) return error;
      const code = codes[index];
      if (code !== 'hit') return { outcome: 'miss', reason: code as MissReason, position };
      return this.#found(fields as (Buffer | null)[], position);
    });
  }

  #found([guard, header, body]: (Buffer | null)[], position: Position): Lookup {
    // Evicted, or replaced under another epoch, between the two commands.
    const entry = guard && header && body ? decodeOrUndefined(guard, header, body) : undefined;
    if (entry === undefined || entry.epoch !== position.epoch) return { outcome: 'miss', reason: 'absent', position };
    if (this.#clock.now() >= entry.staleAt) return { outcome: 'miss', reason: 'expired', position };
    return { outcome: 'hit', entry, layer: 'redis', position };
  }

  async #pipelined(command: string, scriptText: string, args: (string | number)[], entryKeys: readonly string[]) {
    const pipeline = this.#client.pipeline();
    pipeline.call(command, scriptText, ...args);
    for (const entryKey of entryKeys) pipeline.hmgetBuffer(entryKey, 'g', 'h', 'b');
    return (await pipeline.exec()) ?? [];
  }

  async #run({ lua, sha }: Script, keys: string[], args: (string | Buffer | number)[]): Promise<unknown> {
    this.#assertUsable();
    const rest = [keys.length, ...keys, spareEpoch(), this.#keys.channel, ...args];
    try {
      return await this.#client.call('evalsha', sha, ...rest);
    } catch (error) {
      if (!isNoScript(error)) throw error;
      return this.#client.call('eval', lua, ...rest);
    }
  }
}

/** A report over ten thousand cached values depends on few tags: each counts once, as of its oldest use. */
function oldestByTag(inherited: readonly Dependency[]): Map<string, number> {
  const oldest = new Map<string, number>();
  for (const { tags, asOf } of inherited)
    for (const tag of tags) oldest.set(tag, Math.min(asOf, oldest.get(tag) ?? asOf));
  return oldest;
}

const processName = randomBytes(9).toString('base64url');
let spares = 0;

/** Used only if Redis has to begin a new history; never the same twice. */
function spareEpoch(): string {
  spares += 1;
  return `${processName}.${spares.toString(36)}`;
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function decodeOrUndefined(guard: Buffer, header: Buffer, body: Buffer): Entry | undefined {
  try {
    return decodeEntry(guard.toString(), header.toString(), body);
  } catch {
    // Not written by this version: as good as absent, and the next put replaces it.
    return undefined;
  }
}
