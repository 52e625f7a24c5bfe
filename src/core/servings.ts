// What is served from the store: told, mixed into the computation around, and checked again where it has been kept as a fallback.
import type { Clock } from '../contract/clock.js';
import type { Entry, Position } from '../contract/entry.js';
import type { EventSink } from '../contract/events.js';
import type { Fallback, ReadRequest, Serving } from '../contract/reading.js';
import type { LayerName, Store } from '../contract/store.js';
import { NO_GRACE, standingOf } from './freshness.js';
import type { Invalidations } from './invalidations.js';
import type { Computation, Scopes } from './scope.js';

export interface ServingsParts {
  readonly store: Store;
  readonly invalidations: Invalidations;
  readonly scopes: Scopes;
  /** Uniform in [0, 1), for early refresh. */
  readonly chance: () => number;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** An entry that the store has proved. */
export interface Found {
  readonly entry: Entry;
  readonly layer: LayerName;
}

export class Servings {
  #closed = false;

  constructor(private readonly parts: ServingsParts) {}

  /** No fallback is served from here on. */
  close(): void {
    this.#closed = true;
  }

  /**
   * @param started when its reader came, monotonic ms
   * @param around the computation in which he asked
   */
  serve(
    request: ReadRequest,
    { entry, layer }: Found,
    coalesced: boolean,
    started: number,
    around: Computation | undefined,
  ): Serving {
    const { clock, emit } = this.parts;
    // A report built from this one depends on all that this one depends on, as of when this one was read.
    const { tags, epoch, asOf, staleAt, database } = entry;
    const now = clock.now();
    const stale = now >= staleAt;
    around?.inherit({ tags, epoch, asOf, ...(stale && { staleAt }), ...(database && { database }) });
    // Computed while this reader waited, it is no older than his own would be.
    const kind = stale && !coalesced ? 'staleHit' : 'hit';
    if (request.warms !== true && emit.hears?.(kind) !== false) {
      const { key, type } = request;
      const durationMs = clock.monotonic() - started;
      const avoided = { avoidedMs: entry.computeMs, ...(entry.cost && { cost: entry.cost }) };
      const facts = { key, type, layer, ageMs: now - entry.createdAt, durationMs, ...avoided };
      emit(kind === 'hit' ? { kind, coalesced, ...facts } : { kind, ...facts });
    }
    return { next: 'serve', entry, layer, coalesced };
  }

  /** To be served to the reader whom it was proved for, if what he computes instead fails or takes too long. */
  fallback(
    request: ReadRequest,
    { entry, layer, position }: Found & { readonly position: Position },
    started: number,
  ): Fallback {
    const { store, invalidations, scopes, chance, clock } = this.parts;
    const around = scopes.computation;
    return {
      entry,
      take: () => {
        const standing = standingOf(entry, request.freshness ?? NO_GRACE, clock.now(), chance);
        if (standing === 'expired' || this.#closed || scopes.blocked) return undefined;
        // Proved when the reader came; what this process has heard since then counts, too.
        if (invalidations.touches(entry.tags, request.key)) return undefined;
        if (store.refutes?.(request.key, entry, position) === true) return undefined;
        return this.serve(request, { entry, layer }, false, started, around);
      },
    };
  }
}
