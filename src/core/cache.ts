// The heart: look up, wait for a running computation, or compute with the position captured before the first read.
import type { Clock } from '../contract/clock.js';
import type { Meter } from '../contract/costs.js';
import type { Entry, Position } from '../contract/entry.js';
import { errorText } from '../contract/errors.js';
import type { BypassReason, EventSink } from '../contract/events.js';
import type { Fallback, Reader, ReadRequest, Turn } from '../contract/reading.js';
import type { Lookup, Store } from '../contract/store.js';
import { Admission, UNLIMITED, type AdmissionLimits } from './admission.js';
import { Backoff } from './backoff.js';
import { NO_ACCOUNT } from './bill.js';
import { contend, type Contest } from './contend.js';
import { Flights, type Flight, type Landing } from './flights.js';
import { NO_GRACE, standingOf } from './freshness.js';
import type { Invalidations } from './invalidations.js';
import type { OwnClaims } from './own-claims.js';
import { Loads } from './loads.js';
import { askToRefresh } from './refresh.js';
import type { Computation, Scopes } from './scope.js';
import { Servings } from './servings.js';
import { LATE, TimeLimit } from './time-limit.js';

export interface CacheOptions {
  /** How long a reader waits for the computations of others, ms. */
  readonly waitMs: number;
  /** Most tags of one entry, whole-kind tags included. */
  readonly maxTags: number;
  /** Absent: none. */
  readonly limits?: AdmissionLimits;
  /** Where other processes compute the same reports. */
  readonly claims?: OwnClaims | undefined;
  /** Serve and store nothing, for this reason. */
  readonly refusal?: BypassReason;
  /** Uniform in [0, 1), for jitter and early refresh. @default Math.random */
  readonly chance?: () => number;
  /** Who keeps account of what runs cost. Absent: nobody. */
  readonly meter?: Meter;
}

/** After so many computations that could not be stored, a reader stops waiting for others. */
const MOST_WAITS = 3;

type Hit = Lookup & { readonly outcome: 'hit' };

/** Why there is nothing to serve, and what a computation begins with. */
interface Missing {
  readonly position: Position;
  readonly reason: string;
  /** Valid, but past its ttl or not wanted. */
  readonly previous?: Entry;
}

interface Leading {
  /** In which others wait already; null: nobody is to wait for this computation. */
  readonly flight?: Flight | null;
  readonly fallback?: Fallback;
}

export class Cache implements Reader {
  readonly #store: Store;
  readonly #invalidations: Invalidations;
  readonly #scopes: Scopes;
  readonly #options: CacheOptions;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  readonly #flights = new Flights();
  readonly #admission: Admission;
  readonly #backoff: Backoff;
  readonly #chance: () => number;
  readonly #loads: Loads;
  readonly #servings: Servings;
  #draining = false;

