// One running computation: its context, what becomes of its result, and what those who wait for it are told.
import type { Clock } from '../contract/clock.js';
import type { Meter } from '../contract/costs.js';
import type { Entry, Position } from '../contract/entry.js';
import { ERROR_ADVICE, errorText } from '../contract/errors.js';
import type { DeclineReason, EventSink } from '../contract/events.js';
import type { Draft, Load, ReadRequest } from '../contract/reading.js';
import type { PutOutcome, Store } from '../contract/store.js';
import { isTag, keyTag, withWholeKinds } from '../entry/tags.js';
import type { Admission } from './admission.js';
import type { Backoff } from './backoff.js';
import { Bill } from './bill.js';
import type { Flight, Flights } from './flights.js';
import { Gathering } from './gathering.js';
import type { Invalidations } from './invalidations.js';
import { beginLifetime, type Life, type Lifetime } from './lifetime.js';
import type { Running } from './running.js';
import type { OpenScope, Scopes } from './scope.js';
import { SAYS_NOTHING, SUPERSEDES, UNFIT } from './verdicts.js';

export interface LoadParts {
  readonly store: Store;
  readonly invalidations: Invalidations;
  readonly scopes: Scopes;
  readonly flights: Flights;
  readonly admission: Admission;
  readonly backoff: Backoff;
  /** Most tags of one entry, whole-kind tags included. */
  readonly maxTags: number;
  /** Uniform in [0, 1), for jitter. */
  readonly chance: () => number;
  readonly meter: Meter;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** What all computations of one cache share. */
export interface LoadsState {
  readonly running: Running;
  /** Nothing is stored any more. */
  closed: boolean;
  /** Somebody has been told that something is no tag. */
  advised: boolean;
}

export interface Beginnings {
  readonly request: ReadRequest;
  readonly position: Position;
  readonly flight: Flight | null;
  /** What is computed anew, valid but for its ttl, or not wanted. */
  readonly previous: Entry | undefined;
  /** It may be served meanwhile: after a failure the computation rests. */
  readonly dispensable: boolean;
}

/** A class, because V8 keeps whatever a getter of an object literal can reach until a full collection. */
export class RunningLoad implements Load {
  readonly key: string;
  readonly position: Position;
  readonly createdAt: number;
  readonly bill: Bill;
  settled = false;
  readonly #parts: LoadParts;
  readonly #state: LoadsState;
  readonly #request: ReadRequest;
  readonly #flight: Flight | null;
  readonly #dispensable: boolean;
  readonly #gathering: Gathering;
  readonly #lifetime: Lifetime;
  /** Monotonic, ms. */
  readonly #began: number;
  /** When it began, in the order of arrivals and departures. */
  readonly #place: number;
  readonly #counted: (() => void) | undefined;
  readonly #over: () => void;
  #scope: OpenScope;
  #ran = false;

  constructor(parts: LoadParts, state: LoadsState, { request, position, flight, previous, dispensable }: Beginnings) {
    const { scopes, admission, clock, meter, flights, chance } = parts;
    const outer = scopes.computation;
    this.#parts = parts;
    this.#state = state;
    this.#request = request;
    this.#flight = flight;
    this.#dispensable = dispensable;
    this.key = request.key;
    this.position = position;
    this.#counted = outer === undefined ? admission.computes() : undefined;
    this.bill = new Bill(meter, request);
    this.#gathering = new Gathering(request.tags, position, this.bill, outer);
    this.createdAt = clock.now();
    this.#lifetime = beginLifetime(request, { createdAt: this.createdAt, previous, due: dispensable, chance });
    this.#began = clock.monotonic();
    this.#place = flight?.departure ?? flights.arrive();
    this.#scope = scopes.open(this.#gathering);
    this.#over = state.running.begin();
  }

  get ttlMs(): number {
    return this.#lifetime.ttlMs;
  }

  run<T>(task: () => T): T {
    this.#ran = true;
    return this.#scope.run(task);
  }

  addTags(tags: Iterable<string>): void {
    this.#gathering.addTags(tags);
  }

  store(draft: Draft): Promise<PutOutcome> {
    if (this.settled) return Promise.resolve('declined');
    this.settled = true;
    this.#ended(false);
    return this.#settle(draft).finally(this.#over);
  }

