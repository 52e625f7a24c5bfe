// Running computations: what each gathers on its way, what becomes of its result, and what those who wait may use of it.
import type { Clock } from '../contract/clock.js';
import type { Meter } from '../contract/costs.js';
import type { Dependency, Entry, Position } from '../contract/entry.js';
import { ERROR_ADVICE, errorText } from '../contract/errors.js';
import type { DeclineReason, EventSink } from '../contract/events.js';
import type { Draft, Load, ReadRequest } from '../contract/reading.js';
import type { PutOutcome, Store } from '../contract/store.js';
import { isTag, keyTag, withWholeKinds } from '../entry/tags.js';
import type { Admission } from './admission.js';
import type { Backoff } from './backoff.js';
import { Bill } from './bill.js';
import type { Flight, Flights } from './flights.js';
import type { Invalidations } from './invalidations.js';
import { beginLifetime } from './lifetime.js';
import { Running } from './running.js';
import type { Computation, Scopes } from './scope.js';
import { SAYS_NOTHING, SUPERSEDES, UNFIT } from './verdicts.js';

export interface LoadsParts {
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

export class Loads {
  readonly #running = new Running();
  #advised = false;
  #closed = false;

  constructor(private readonly parts: LoadsParts) {}

  /** Resolves when every computation has ended, and what it made is stored or declined. */
  none(): Promise<void> {
    return this.#running.none();
  }

  /** Stores nothing from here on. */
  close(): void {
    this.#closed = true;
  }

  /**
   * @param previous what is computed anew, valid but for its ttl, or not wanted
   * @param dispensable it may be served meanwhile: after a failure the computation rests
   */
  open(
    request: ReadRequest,
    position: Position,
    flight: Flight | null,
    previous: Entry | undefined,
    dispensable: boolean,
  ): Load {
    let outer = this.parts.scopes.computation;
    const computed = outer === undefined ? this.parts.admission.computes() : () => undefined;
    const tags = new Set<string>(request.tags);
    outer?.addTags(tags);
    const inherited: Dependency[] = [];
    const createdAt = this.parts.clock.now();
    const lifetime = beginLifetime(request, { createdAt, previous, due: dispensable, chance: this.parts.chance });
    const began = this.parts.clock.monotonic();
    const place = flight?.departure ?? this.parts.flights.arrive();
    const bill = new Bill(this.parts.meter, request);
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
      spend: (usage) => bill.add(usage),
      inherit: (dependency) => {
        inherited.push(dependency);
        for (const tag of dependency.tags) tags.add(tag);
        outer?.inherit(dependency);
      },
      position,
      persisted: position.database !== undefined,
      get replayNeeded() {
        this.readFromReplica();
        // Who has read something old is not stored anyway, and need not wait for a replica again.
        return lagging ? '' : (position.lsn ?? '');
      },
      readFromReplica: () => {
        replicaRead = true;
        outer?.readFromReplica();
      },
      readFromThePast: () => {
        lagging = true;
        outer?.readFromThePast();
      },
    };

    let scope = this.parts.scopes.open(computation);
    const over = this.#running.begin();
    let ran = false;
    const ended = (failed: boolean) => {
      computed();
      if (!ran || request.looksUp === true) return;
      this.parts.emit({ kind: 'ran', type: request.type, failed, durationMs: this.parts.clock.monotonic() - began });
    };

    const decline = (reason: DeclineReason) => {
      this.parts.emit({
        kind: 'declined',
        key: request.key,
        type: request.type,
        reason,
        durationMs: this.parts.clock.monotonic() - began,
      });
    };

    const settle = async (draft: Draft): Promise<PutOutcome> => {
      const wellFormed = this.#wellFormed(tags);
      const all = wellFormed ? withWholeKinds(tags) : [];
      const tooMany = all.length > this.parts.maxTags;
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
      const computeMs = this.parts.clock.monotonic() - began;
      const { times, next } = lifetime.end(draft, computeMs, inherited, key !== request.key);
      const entry: Entry = {
        body: draft.body,
        status: draft.status,
        headers: draft.headers,
        etag: draft.etag,
        type: request.type,
        owner: request.owner,
        ...times,
        ...(bill.cost && { cost: bill.cost }),
        tags: all,
        epoch: position.epoch,
        asOf: position.seq,
        // The database had been told of writes by then that Redis, and so the replica, need not have shown.
        ...(position.database && !replicaRead && { database: position.database }),
      };
      const offered = this.parts.flights.arrive();
      const outcome = flight?.superseded ? 'stale' : await this.#offer(key, entry, inherited);
      if (outcome === 'stored') {
        const running = this.parts.flights.get(request.key);
        if (running !== undefined && running.departure < place) running.superseded = true;
        this.parts.backoff.succeeded(request.key);
        this.parts.emit({
          kind: 'stored',
          key,
          type: request.type,
          bytes: entry.body.length,
          ttlMs: entry.staleAt - createdAt,
          ...next,
          durationMs: computeMs,
        });
      } else {
        const past = entry.deleteAt <= this.parts.clock.now();
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
      ttlMs: lifetime.ttlMs,
      createdAt,
      bill,
      run: (task) => {
        ran = true;
        return scope.run(task);
      },
      addTags: (more) => computation.addTags(more),
      store: (draft) => {
        if (settled) return Promise.resolve('declined');
        settled = true;
        ended(false);
        return settle(draft).finally(over);
      },
      decline: (reason) => {
        if (settled) return;
        settled = true;
        ended(reason === 'error' || reason === 'incomplete');
        decline(reason);
        if (dispensable) this.#afterDecline(request.key, reason);
        flight?.land({ kind: SAYS_NOTHING.has(reason) ? 'abandoned' : 'private' });
        over();
      },
      leave: () => {
        outer = undefined;
        if (!ran) scope = this.parts.scopes.open(computation, 'beside');
      },
      giveUp: () => {
        flight?.giveUp();
        if (dispensable) this.parts.backoff.failed(request.key);
      },
      get settled() {
        return settled;
      },
    };
  }

  /** What becomes of the entry that was at hand. */
  #afterDecline(key: string, reason: DeclineReason): void {
    if (reason === 'error') this.parts.backoff.failed(key);
    // The report is another now, or there is none any more, and this is all that will be heard of it.
    else if (SUPERSEDES.has(reason)) void this.parts.invalidations.invalidate([keyTag(key)], 'superseded');
  }

  /** What is no tag cannot be invalidated, so whatever carries it must not be stored. */
  #wellFormed(tags: ReadonlySet<unknown>): boolean {
    for (const one of tags) {
      if (isTag(one)) continue;
      if (!this.#advised) {
        const message = `${JSON.stringify(one) ?? String(one)} is no tag; what carries it is not cached. ${ERROR_ADVICE.ERC_TAG}`;
        this.parts.emit({ kind: 'advice', code: 'ERC_TAG', message });
      }
      this.#advised = true;
      return false;
    }
    return true;
  }

  async #offer(key: string, entry: Entry, inherited: readonly Dependency[]): Promise<PutOutcome> {
    if (this.#closed) return 'unavailable';
    if (this.parts.invalidations.touches(entry.tags, key)) return 'stale';
    try {
      return await this.parts.store.put(key, entry, inherited);
    } catch (error) {
      // Whoever waits for this computation must go on whatever happens.
      const text = errorText(error);
      this.parts.emit({ kind: 'layerFailed', layer: this.parts.store.name, operation: 'put', error: text });
      return 'unavailable';
    }
  }
}
