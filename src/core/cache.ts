// The heart: look up, wait for a running computation, or compute with the position captured before the first read.
import type { Clock } from '../contract/clock.js';
import type { Dependency, Entry, Position } from '../contract/entry.js';
import { ERROR_ADVICE, errorText } from '../contract/errors.js';
import type { BypassReason, DeclineReason, EventSink } from '../contract/events.js';
import type { Draft, Load, Reader, ReadRequest, Turn } from '../contract/reading.js';
import type { LayerName, Lookup, PutOutcome, Store } from '../contract/store.js';
import { isTag, withWholeKinds } from '../entry/tags.js';
import { Flights, type Flight, type Landing } from './flights.js';
import type { Invalidations } from './invalidations.js';
import { Running } from './running.js';
import type { Computation, Scopes } from './scope.js';

export interface CacheOptions {
  /** How long a reader waits for another reader's computation, ms. */
  readonly waitMs: number;
  /** Most tags of one entry, whole-kind tags included. */
  readonly maxTags: number;
  /** Serve and store nothing, for this reason. */
  readonly refusal?: BypassReason;
}

/** After so many computations that could not be stored, a reader stops waiting for others. */
const MOST_WAITS = 3;

export class Cache implements Reader {
  readonly #store: Store;
  readonly #invalidations: Invalidations;
  readonly #scopes: Scopes;
  readonly #options: CacheOptions;
  readonly #clock: Clock;
  readonly #emit: EventSink;
  readonly #flights = new Flights();
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
    this.#clock = clock;
    this.#emit = emit;
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
    if (this.#draining) return this.#bypass(request, 'closed');
    if (this.#options.refusal !== undefined) return this.#bypass(request, this.#options.refusal);
    if (this.#scopes.blocked) return this.#bypass(request, 'transaction');
    const found = this.#store.lookup(request.key, request.consistency, this.#atLeast(request));
    if (found instanceof Promise) return found.then((later) => this.#decide(request, arrival, started, waits, later));
    return this.#decide(request, arrival, started, waits, found);
  }

  /** A report is not built from values that are older than what its own reader has been told of. */
  #atLeast({ atLeast }: ReadRequest): Position | undefined {
    const around = this.#scopes.computation?.position;
    if (around === undefined || atLeast === undefined) return around ?? atLeast;
    return around.epoch === atLeast.epoch && around.seq < atLeast.seq ? atLeast : around;
  }

  #decide(request: ReadRequest, arrival: number, started: number, waits: number, found: Lookup): Turn | Promise<Turn> {
    if (found.outcome === 'unavailable') return this.#bypass(request, 'unavailable', found.reason);
    if (found.outcome === 'hit') {
      const pending = this.#invalidations.touches(found.entry.tags, request.key);
      const wanted = !pending && request.refresh !== true && (request.accept?.(found.entry, this.#clock.now()) ?? true);
      if (wanted) return this.#serve(request, found.entry, found.layer, false, started);
      if (request.onlyIfCached) return { next: 'none' };
      return this.#lead(request, found.position, pending ? 'invalidated' : 'request', started);
    }
    if (request.onlyIfCached) return { next: 'none' };
    // Whoever computes during a write can store nothing, so nobody waits for him.
    if (found.reason === 'flux') return this.#bypass(request, 'flux');
    const flight = this.#flights.get(request.key);
    if (flight === undefined) return this.#lead(request, found.position, found.reason, started);
    if (request.refresh === true || waits >= MOST_WAITS)
      return this.#lead(request, found.position, found.reason, started);
    return this.#wait(flight, request, arrival, started, waits);
  }

  /** Waits for another reader's computation and uses its result only where that is as good as computing now. */
  async #wait(flight: Flight, request: ReadRequest, arrival: number, started: number, waits: number): Promise<Turn> {
    const landing = await this.#landingInTime(flight);
    if (landing === undefined) {
      flight.giveUp();
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

  async #landingInTime(flight: Flight): Promise<Landing | undefined> {
    let timer: { cancel(): void } | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = this.#clock.after(this.#options.waitMs, () => resolve(undefined));
    });
    const landing = await Promise.race([flight.landing, late]);
    timer?.cancel();
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

  #lead(request: ReadRequest, position: Position, reason: string, started: number): Turn {
    this.#emit({
      kind: 'miss',
      key: request.key,
      type: request.type,
      reason,
      durationMs: this.#clock.monotonic() - started,
    });
    // Whoever comes second (a forced refresh, a reader who stopped waiting) computes beside the flight, unseen.
    const flight = this.#flights.get(request.key) === undefined ? this.#flights.depart(request.key) : undefined;
    return { next: 'lead', load: this.#load(request, position, flight), reason };
  }

  #load(request: ReadRequest, position: Position, flight: Flight | undefined): Load {
    const outer = this.#scopes.computation;
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
    const over = this.#running.begin();

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
      else flight?.land(replicaRead ? { kind: 'abandoned' } : { kind: 'unproved', entry });
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
        return settle(draft).finally(over);
      },
      decline: (reason) => {
        if (settled) return;
        settled = true;
        decline(reason);
        flight?.land({ kind: reason === 'incomplete' ? 'abandoned' : 'private' });
        over();
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