  decline(reason: DeclineReason): void {
    if (this.settled) return;
    this.settled = true;
    this.#ended(reason === 'error' || reason === 'incomplete');
    this.#tellDeclined(reason);
    if (this.#dispensable) this.#afterDecline(reason);
    this.#flight?.land({ kind: SAYS_NOTHING.has(reason) ? 'abandoned' : 'private' });
    this.#over();
  }

  leave(): void {
    this.#gathering.leave();
    if (!this.#ran) this.#scope = this.#parts.scopes.open(this.#gathering, 'beside');
  }

  giveUp(): void {
    this.#flight?.giveUp();
    if (this.#dispensable) this.#parts.backoff.failed(this.key);
  }

  #ended(failed: boolean): void {
    this.#counted?.();
    if (!this.#ran || this.#request.looksUp === true) return;
    const durationMs = this.#parts.clock.monotonic() - this.#began;
    this.#parts.emit({ kind: 'ran', type: this.#request.type, failed, durationMs });
  }

  #tellDeclined(reason: DeclineReason): void {
    const durationMs = this.#parts.clock.monotonic() - this.#began;
    this.#parts.emit({ kind: 'declined', key: this.key, type: this.#request.type, reason, durationMs });
  }

  /** What becomes of the entry that was at hand. */
  #afterDecline(reason: DeclineReason): void {
    const { backoff, invalidations } = this.#parts;
    if (reason === 'error') backoff.failed(this.key);
    // The report is another now, or there is none any more, and this is all that will be heard of it.
    else if (SUPERSEDES.has(reason)) void invalidations.invalidate([keyTag(this.key)], 'superseded');
  }

  async #settle(draft: Draft): Promise<PutOutcome> {
    const wellFormed = this.#isWellFormed();
    const tags = wellFormed ? withWholeKinds(this.#gathering.tags) : [];
    const unfit = this.#unfitness(wellFormed, tags.length);
    if (unfit !== undefined) {
      this.#tellDeclined(unfit);
      this.#flight?.land({ kind: 'private' });
      return 'declined';
    }
    const key = draft.key ?? this.key;
    const { clock, flights } = this.#parts;
    const computeMs = clock.monotonic() - this.#began;
    const { times, next } = this.#lifetime.end(draft, computeMs, this.#gathering.inherited, key !== this.key);
    const entry = this.#entryOf(draft, times, tags);
    const offered = flights.arrive();
    const outcome = this.#flight?.superseded ? 'stale' : await this.#offer(key, entry);
    if (outcome === 'stored') {
      this.#supersedeOlder();
      this.#parts.backoff.succeeded(this.key);
      this.#parts.emit({
        kind: 'stored',
        key,
        type: entry.type,
        bytes: entry.body.length,
        ttlMs: entry.staleAt - this.createdAt,
        ...next,
        durationMs: computeMs,
      });
    } else {
      const past = entry.deleteAt <= clock.now();
      this.#tellDeclined(outcome !== 'declined' ? outcome : past ? 'expired' : 'too-large');
    }
    // Under another key it answers another question than those who wait have asked.
    if (key !== this.key) this.#flight?.land({ kind: 'private' });
    else if (outcome === 'stored') this.#flight?.land({ kind: 'stored', entry, offered });
    // A replica shows what was there at the capture, not at the departure, which some have arrived in between.
    else if (this.#gathering.replicaRead) this.#flight?.land({ kind: 'abandoned' }, UNFIT.has(outcome));
    else this.#flight?.land({ kind: 'unproved', entry }, UNFIT.has(outcome));
    return outcome;
  }

  #unfitness(wellFormed: boolean, tags: number): DeclineReason | undefined {
    if (this.#scope.tainted) return 'transaction';
    if (this.#gathering.lagging) return 'replica';
    if (!wellFormed) return 'error';
    return tags > this.#parts.maxTags ? 'too-many-tags' : undefined;
  }

  #entryOf(draft: Draft, times: Life['times'], tags: readonly string[]): Entry {
    const { cost } = this.bill;
    const { epoch, seq, database } = this.position;
    return {
      body: draft.body,
      status: draft.status,
      headers: draft.headers,
      etag: draft.etag,
      type: this.#request.type,
      owner: this.#request.owner,
      ...times,
      ...(cost && { cost }),
      tags,
      epoch,
      asOf: seq,
      // The database had been told of writes by then that Redis, and so the replica, need not have shown.
      ...(database && !this.#gathering.replicaRead && { database }),
    };
  }

  /** A forced refresh: what began before it must not take its place. */
  #supersedeOlder(): void {
    const running = this.#parts.flights.get(this.key);
    if (running !== undefined && running.departure < this.#place) running.superseded = true;
  }

  /** What is no tag cannot be invalidated, so whatever carries it must not be stored. */
  #isWellFormed(): boolean {
    for (const one of this.#gathering.tags as ReadonlySet<unknown>) {
      if (isTag(one)) continue;
      if (!this.#state.advised) {
        const message = `${JSON.stringify(one) ?? String(one)} is no tag; what carries it is not cached. ${ERROR_ADVICE.ERC_TAG}`;
        this.#parts.emit({ kind: 'advice', code: 'ERC_TAG', message });
      }
      this.#state.advised = true;
      return false;
    }
    return true;
  }

  async #offer(key: string, entry: Entry): Promise<PutOutcome> {
    const { store, invalidations, emit } = this.#parts;
    if (this.#state.closed) return 'unavailable';
    if (invalidations.touches(entry.tags, key)) return 'stale';
    try {
      return await store.put(key, entry, this.#gathering.inherited);
    } catch (error) {
      // Whoever waits for this computation must go on whatever happens.
      emit({ kind: 'layerFailed', layer: store.name, operation: 'put', error: errorText(error) });
      return 'unavailable';
    }
  }
}
