// Keeps one materialised view: hears what changes, refreshes it behind everybody's back, then tells the reports that read it.
import type { Clock } from '../contract/clock.js';
import { errorName } from '../contract/errors.js';
import type { EventSink } from '../contract/events.js';
import type { Invalidator } from '../contract/invalidation.js';
import type { ViewHealth } from '../contract/views.js';
import { Alarm } from '../core/alarm.js';
import { EVERYTHING, kindOf, tag, wholeKind } from '../entry/tags.js';
import type { Changes } from './changes.js';
import type { Refreshed, ViewDatabase, ViewName } from './database.js';
import { dueAt, merged, noted, restMs, type Delays, type Notice } from './schedule.js';
import type { Turns } from './turns.js';

export interface KeeperParts extends Delays {
  readonly view: ViewName;
  /** Whatever invalidates one of these tags has changed the view. */
  readonly sources: readonly string[];
  readonly timeoutMs: number;
  readonly database: ViewDatabase;
  readonly changes: Pick<Changes, 'since' | 'position'>;
  readonly invalidator: Pick<Invalidator, 'invalidate'>;
  readonly turns: Turns;
  /** Whether the database can be asked at all. */
  readonly connected: () => boolean;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** So often it is asked whether something has changed that this process has not heard of: who wrote it may be dead. */
export const LOOK_MS = 5000;
/** Before another look at a view that somebody else is refreshing. */
const BUSY_MS = 1000;
/** So often the position of a view to which nothing happens moves on: long before tags of its age are forgotten. */
const MOVE_ON_MS = 600_000;

interface Asked {
  readonly done: (outcome: 'refreshed' | 'current') => void;
  readonly failed: (error: unknown) => void;
}

/**
 * A view is refreshed again until the position that its last refresh had captured covers everything that has happened to its
 * sources. So it does not matter who hears of a change, who is the one to refresh, or who dies: what was not covered is found
 * by whoever looks next.
 */
export class ViewKeeper {
  #notice: Notice | undefined;
  /** Something was heard that the store has not taken yet: it cannot tell whether the view contains it. */
  #unproved = false;
  #lookAt = -Infinity;
  #restUntil = -Infinity;
  #movedOnAt: number;
  #failures = 0;
  #failing: 'look' | 'refresh' | undefined;
  #refreshing = false;
  #asOf: Date | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  /** Who waits for the view to be brought up to date. */
  #asked: Asked[] = [];
  readonly #alarm: Alarm;
  readonly #heardBy: ReadonlySet<string>;

  constructor(private readonly parts: KeeperParts) {
    this.#alarm = new Alarm(parts.clock);
    this.#heardBy = new Set([...parts.sources, ...parts.sources.map((one) => wholeKind(kindOf(one))), EVERYTHING]);
    this.#movedOnAt = parts.clock.monotonic();
  }

