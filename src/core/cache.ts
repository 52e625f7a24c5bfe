// The heart: look up, wait for a running computation, or compute with the position captured before the first read.
import type { Clock } from '../contract/clock.js';
import type { Entry, Position } from '../contract/entry.js';
import { errorText } from '../contract/errors.js';
import type { BypassReason, EventSink } from '../contract/events.js';
import type { Fallback, Reader, ReadRequest, Serving, Turn } from '../contract/reading.js';
import type { LayerName, Lookup, Store } from '../contract/store.js';
import { Admission, UNLIMITED, type AdmissionLimits } from './admission.js';
import { Backoff } from './backoff.js';
import { contend, type Contest } from './contend.js';
import { Flights, type Flight, type Landing } from './flights.js';
import { NO_GRACE, standingOf } from './freshness.js';
import type { Invalidations } from './invalidations.js';
import type { OwnClaims } from './own-claims.js';
import { Loads } from './loads.js';
import type { Computation, Scopes } from './scope.js';

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
}

/** After so many computations that could not be stored, a reader stops waiting for others. */
const MOST_WAITS = 3;

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
  #draining = false;
  #closed = false;

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
    this.#loads = new Loads({
      store,
      invalidations,
      scopes,
      flights: this.#flights,
      admission: this.#admission,
      backoff: this.#backoff,
      maxTags,
      chance: this.#chance,
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
    this.#closed = true;
    this.#loads.close();
  }

  #attempt(request: ReadRequest, arrival: number, started: number, waits: number): Turn | Promise<Turn> {
    const forbidden = this.#forbidden;
    if (forbidden !== undefined) return this.#bypass(request, forbidden);
    const found = this.#store.lookup(request.key, request.consistency, this.#atLeast(request));
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
    if (found.outcome === 'unavailable') return this.#bypass(request, 'unavailable', found.reason);
    if (found.outcome === 'hit') {
      const turn = this.#decideHit(request, started, found, coalesced);
      if (turn !== undefined) return turn;
    }
    if (request.onlyIfCached) return { next: 'none' };
    const reason = found.outcome === 'hit' ? 'expired' : found.reason;
    // Whoever computes during a write can store nothing, so nobody waits for him.
    if (reason === 'flux') return this.#bypass(request, 'flux');
    const { position } = found;
    if (waits >= MOST_WAITS) return this.#lead(request, position, reason, started, { flight: null });
    if (request.refresh === true) return this.#lead(request, position, reason, started);
    const flight = this.#flights.get(request.key);
    if (flight !== undefined) {
      if (!this.#admission.mayWait) return this.#overloaded(request, position, started);
      return this.#wait(flight, request, arrival, started, waits);
    }
    const { claims } = this.#options;
    if (claims === undefined || request.coalesce !== 'shared') return this.#lead(request, position, reason, started);
    return this.#agree(claims, request, arrival, started, position, reason);
  }

  /** Agrees with the other processes on who computes. Readers of this one wait meanwhile, and share what comes of it. */
  async #agree(
    claims: OwnClaims,
    request: ReadRequest,
    arrival: number,
    started: number,
    position: Position,
    reason: string,
  ): Promise<Turn> {
    const { key } = request;
    const flight = this.#flights.depart(key);
    const contest = await contend(key, {
      claims,
      position,
      // Those who wait here may have been told of different positions: only the truth suits all.
      lookup: () => this.#lookupProved(key),
      arrive: () => this.#flights.arrive(),
      admission: this.#admission,
      waitMs: this.#options.waitMs,
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
        return this.#lead(request, contest.position, reason, started, { flight });
      case 'private':
        flight.land({ kind: 'private' });
        return this.#lead(request, contest.position, reason, started, { flight: null });
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
  async #lookupProved(key: string): Promise<Lookup> {
    try {
      const found = await this.#store.lookup(key, 'strict');
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
    started: number,
    found: Lookup & { outcome: 'hit' },
    coalesced: boolean,
  ): Turn | undefined {
    const { entry, layer, position } = found;
    const now = this.#clock.now();
    const standing = standingOf(entry, request.freshness ?? NO_GRACE, now, this.#chance);
    const pending = this.#invalidations.touches(entry.tags, request.key);
    const wanted = !pending && request.refresh !== true && (request.accept?.(entry, now) ?? true);
    if (standing === 'expired') return undefined;
    if (standing === 'stale' && (!wanted || request.onlyIfCached)) return undefined;
    if (!wanted) {
      if (request.onlyIfCached) return { next: 'none' };
      return this.#lead(request, position, pending ? 'invalidated' : 'request', started);
    }
    // One reader computes, the others need not wait for him (RFC 5861 §3); after a failure nobody does for a moment.
    const due = standing !== 'fresh' && !request.onlyIfCached;
    if (due && this.#flights.get(request.key) === undefined && !this.#backoff.rests(request.key)) {
      const fallback = this.#fallback(request, entry, layer, started);
      return this.#lead(request, position, standing === 'stale' ? 'expired' : 'early', started, { fallback });
    }
    return this.#serve(request, entry, layer, coalesced, started, this.#scopes.computation);
  }

  #fallback(request: ReadRequest, entry: Entry, layer: LayerName, started: number): Fallback {
    const around = this.#scopes.computation;
    return {
      entry,
      take: () => {
        const standing = standingOf(entry, request.freshness ?? NO_GRACE, this.#clock.now(), this.#chance);
        if (standing === 'expired' || this.#closed || this.#scopes.blocked) return undefined;
        // Proved when the reader came; what this process has heard since then counts, too.
        if (this.#invalidations.touches(entry.tags, request.key)) return undefined;
        if (this.#store.refutes?.(request.key, entry) === true) return undefined;
        return this.#serve(request, entry, layer, false, started, around);
      },
    };
  }

  /** Waits for another reader's computation and uses its result only where that is as good as computing now. */
  async #wait(flight: Flight, request: ReadRequest, arrival: number, started: number, waits: number): Promise<Turn> {
    const landing = await this.#landingInTime(flight, started);
    if (landing === undefined) {
      // Who has spent his time on others before says nothing of this one.
      if (waits === 0) flight.giveUp();
      return this.#bypass(request, 'wait');
    }
    // Compared with the truth, or begun, after this reader had arrived.
    const usable =
      (landing.kind === 'stored' && arrival < landing.offered) ||
      (landing.kind === 'unproved' && arrival < flight.departure);
    if (usable && (request.accept?.(landing.entry, this.#clock.now()) ?? true)) {
      return this.#serve(request, landing.entry, this.#store.name, true, started, this.#scopes.computation);
    }
    // An answer that may not be shared would make the others queue for one another: everyone computes at once.
    return this.#attempt(request, arrival, started, landing.kind === 'private' ? MOST_WAITS : waits + 1);
  }

  async #landingInTime(flight: Flight, started: number): Promise<Landing | undefined> {
    const leave = this.#admission.waits();
    let timer: { cancel(): void } | undefined;
    const late = new Promise<undefined>((resolve) => {
      const left = started + this.#options.waitMs - this.#clock.monotonic();
      timer = this.#clock.after(Math.max(left, 0), () => resolve(undefined));
    });
    const landing = await Promise.race([flight.landing, late]);
    timer?.cancel();
    leave();
    return landing;
  }

  #serve(
    request: ReadRequest,
    entry: Entry,
    layer: LayerName,
    coalesced: boolean,
    started: number,
    around: Computation | undefined,
  ): Serving {
    // A report built from this one depends on all that this one depends on, as of when this one was read.
    const { tags, epoch, asOf, staleAt } = entry;
    const now = this.#clock.now();
    const stale = now >= staleAt;
    around?.inherit({ tags, epoch, asOf, ...(stale && { staleAt }) });
    const { key, type } = request;
    const ageMs = now - entry.createdAt;
    const durationMs = this.#clock.monotonic() - started;
    // Computed while this reader waited, it is no older than his own would be.
    if (stale && !coalesced) this.#emit({ kind: 'staleHit', key, type, layer, ageMs, durationMs });
    else this.#emit({ kind: 'hit', key, type, layer, ageMs, coalesced, durationMs });
    return { next: 'serve', entry, layer, coalesced };
  }

  #bypass(request: ReadRequest, reason: BypassReason, detail?: string): Turn {
    this.#scopes.computation?.addTags(request.tags);
    this.#emit({ kind: 'bypass', type: request.type, reason, ...(detail === undefined ? {} : { detail }) });
    return { next: 'alone', reason };
  }

  /** Nobody else may wait. What a running computation reads is a part of it, and is never refused. */
  #overloaded(request: ReadRequest, position: Position, started: number): Turn {
    if (this.#admission.computesInstead || this.#scopes.computation !== undefined)
      return this.#lead(request, position, 'overload', started);
    return this.#refuse(request);
  }

  #refuse(request: ReadRequest): Turn {
    this.#emit({ kind: 'bypass', type: request.type, reason: 'overload' });
    return { next: 'refuse', reason: 'overload' };
  }

  #lead(request: ReadRequest, position: Position, reason: string, started: number, way: Leading = {}): Turn {
    const { flight, fallback } = way;
    if (!this.#admission.mayCompute && this.#scopes.computation === undefined) {
      flight?.land({ kind: 'abandoned' });
      return fallback?.take() ?? this.#refuse(request);
    }
    this.#emit({
      kind: 'miss',
      key: request.key,
      type: request.type,
      reason,
      durationMs: this.#clock.monotonic() - started,
    });
    const led = flight === undefined ? this.#departAlone(request.key) : flight;
    led?.begin();
    const load = this.#loads.open(request, position, led, fallback !== undefined);
    return { next: 'lead', load, reason, ...(fallback !== undefined && { fallback }) };
  }

  /** Whoever comes second (a forced refresh) computes beside the flight, unseen. */
  #departAlone(key: string): Flight | null {
    return this.#flights.get(key) === undefined ? this.#flights.depart(key) : null;
  }
}