  constructor(
    store: Store,
    invalidations: Invalidations,
    scopes: Scopes,
    options: CacheOptions,
    clock: Clock,
    emit: EventSink,
  ) {
    this.#store = store;
    this.#invalidations = invalidations;
    this.#scopes = scopes;
    this.#options = options;
    this.#admission = new Admission(options.limits ?? UNLIMITED);
    this.#clock = clock;
    this.#emit = emit;
    this.#backoff = new Backoff(clock);
    this.#chance = options.chance ?? Math.random;
    const { maxTags } = options;
    this.#servings = new Servings({ store, invalidations, scopes, chance: this.#chance, clock, emit });
    this.#loads = new Loads({
      store,
      invalidations,
      scopes,
      flights: this.#flights,
      admission: this.#admission,
      backoff: this.#backoff,
      maxTags,
      chance: this.#chance,
      meter: options.meter ?? NO_ACCOUNT,
      clock,
      emit,
    });
  }

  /** Synchronous wherever the store is: a hit in memory costs no promise. */
  read(request: ReadRequest): Turn | Promise<Turn> {
    return this.#attempt(request, this.#flights.arrive(), this.#clock.monotonic(), 0);
  }

  /** Takes no more readers. Resolves when every computation has ended, and what it made is stored or declined. */
  drain(): Promise<void> {
    this.#draining = true;
    return this.#loads.none();
  }

  close(): void {
    this.#draining = true;
    this.#servings.close();
    this.#loads.close();
  }

  #attempt(request: ReadRequest, arrival: number, started: number, waits: number): Turn | Promise<Turn> {
    const forbidden = this.#forbidden;
    if (forbidden !== undefined) return this.#bypass(request, forbidden);
    const { key, consistency, persist } = request;
    const found = this.#store.lookup(key, consistency, this.#atLeast(request), persist);
    if (found instanceof Promise) return found.then((later) => this.#decide(request, arrival, started, waits, later));
    return this.#decide(request, arrival, started, waits, found);
  }

  /** Why nothing may be served or stored here and now. */
  get #forbidden(): BypassReason | undefined {
    if (this.#draining) return 'closed';
    return this.#options.refusal ?? (this.#scopes.blocked ? 'transaction' : undefined);
  }

  /** A report is not built from values that are older than what its own reader has been told of. */
  #atLeast({ atLeast }: ReadRequest): Position | undefined {
    const around = this.#scopes.computation?.position;
    if (around === undefined || atLeast === undefined) return around ?? atLeast;
    return around.epoch === atLeast.epoch && around.seq < atLeast.seq ? atLeast : around;
  }

  #decide(
    request: ReadRequest,
    arrival: number,
    started: number,
    waits: number,
    found: Lookup,
    coalesced = false,
  ): Turn | Promise<Turn> {
    if (found.outcome === 'hit') {
      const turn = this.#decideHit(request, arrival, started, waits, found, coalesced);
      if (turn !== undefined) return turn;
    }
    if (found.outcome === 'unavailable') return this.#bypass(request, 'unavailable', found.reason);
    if (request.onlyIfCached) return { next: 'none' };
    const { position } = found;
    const missing: Missing =
      found.outcome === 'hit'
        ? { position, reason: 'expired', previous: found.entry }
        : { position, reason: found.reason };
    // Whoever computes during a write can store nothing, so nobody waits for him.
    if (missing.reason === 'flux') return this.#bypass(request, 'flux');
    learnTags(request);
    if (waits >= MOST_WAITS) return this.#lead(request, missing, started, { flight: null });
    if (isToBeNew(request, this.#scopes.computation)) return this.#lead(request, missing, started);
    const flight = this.#flights.get(request.key);
    if (flight !== undefined) {
      if (!this.#admission.mayWait) return this.#overloaded(request, position, started);
      return this.#wait(flight, request, arrival, started, waits);
    }
    const { claims } = this.#options;
    if (claims === undefined || request.coalesce !== 'shared') return this.#lead(request, missing, started);
    return this.#agree(claims, request, arrival, started, missing);
  }

  /** Agrees with the other processes on who computes. Readers of this one wait meanwhile, and share what comes of it. */
  async #agree(
    claims: OwnClaims,
    request: ReadRequest,
    arrival: number,
    started: number,
    missing: Missing,
  ): Promise<Turn> {
    const { key } = request;
    const flight = this.#flights.depart(key);
    const contest = await contend(key, {
      claims,
      position: missing.position,
      // Those who wait here may have been told of different positions: only the truth suits all.
      lookup: () => this.#lookupProved(request),
      arrive: () => this.#flights.arrive(),
      admission: this.#admission,
      waitMs: this.#waitMs(request),
      clock: this.#clock,
    });
    const forbidden = this.#forbidden;
    if (forbidden !== undefined) {
      if (contest.end === 'lead') contest.claim?.end(false);
      flight.land({ kind: 'abandoned' });
      return this.#bypass(request, forbidden);
    }
    switch (contest.end) {
      case 'lead':
        flight.claim = contest.claim;
        return this.#lead(request, { ...missing, position: contest.position }, started, { flight });
      case 'private':
        flight.land({ kind: 'private' });
        return this.#lead(request, { ...missing, position: contest.position }, started, { flight: null });
      case 'found':
        flight.land(this.#landingOf(contest, key));
        return this.#decide(request, arrival, started, MOST_WAITS, contest.found, true);
      case 'crowded':
        flight.land({ kind: 'abandoned' });
        return this.#overloaded(request, contest.position, started);
      case 'late':
        flight.land({ kind: 'abandoned' });
        return this.#bypass(request, 'wait');
    }
  }

  /** Nobody who waits for a new entry wants the one that is past its ttl. */
  async #lookupProved({ key, persist }: ReadRequest): Promise<Lookup> {
    try {
      const found = await this.#store.lookup(key, 'strict', undefined, persist);
      const old = found.outcome === 'hit' && this.#clock.now() >= found.entry.staleAt;
      return old ? { outcome: 'miss', reason: 'expired', position: found.position } : found;
    } catch (error) {
      return { outcome: 'unavailable', reason: errorText(error) };
    }
  }

  /** What another process has stored was compared with the truth after everybody had arrived who came before the question. */
  #landingOf({ found, asked }: Extract<Contest, { end: 'found' }>, key: string): Landing {
    if (found.outcome !== 'hit' || this.#invalidations.touches(found.entry.tags, key)) return { kind: 'abandoned' };
    return { kind: 'stored', entry: found.entry, offered: asked };
  }

  /** The entry is valid. `undefined`: past its ttl, and not to be served, which is as good as absent. */
  #decideHit(
    request: ReadRequest,
    arrival: number,
    started: number,
    waits: number,
    found: Hit,
    coalesced: boolean,
  ): Turn | Promise<Turn> | undefined {
    const { entry, position } = found;
    const now = this.#clock.now();
    const standing = standingOf(entry, request.freshness ?? NO_GRACE, now, this.#chance);
    const pending = this.#invalidations.touches(entry.tags, request.key);
    const around = this.#scopes.computation;
    const wanted = !pending && !isToBeNew(request, around) && (request.accept?.(entry, now) ?? true);
    if (standing === 'expired') return undefined;
    if (standing === 'stale' && (!wanted || request.onlyIfCached)) return undefined;
    if (!wanted) {
      if (request.onlyIfCached) return { next: 'none' };
      const missing = pending ? { position, reason: 'invalidated' } : { position, reason: 'request', previous: entry };
      return this.#lead(request, missing, started);
    }
    // One reader computes, the others need not wait for him (RFC 5861 §3); after a failure nobody does for a moment.
    const may = standing !== 'fresh' && !request.onlyIfCached && request.storesNothing !== true && waits < MOST_WAITS;
    if (may && this.#flights.get(request.key) === undefined && !this.#backoff.rests(request.key)) {
      const missing = { position, reason: standing === 'stale' ? 'expired' : 'early', previous: entry };
      const fallback = this.#servings.fallback(request, found, started);
      const { claims } = this.#options;
      if (claims !== undefined && request.coalesce === 'shared')
        return this.#refresh(claims, request, arrival, started, waits, missing, fallback);
      return this.#lead(request, missing, started, { fallback });
    }
    return this.#servings.serve(request, found, coalesced, started, around);
  }

  /** This reader computes, in all of the processes that share it. Who does not is served at once. */
  async #refresh(
    claims: OwnClaims,
    request: ReadRequest,
    arrival: number,
    started: number,
    waits: number,
    missing: Missing,
    fallback: Fallback,
  ): Promise<Turn> {
    const { key } = request;
    learnTags(request);
    const flight = this.#flights.depart(key);
    const parts = { claims, store: this.#store, backoff: this.#backoff };
    const permission = await askToRefresh(key, fallback.entry, this.#waitMs(request), parts);
    if (permission !== undefined) flight.claim = permission.claim;
    if (permission !== undefined && this.#forbidden === undefined)
      return this.#lead(request, missing, started, { flight, fallback });
    flight.land({ kind: 'abandoned' });
    return fallback.take() ?? this.#attempt(request, arrival, started, waits + 1);
  }

  /** Waits for another reader's computation and uses its result only where that is as good as computing now. */
  async #wait(flight: Flight, request: ReadRequest, arrival: number, started: number, waits: number): Promise<Turn> {
    const left = started + this.#waitMs(request) - this.#clock.monotonic();
    const leave = this.#admission.waits();
    const limit = new TimeLimit(Math.max(left, 0), this.#clock);
    const landing = await limit.race(flight.landing);
    limit.cancel();
    leave();
    if (landing === LATE) {
      // Who has spent his time on others before says nothing of this one.
      if (waits === 0) flight.giveUp();
      return this.#bypass(request, 'wait');
    }
    // Compared with the truth, or begun, after this reader had arrived.
    const usable =
      (landing.kind === 'stored' && arrival < landing.offered) ||
      (landing.kind === 'unproved' && arrival < flight.departure);
    if (usable && (request.accept?.(landing.entry, this.#clock.now()) ?? true)) {
      const found = { entry: landing.entry, layer: this.#store.name };
      return this.#servings.serve(request, found, true, started, this.#scopes.computation);
    }
    // An answer that may not be shared would make the others queue for one another: everyone computes at once.
    return this.#attempt(request, arrival, started, landing.kind === 'private' ? MOST_WAITS : waits + 1);
  }

  #bypass(request: ReadRequest, reason: BypassReason, detail?: string): Turn {
    this.#scopes.computation?.addTags(request.tags);
    if (request.warms !== true)
      this.#emit({ kind: 'bypass', type: request.type, reason, ...(detail === undefined ? {} : { detail }) });
    return { next: 'alone', reason };
  }

  /** Nobody else may wait. What a running computation reads is a part of it, and is never refused. */
  #overloaded(request: ReadRequest, position: Position, started: number): Turn {
    if (this.#admission.computesInstead || this.#scopes.computation !== undefined)
      return this.#lead(request, { position, reason: 'overload' }, started);
    return this.#refuse(request);
  }

  #waitMs({ waitMs = this.#options.waitMs }: ReadRequest): number {
    return waitMs;
  }

  #refuse(request: ReadRequest): Turn {
    if (request.warms !== true) this.#emit({ kind: 'bypass', type: request.type, reason: 'overload' });
    return { next: 'refuse', reason: 'overload' };
  }

  #lead(request: ReadRequest, missing: Missing, started: number, way: Leading = {}): Turn {
    const { position, reason, previous } = missing;
    const { flight, fallback } = way;
    learnTags(request);
    if (!this.#admission.mayCompute && this.#scopes.computation === undefined) {
      flight?.land({ kind: 'abandoned' });
      return fallback?.take() ?? this.#refuse(request);
    }
    if (request.looksUp !== true && request.warms !== true) {
      const durationMs = this.#clock.monotonic() - started;
      this.#emit({ kind: 'miss', key: request.key, type: request.type, reason, durationMs });
    }
    const led = flight === undefined ? this.#departAlone(request.key) : flight;
    led?.begin();
    const load = this.#loads.open({ request, position, flight: led, previous, dispensable: fallback !== undefined });
    return { next: 'lead', load, reason, ...(fallback !== undefined && { fallback }) };
  }

  /** Whoever comes second (a forced refresh) computes beside the flight, unseen. */
  #departAlone(key: string): Flight | null {
    return this.#flights.get(key) === undefined ? this.#flights.depart(key) : null;
  }
}

/** They may come from a function of the application, which must fail, if it does, before anybody waits for this reader. */
function learnTags(request: ReadRequest): void {
  void request.tags;
}

/**
 * Asked for by the reader; or what is computed around it outlives it in the database, where the past of this value is not
 * known: it is computed anew, to be as young as what is built from it.
 */
function isToBeNew({ refresh, persist }: ReadRequest, around: Computation | undefined): boolean {
  return refresh === true || (around?.persisted === true && persist !== true);
}