  get health(): ViewHealth {
    return {
      name: this.parts.view.name,
      asOf: this.#asOf,
      due: this.#notice !== undefined,
      refreshing: this.#refreshing,
      failures: this.#failures,
    };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** @param proved false: the store has not taken the invalidation yet. */
  heard(tags: readonly string[], proved: boolean): void {
    if (this.#closed || !tags.some((one) => this.#heardBy.has(one))) return;
    this.#unproved ||= !proved;
    this.#note();
    this.#alarm.ring();
  }

  /** Brings it up to date now, whatever the delays. @throws what has hindered it; it is tried again all the same */
  refresh(): Promise<'refreshed' | 'current'> {
    if (this.#closed) return Promise.reject(new Error('The view is no longer kept.'));
    return new Promise((done, failed) => {
      this.#asked.push({ done, failed });
      this.#note();
      this.#alarm.ring();
    });
  }

  /** Begins nothing more. Resolves when what is running has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#alarm.ring();
    await this.#running;
    for (const { failed } of this.#asked.splice(0)) failed(new Error('The view is no longer kept.'));
  }

  async #run(): Promise<void> {
    const { clock, connected } = this.parts;
    while (!this.#closed) {
      const now = clock.monotonic();
      const noticedAt = this.#notice === undefined ? Infinity : dueAt(this.#notice, this.parts);
      const refreshAt = this.#asked.length > 0 ? now : noticedAt;
      const at = Math.max(Math.min(refreshAt, this.#lookAt), this.#restUntil);
      if (at > now) await this.#alarm.sleep(at - now);
      else if (!connected()) this.#restUntil = now + LOOK_MS;
      else if (refreshAt <= now) await this.#refresh();
      else await this.#look();
    }
  }

  #note(): void {
    this.#notice = noted(this.#notice, this.parts.clock.monotonic());
  }

  /** For what nobody has told this process of. */
  async #look(): Promise<void> {
    const { changes, clock, database, sources, view } = this.parts;
    this.#lookAt = clock.monotonic() + LOOK_MS;
    try {
      const state = (await database.read()).get(view.name);
      if (state === undefined) return this.#note();
      this.#asOf = state.asOf;
      if (!state.told) await this.#tell(state);
      const position = await changes.position();
      const changed = await changes.since(view.name, sources, state.position);
      if (this.#failing === 'look') this.#succeeded();
      if (changed === 'some' && this.#notice === undefined) this.#note();
      if (changed !== 'none' || clock.monotonic() - this.#movedOnAt < MOVE_ON_MS) return;
      this.#movedOnAt = clock.monotonic();
      if (position.epoch === state.position.epoch) await database.moveOn(view.name, state.number, position);
    } catch (error) {
      this.#failed('look', error);
    }
  }

  async #refresh(): Promise<void> {
    const { changes, clock, database, emit, sources, timeoutMs, turns, view } = this.parts;
    const notice = this.#notice;
    const unproved = this.#unproved;
    let asked: Asked[] = [];
    let started = clock.monotonic();
    try {
      const attempt = await turns.run(() => {
        started = clock.monotonic();
        // From here on: whoever has not told of his change before may have made it too late.
        this.#notice = undefined;
        this.#unproved = false;
        asked = this.#asked.splice(0);
        this.#refreshing = true;
        return database.refresh(view, {
          timeoutMs,
          position: () => changes.position(),
          isCurrent: async ({ position }) =>
            !unproved && (await changes.since(view.name, sources, position)) === 'none',
        });
      });
      this.#refreshing = false;
      if (attempt.outcome === 'busy') {
        this.#asked.unshift(...asked);
        return this.#putBack(notice, unproved, BUSY_MS);
      }
      this.#succeeded();
      const { state } = attempt;
      this.#asOf = state.asOf;
      for (const { done } of asked) done(attempt.outcome === 'done' ? 'refreshed' : 'current');
      if (attempt.outcome === 'current') return;
      const { concurrently } = attempt;
      emit({ kind: 'viewRefreshed', view: view.name, concurrently, durationMs: clock.monotonic() - started });
      // To tell of it, and because others may have written meanwhile.
      this.#lookAt = clock.monotonic();
    } catch (error) {
      this.#refreshing = false;
      this.#putBack(notice, unproved, 0);
      for (const { failed } of asked) failed(error);
      if (!this.#closed) this.#failed('refresh', error);
    }
  }

  #putBack(notice: Notice | undefined, unproved: boolean, restFor: number): void {
    this.#notice = merged(notice, this.#notice);
    this.#unproved ||= unproved;
    this.#restUntil = this.parts.clock.monotonic() + restFor;
  }

  /** Only now that the new rows are there: before, a report would have been built from the old ones again. */
  async #tell({ number }: Refreshed): Promise<void> {
    const { database, invalidator, view } = this.parts;
    const position = await invalidator.invalidate([tag('view', view.name)], 'view');
    // Until it is in force, the next look tells again.
    if (position !== undefined) await database.told(view.name, number);
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#failing = undefined;
  }

  #failed(step: 'look' | 'refresh', error: unknown): void {
    const { clock, emit, view } = this.parts;
    this.#failures += 1;
    this.#failing = step;
    const retryMs = restMs(this.#failures);
    this.#restUntil = clock.monotonic() + retryMs;
    emit({ kind: 'viewFailed', view: view.name, step, error: errorName(error), failures: this.#failures, retryMs });
  }
}
