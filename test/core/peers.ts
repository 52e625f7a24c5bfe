// Whole cores of several processes over one real Redis: what they share, how they can be cut off, and the clock of them all.
import type { CacheEvent } from '../../src/contract/events.js';
import type { ReadRequest } from '../../src/contract/reading.js';
import type { Claims } from '../../src/contract/store.js';
import type { AdmissionLimits } from '../../src/core/admission.js';
import { Cache } from '../../src/core/cache.js';
import { Breaker } from '../../src/core/breaker.js';
import { GuardedStore } from '../../src/core/guarded-store.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { OwnClaims } from '../../src/core/own-claims.js';
import { Scopes } from '../../src/core/scope.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { BREAKER } from '../../src/options/defaults.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { plainWriters } from '../support/plain-writers.js';
import { RedisNamespaces } from '../support/redis-namespace.js';
import { GatedRedis } from '../typeorm/durable/support/gated-redis.js';
import { request } from './set-up.js';

const LIMITS = { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: 60_000 };

export const CLAIM_MS = 60_000;
export const PRIVATE_MS = 30_000;
export const WAIT_MS = 300_000;

export interface PeerOptions {
  readonly limits?: AdmissionLimits;
  /** For early refresh. */
  readonly chance?: () => number;
  /** For one operation of Redis, ms. By default time that the test lets pass does not make Redis look slow. */
  readonly deadlineMs?: number;
  /** What stands between the core and Redis' claims. */
  readonly claims?: (claims: Claims) => Claims;
}

export type Peer = Awaited<ReturnType<Peers['peer']>>;

export class Peers {
  readonly #closing: (() => Promise<void>)[] = [];
  readonly clock;

  private constructor(
    private readonly namespaces: RedisNamespaces,
    readonly namespace: string,
    /** Of the test itself. */
    readonly client: Awaited<ReturnType<RedisNamespaces['connect']>>,
  ) {
    this.clock = namespaces.clock;
  }

  static async open(): Promise<Peers> {
    const namespaces = new RedisNamespaces();
    const { namespace, client } = await namespaces.create();
    return new Peers(namespaces, namespace, client);
  }

  /** One more process. */
  async peer({ limits, chance = () => 0, deadlineMs = 10 * WAIT_MS, claims = (given) => given }: PeerOptions = {}) {
    const { clock } = this;
    const events: CacheEvent[] = [];
    const emit = (event: CacheEvent) => void events.push(event);
    const redis = new GatedRedis(await this.namespaces.connect());
    const inRedis = this.namespaces.store(redis, this.namespace);
    const guarded = new GuardedStore(
      inRedis,
      { deadlineMs, maxUnanswered: 10_000, breaker: new Breaker(BREAKER) },
      clock,
      emit,
    );
    const memory = new MemoryStore(new TagTable('', 1000), LIMITS, clock);
    const store = new TieredStore(memory, guarded, { leaseMs: 250, overdueMs: 100 }, clock, emit);
    store.follow(inRedis);
    const invalidations = new Invalidations(store, undefined, plainWriters(), clock, emit);
    const scopes = new Scopes();
    /** Attempts to get a claim. */
    let attempts = 0;
    const counted: Claims = {
      claim: (...args) => ((attempts += 1), guarded.claim(...args)),
      renewClaim: (...args) => guarded.renewClaim(...args),
      endClaim: (...args) => guarded.endClaim(...args),
    };
    const own = new OwnClaims(claims(counted), { claimMs: CLAIM_MS, privateMs: PRIVATE_MS }, clock);
    const options = { waitMs: WAIT_MS, maxTags: 256, claims: own, chance, ...(limits && { limits }) };
    const cache = new Cache(store, invalidations, scopes, options, clock, emit);
    const close = async () => {
      cache.close();
      await own.close();
    };
    this.#closing.push(close);
    return {
      redis,
      store,
      invalidations,
      scopes,
      cache,
      events,
      close,
      read: (overrides: Partial<ReadRequest> = {}) => cache.read(request({ coalesce: 'shared', ...overrides })),
      attempts: () => attempts,
    };
  }

  get claimKey(): string {
    return `{${this.namespace}}:c:1.1:k`;
  }

  /** Who has the claim on `k`, as Redis knows. */
  async holder(): Promise<string | null> {
    return this.client.hget(this.claimKey, 'by');
  }

  /** Resolves once that is in Redis: a token, `!` for private, or null. */
  async holderIs(holder: string | null): Promise<void> {
    while ((await this.holder()) !== holder);
  }

  /** A round trip: what was sent before by others has usually been answered. */
  async round(): Promise<void> {
    await this.client.ping();
  }

  /** Lets time pass, in small steps between round trips, until `promise` has ended. */
  async during<T>(promise: T | Promise<T>): Promise<T> {
    let done = false;
    const ended = Promise.resolve(promise).finally(() => (done = true));
    ended.catch(() => undefined);
    while (!done) {
      await this.round();
      this.clock.advance(10);
    }
    return ended;
  }

  /** Lets `peer` look again at least `times` times. */
  async looks(peer: Peer, times = 1): Promise<void> {
    const from = peer.attempts();
    while (peer.attempts() < from + times) {
      await this.round();
      this.clock.advance(10);
    }
    await this.round();
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    await this.namespaces.close();
  }
}
