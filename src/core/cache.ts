// The heart: look up, wait for a running computation, or compute with the position captured before the first read.
import type { Clock } from '../contract/clock.js';
import type { Dependency, Entry, Position } from '../contract/entry.js';
import { ERROR_ADVICE, errorText } from '../contract/errors.js';
import type { BypassReason, DeclineReason, EventSink } from '../contract/events.js';
import type { Draft, Load, Reader, ReadRequest, Turn } from '../contract/reading.js';
import type { LayerName, Lookup, PutOutcome, Store } from '../contract/store.js';
import { isTag, withWholeKinds } from '../entry/tags.js';
import { Admission, UNLIMITED, type AdmissionLimits } from './admission.js';
import { contend, type Contest } from './contend.js';
import { Flights, type Flight, type Landing } from './flights.js';
import type { Invalidations } from './invalidations.js';
import type { OwnClaims } from './own-claims.js';
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
}

/** After so many computations that could not be stored, a reader stops waiting for others. */
const MOST_WAITS = 3;

/** What is not stored for these reasons will not be in the next moment either: nobody should queue for it. */
const UNFIT: ReadonlySet<PutOutcome> = new Set(['declined', 'flux']);

/** Whether the report is fit to be shared is as unknown as before. */
const SAYS_NOTHING: ReadonlySet<DeclineReason> = new Set(['incomplete', 'head']);

export class Cache implements Reader {
  readonly #store: Store;
  readonly #invalidations: Invalidations;
  readonly #scopes: Scopes;
  readonly #options: CacheOptions;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  readonly #flights = new Flights();
  readonly #admission: Admission;
  #advised = false;
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
  }

  /** Synchronous wherever the store is: a hit in memory costs no promise. */
  read(request: ReadRequest): Turn | Promise<Turn> {
    return this.#attempt(request, this.#flights.arrive(), this.#clock.monotonic(), 0);
  }

  close(): void {
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
    if (this.#closed) return 'closed';
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
      const pending = this.#invalidations.touches(found.entry.tags, request.key);
      const wanted = !pending && request.refresh !== true && (request.accept?.(found.entry, this.#clock.now()) ?? true);
      if (wanted) return this.#serve(request, found.entry, found.layer, coalesced, started);
      if (request.onlyIfCached) return { next: 'none' };
      return this.#lead(request, found.position, pending ? 'invalidated' : 'request', started);
    }
    if (request.onlyIfCached) return { next: 'none' };
    // Whoever computes during a write can store nothing, so nobody waits for him.
    if (found.reason === 'flux') return this.#bypass(request, 'flux');
    if (waits >= MOST_WAITS) return this.#lead(request, found.position, found.reason, started, null);
    if (request.refresh === true) return this.#lead(request, found.position, found.reason, started);
    const flight = this.#flights.get(request.key);
    if (flight !== undefined) {
      if (!this.#admission.mayWait) return this.#overloaded(request, found.position, started);
      return this.#wait(flight, request, arrival, started, waits);
    }
    const { claims } = this.#options;
    if (claims === undefined || request.coalesce !== 'shared')
      return this.#lead(request, found.position, found.reason, started);
    return this.#agree(claims, request, arrival, started, found);
  }

  /** Agrees with the other processes on who computes. Readers of this one wait meanwhile, and share what comes of it. */
  async #agree(
    claims: OwnClaims,
    request: ReadRequest,
    arrival: number,
    started: number,
    { position, reason }: Extract<Lookup, { outcome: 'miss' }>,
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
        return this.#lead(request, contest.position, reason, started, flight);
      case 'private':
        flight.land({ kind: 'private' });
        return this.#lead(request, contest.position, reason, started, null);
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

  async #lookupProved(key: string): Promise<Lookup> {
    try {
      return await this.#store.lookup(key, 'strict');
    } catch (error) {
      return { outcome: 'unavailable', reason: errorText(error) };
    }
  }

  /** What another process has stored was compared with the truth after everybody had arrived who came before the question. */
  #landingOf({ found, asked }: Extract<Contest, { end: 'found' }>, key: string): Landing {
    if (found.outcome !== 'hit' || this.#invalidations.touches(found.entry.tags, key)) return { kind: 'abandoned' };
    return { kind: 'stored', entry: found.entry, offered: asked };
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
      return this.#serve(request, landing.entry, this.#store.name, true, started);
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

  #serve(request: ReadRequest, entry: Entry, layer: LayerName, coalesced: boolean, started: number): Turn {
    // A report built from this one depends on all that this one depends on, as of when this one was read.
    const { tags, epoch, asOf } = entry;
    this.#scopes.computation?.inherit({ tags, epoch, asOf });
    this.#emit({
      kind: 'hit',
      key: request.key,
      type: request.type,
      layer,
      ageMs: this.#clock.now() - entry.createdAt,
      coalesced,
      durationMs: this.#clock.monotonic() - started,
    });
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

  /** @param flight in which others wait already; null: nobody is to wait for this computation. */
  #lead(request: ReadRequest, position: Position, reason: string, started: number, flight?: Flight | null): Turn {
    if (!this.#admission.mayCompute && this.#scopes.computation === undefined) {
      flight?.land({ kind: 'abandoned' });
      return this.#refuse(request);
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
    return { next: 'lead', load: this.#load(request, position, led), reason };
  }

  /** Whoever comes second (a forced refresh) computes beside the flight, unseen. */
  #departAlone(key: string): Flight | null {
    return this.#flights.get(key) === undefined ? this.#flights.depart(key) : null;
  }

  #load(request: ReadRequest, position: Position, flight: Flight | null): Load {
    const outer = this.#scopes.computation;
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

    const scope = this.#scopes.open(computation);

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
      const ttlMs = Math.min(request.ttlMs, draft.ttlMs ?? Infinity);
      const entry: Entry = {
        body: draft.body,
        status: draft.status,
        headers: draft.headers,
        etag: draft.etag,
        type: request.type,
        owner: request.owner,
        createdAt,
        staleAt: createdAt + ttlMs,
        deleteAt: createdAt + ttlMs,
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
        this.#emit({ kind: 'stored', key, type: request.type, bytes: entry.body.length, durationMs: entry.computeMs });
      } else {
        decline(outcome === 'declined' ? 'too-large' : outcome);
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
      run: (task) => scope.run(task),
      addTags: (more) => computation.addTags(more),
      store: (draft) => {
        if (settled) return Promise.resolve('declined');
        settled = true;
        computed();
        return settle(draft);
      },
      decline: (reason) => {
        if (settled) return;
        settled = true;
        computed();
        decline(reason);
        flight?.land({ kind: SAYS_NOTHING.has(reason) ? 'abandoned' : 'private' });
      },
      get settled() {
        return settled;
      },
    };
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
