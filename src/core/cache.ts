// The heart: look up, wait for a running computation, or compute with the position captured before the first read.
import type { Clock } from '../contract/clock.js';
import type { Dependency, Entry, Position } from '../contract/entry.js';
import { ERROR_ADVICE, errorText } from '../contract/errors.js';
import type { BypassReason, DeclineReason, EventSink } from '../contract/events.js';
import type { Draft, Fallback, Load, Reader, ReadRequest, Serving, Turn } from '../contract/reading.js';
import type { LayerName, Lookup, PutOutcome, Store } from '../contract/store.js';
import { isTag, keyTag, withWholeKinds } from '../entry/tags.js';
import { Admission, UNLIMITED, type AdmissionLimits } from './admission.js';
import { Backoff } from './backoff.js';
import { contend, type Contest } from './contend.js';
import { Flights, type Flight, type Landing } from './flights.js';
import { NO_GRACE, shortened, standingOf } from './freshness.js';
import type { Invalidations } from './invalidations.js';
import type { OwnClaims } from './own-claims.js';
import { Running } from './running.js';
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

/** What is not stored for these reasons will not be in the next moment either: nobody should queue for it. */
const UNFIT: ReadonlySet<PutOutcome> = new Set(['declined', 'flux']);

/** Whether the report is fit to be shared is as unknown as before. */
const SAYS_NOTHING: ReadonlySet<DeclineReason> = new Set(['incomplete', 'head']);

