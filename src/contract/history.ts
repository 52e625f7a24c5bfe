// What the sweeper asks of the shared history in Redis: where it stands, to which generation it belongs, that it is alive.
import type { Position } from './entry.js';
import type { InvalidateOptions } from './store.js';

export interface Observation {
  readonly position: Position;
  /** The clock of Redis, ms. Taken before the database is asked, so a watermark never claims too much. */
  readonly now: number;
  /** The number that the database gave this history; undefined: it has not been adopted. */
  readonly generation: number | undefined;
  /** Age of the watermark, ms; undefined: there is none. */
  readonly ageMs: number | undefined;
}

export interface History {
  observe(): Promise<Observation>;

  /**
   * Moves the watermark: every write committed before `at` (clock of Redis) has been invalidated under the epoch of
   * `position`, and a database replica that has replayed up to `position.lsn` shows everything up to `position.seq`.
   * @returns false if the epoch is another by now, or the watermark is as young already.
   */
  keepAlive(position: Position, at: number, lambdaMs: number): Promise<boolean>;

  /** Begins `epoch`, new and empty, of this generation, in place of `expected`; undefined: it was another one already. */
  adopt(expected: string, epoch: string, generation: number): Promise<Position | undefined>;

  invalidate(tags: readonly string[], options?: InvalidateOptions): Promise<Position>;

  /** Forgets tags last invalidated at or before `upTo` of this epoch, and with them every entry that old. */
  prune(upTo: Position): Promise<void>;
}
