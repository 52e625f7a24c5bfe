// The ledger of costs: counts events in memory, and adds what it has counted to the table from time to time.
import type { Clock, TimerHandle } from '../contract/clock.js';
import { errorName } from '../contract/errors.js';
import type { CacheEvent, EventSink } from '../contract/events.js';
import { COUNTED, rowsOf, Tally, type CountRow } from './counts.js';
import { daysOf, type CostDay } from './days.js';

/** Where counts are kept for good, those of all processes together. */
export interface CostTable {
  /** Adds to what is there, all of it or nothing. */
  add(rows: readonly CountRow[]): Promise<void>;
  /** Days of both ends included. */
  read(from: string, to: string): Promise<CountRow[]>;
}

export interface LedgerParts {
  /** Of the price list. */
  readonly currency: string;
  readonly flushMs: number;
  readonly clock: Clock;
  readonly emit: EventSink;
}

/** Rows that are kept in memory: half a year of ten types without a table, or as long as a table does not answer. */
const MOST_ROWS = 10_000;
/** Rows of one statement. */
const AT_ONCE = 500;

export class Ledger {
  #tally = new Tally();
  #table: CostTable | undefined;
  #timer: TimerHandle | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: LedgerParts) {}

  /** The same sink, which tells the ledger, too. */
  listening(emit: EventSink): EventSink {
    const both = (event: CacheEvent) => {
      this.hear(event);
      emit(event);
    };
    return Object.assign(both, {
      hears: (kind: CacheEvent['kind']) => COUNTED.has(kind) || emit.hears?.(kind) !== false,
    });
  }

  hear(event: CacheEvent): void {
    if (!COUNTED.has(event.kind)) return;
    for (const row of rowsOf(event, this.parts.clock.now(), this.parts.currency)) this.#count(row);
  }

  get connected(): boolean {
    return this.#table !== undefined;
  }

  /** From now on what is counted goes there, and so does what was counted before. */
  connect(table: CostTable): void {
    this.#table = table;
    this.#schedule();
  }

  /** Adds what there is to the table, and leaves it. */
  async disconnect(): Promise<void> {
    await this.flush();
    this.#table = undefined;
    this.#timer?.cancel();
  }

  /** What all processes have counted, this one up to now. @throws whatever the database does */
  async days(from: string, to: string): Promise<CostDay[]> {
    await this.flush();
    return this.#inTurn(async () => {
      const all = new Tally();
      for (const row of (await this.#table?.read(from, to)) ?? []) all.add(row);
      for (const row of this.#tally.rows()) if (row.day >= from && row.day <= to) all.add(row);
      return daysOf(all.rows());
    });
  }

  /** Never rejects: what could not be added is kept for the next time. */
  flush(): Promise<void> {
    return this.#inTurn(async () => {
      const table = this.#table;
      const rows = this.#tally.rows();
      if (table === undefined || rows.length === 0) return;
      this.#tally = new Tally();
      for (let at = 0; at < rows.length; at += AT_ONCE) {
        try {
          await table.add(rows.slice(at, at + AT_ONCE));
        } catch (error) {
          const kept = rows.slice(at);
          this.parts.emit({ kind: 'costsFailed', error: errorName(error), rows: kept.length, dropped: 0 });
          for (const row of kept) this.#count(row);
          return;
        }
      }
    });
  }

  #count(row: CountRow): void {
    this.#tally.add(row);
    if (this.#tally.size <= MOST_ROWS) return;
    const dropped = this.#tally.dropOldest();
    // Without a table an old day is simply over.
    if (this.connected) this.parts.emit({ kind: 'costsFailed', error: 'full', rows: this.#tally.size, dropped });
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = this.parts.clock.after(this.parts.flushMs, () => {
      void this.flush().then(() => {
        if (this.connected) this.#schedule();
      });
    });
  }

  /** One at a time: a reading between the two halves of a flush would miss what is on its way. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