/** The handler has given another answer than the entry in its grace, and one that is not stored. */
const SUPERSEDES: ReadonlySet<DeclineReason> = new Set([
  'status',
  'no-store',
  'no-cache',
  'max-age',
  'set-cookie',
  'vary-star',
  'partial',
  'too-large',
]);

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
  #advised = false;
  readonly #running = new Running();
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
  }

  /** Synchronous wherever the store is: a hit in memory costs no promise. */
  read(request: ReadRequest): Turn | Promise<Turn> {
    return this.#attempt(request, this.#flights.arrive(), this.#clock.monotonic(), 0);
  }

  /** Takes no more readers. Resolves when every computation has ended, and what it made is stored or declined. */
  drain(): Promise<void> {
    this.#draining = true;
    return this.#running.none();
  }

  close(): void {
    this.#draining = true;
    this.#closed = true;
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
    const load = this.#load(request, position, led, fallback !== undefined);
    return { next: 'lead', load, reason, ...(fallback !== undefined && { fallback }) };
  }

  /** Whoever comes second (a forced refresh) computes beside the flight, unseen. */
  #departAlone(key: string): Flight | null {
    return this.#flights.get(key) === undefined ? this.#flights.depart(key) : null;
  }

  /** @param dispensable there is something to serve meanwhile: after a failure the computation rests. */
  #load(request: ReadRequest, position: Position, flight: Flight | null, dispensable: boolean): Load {
    const { graceMs, jitter } = request.freshness ?? NO_GRACE;
    const chance = jitter > 0 ? this.#chance() : 0;
    let outer = this.#scopes.computation;
    const computed = outer === undefined ? this.#admission.computes() : () => undefined;
    const tags = new Set<string>(request.tags);
    outer?.addTags(tags);
    const inherited: Dependency[] = [];
    const createdAt = this.#clock.now();
    const began = this.#clock.monotonic();
    const place = flight?.departure ?? this.#flights.arrive();
    let settled = false;
    let lagging = false;
    let replicaRead = false;

    const computation: Computation = {
      addTags: (more) => {
        // An iterator can be read only once.
        const found = [...more];
        for (const tag of found) tags.add(tag);
        outer?.addTags(found);
      },
      inherit: (dependency) => {
        inherited.push(dependency);
        for (const tag of dependency.tags) tags.add(tag);
        outer?.inherit(dependency);
      },
      position,
      get replayNeeded() {
        replicaRead = true;
        // Who has read something old is not stored anyway, and need not wait for a replica again.
        return lagging ? '' : (position.lsn ?? '');
      },
      readFromThePast: () => {
        lagging = true;
        outer?.readFromThePast();
      },
    };

    let scope = this.#scopes.open(computation);
    const over = this.#running.begin();
    let ran = false;

    const decline = (reason: DeclineReason) => {
      this.#emit({
        kind: 'declined',
        key: request.key,
        type: request.type,
        reason,
        durationMs: this.#clock.monotonic() - began,
      });
    };

    const settle = async (draft: Draft): Promise<PutOutcome> => {
      const wellFormed = this.#wellFormed(tags);
      const all = wellFormed ? withWholeKinds(tags) : [];
      const tooMany = all.length > this.#options.maxTags;
      const unfit = scope.tainted
        ? 'transaction'
        : lagging
          ? 'replica'
          : !wellFormed
            ? 'error'
            : tooMany
              ? 'too-many-tags'
              : undefined;
      if (unfit !== undefined) {
        decline(unfit);
        flight?.land({ kind: 'private' });
        return 'declined';
      }
      const key = draft.key ?? request.key;
      const ttlMs = shortened(Math.min(request.ttlMs, draft.ttlMs ?? Infinity), jitter, chance);
      const staleAt = inherited.reduce((least, part) => Math.min(least, part.staleAt ?? Infinity), createdAt + ttlMs);
      const entry: Entry = {
        body: draft.body,
        status: draft.status,
        headers: draft.headers,
        etag: draft.etag,
        type: request.type,
        owner: request.owner,
        createdAt,
        staleAt,
        // A ttl of nothing switches the cache off, whatever the grace.
        deleteAt: staleAt + (draft.withoutGrace || ttlMs <= 0 ? 0 : graceMs),
        computeMs: this.#clock.monotonic() - began,
        tags: all,
        epoch: position.epoch,
        asOf: position.seq,
      };
      const offered = this.#flights.arrive();
      const outcome = flight?.superseded ? 'stale' : await this.#offer(key, entry, inherited);
      if (outcome === 'stored') {
        const running = this.#flights.get(request.key);
        if (running !== undefined && running.departure < place) running.superseded = true;
        this.#backoff.succeeded(request.key);
        this.#emit({ kind: 'stored', key, type: request.type, bytes: entry.body.length, durationMs: entry.computeMs });
      } else {
        const past = entry.deleteAt <= this.#clock.now();
        decline(outcome !== 'declined' ? outcome : past ? 'expired' : 'too-large');
      }
      // Under another key it answers another question than those who wait have asked.
      if (key !== request.key) flight?.land({ kind: 'private' });
      else if (outcome === 'stored') flight?.land({ kind: 'stored', entry, offered });
      // A replica shows what was there at the capture, not at the departure, which some have arrived in between.
      else flight?.land(replicaRead ? { kind: 'abandoned' } : { kind: 'unproved', entry }, UNFIT.has(outcome));
      return outcome;
    };

    return {
      key: request.key,
      position,
      ttlMs: shortened(request.ttlMs, jitter, chance),
      run: (task) => {
        ran = true;
        return scope.run(task);
      },
      addTags: (more) => computation.addTags(more),
      store: (draft) => {
        if (settled) return Promise.resolve('declined');
        settled = true;
        computed();
        return settle(draft).finally(over);
      },
      decline: (reason) => {
        if (settled) return;
        settled = true;
        computed();
        decline(reason);
        if (dispensable) this.#afterDecline(request.key, reason);
        flight?.land({ kind: SAYS_NOTHING.has(reason) ? 'abandoned' : 'private' });
        over();
      },
      leave: () => {
        outer = undefined;
        if (!ran) scope = this.#scopes.open(computation, 'beside');
      },
      giveUp: () => {
        flight?.giveUp();
        if (dispensable) this.#backoff.failed(request.key);
      },
      get settled() {
        return settled;
      },
    };
  }

  /** What becomes of the entry that was at hand. */
  #afterDecline(key: string, reason: DeclineReason): void {
    if (reason === 'error') this.#backoff.failed(key);
    // The report is another now, or there is none any more, and this is all that will be heard of it.
    else if (SUPERSEDES.has(reason)) void this.#invalidations.invalidate([keyTag(key)], 'superseded');
  }

  /** What is no tag cannot be invalidated, so whatever carries it must not be stored. */
  #wellFormed(tags: ReadonlySet<unknown>): boolean {
    for (const one of tags) {
      if (isTag(one)) continue;
      if (!this.#advised) {
        const message = `${JSON.stringify(one) ?? String(one)} is no tag; what carries it is not cached. ${ERROR_ADVICE.ERC_TAG}`;
        this.#emit({ kind: 'advice', code: 'ERC_TAG', message });
      }
      this.#advised = true;
      return false;
    }
    return true;
  }

  async #offer(key: string, entry: Entry, inherited: readonly Dependency[]): Promise<PutOutcome> {
    if (this.#closed) return 'unavailable';
    if (this.#invalidations.touches(entry.tags, key)) return 'stale';
    try {
      return await this.#store.put(key, entry, inherited);
    } catch (error) {
      // Whoever waits for this computation must go on whatever happens.
      const text = errorText(error);
      this.#emit({ kind: 'layerFailed', layer: this.#store.name, operation: 'put', error: text });
      return 'unavailable';
    }
  }
}
