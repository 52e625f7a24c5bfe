// Reads from database replicas: what a report reads there must be as new as the cache takes it for.
import type { Clock } from '../contract/clock.js';
import type { EventSink } from '../contract/events.js';
import type { TransactionTracker } from '../contract/invalidation.js';
import type { Ask } from '../contract/outbox.js';
import { isObject } from './rows.js';
import { askAs, type QueryRunnerLike } from './typeorm-like.js';

/** Longer than replicas lag when all is well; a report that would wait longer is computed from old rows and not stored. */
const PATIENCE_MS = 1000;
const PAUSE_MS = 5;

/** `4A/7F` as 16 hex digits, small ones as the sweeper writes them, so that texts compare like the positions. */
export function lsnDigits(lsn: string): string {
  const [high = '', low = ''] = lsn.split('/');
  return high.padStart(8, '0').toLowerCase() + low.padStart(8, '0').toLowerCase();
}

/** Of insertion: a commit that does not wait for its WAL (synchronous_commit = off) is visible before that is written. */
const POSITION = 'SELECT pg_current_wal_insert_lsn()::text AS lsn';

const lsnOf = (digits: string): string => `${digits.slice(0, 8)}/${digits.slice(8)}`;

export interface ReplicaReadsParts {
  readonly transactions: TransactionTracker;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** PostgreSQL tells how far a replica has come; of others nothing is believed. */
  readonly postgres: boolean;
}

/**
 * A replica that has not replayed an acknowledged write gives old rows, which would be stored as if they were new, and
 * nothing would ever invalidate them. So before a report reads there, the replica must have caught up with the write
 * that the report was computed after; one that does not in time is read all the same, and the report is not stored.
 */
export class ReplicaReads {
  constructor(private readonly parts: ReplicaReadsParts) {}

  /** A statement is about to be sent to a replica. */
  beforeRead(runner: QueryRunnerLike): Promise<void> | void {
    const { transactions, postgres } = this.parts;
    const needed = transactions.replayNeeded;
    if (needed === undefined) return;
    if (needed === '' || !postgres) return transactions.readFromThePast();
    return this.#caughtUp(askAs(runner), needed);
  }

  async #caughtUp(ask: Ask, needed: string): Promise<void> {
    const { clock, transactions, emit } = this.parts;
    const started = clock.monotonic();
    try {
      for (;;) {
        const rows = await ask('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS caught_up', [lsnOf(needed)]);
        const first: unknown = Array.isArray(rows) ? rows[0] : undefined;
        // Null: it replays nothing, because it is the primary.
        if (isObject(first) && Reflect.get(first, 'caught_up') !== false) return;
        if (clock.monotonic() - started >= PATIENCE_MS) break;
        await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve));
      }
    } catch {
      // What cannot be asked cannot be trusted either; the report's own statement will tell what is wrong.
    }
    emit({ kind: 'replicaLags', waitedMs: clock.monotonic() - started });
    transactions.readFromThePast();
  }
}

/** WAL position that shows what this connection has committed. */
export async function walPosition(ask: Ask): Promise<string | undefined> {
  try {
    const rows = await ask(POSITION);
    const first: unknown = Array.isArray(rows) ? rows[0] : undefined;
    const lsn: unknown = isObject(first) ? Reflect.get(first, 'lsn') : undefined;
    return typeof lsn === 'string' ? lsnDigits(lsn) : undefined;
  } catch {
    // Without it no replica is believed until the next write.
    return undefined;
  }
}
