// What is counted: one row for each day, report type, currency and source. Pure.
import type { CacheEvent, CacheEventKind } from '../contract/events.js';
import type { LayerName } from '../contract/store.js';
import { toNanos } from '../entry/cost.js';

/**
 * `run`: handlers and loaders that ran, and what they spent; `failed`: those among them that failed. Else where a result came from that
 * was not computed again, `joined` being another reader's run, and what that run had cost.
 */
export type Source = 'run' | 'failed' | LayerName | 'joined';

export interface CountKey {
  /** UTC, `2026-01-31`. */
  readonly day: string;
  readonly type: string;
  /** Empty: no money. */
  readonly currency: string;
  readonly source: Source;
}

/** Whole numbers, so that sums are exact wherever they are made. */
export interface Counts {
  readonly times: number;
  /** How long it took: the runs, or the hits themselves. */
  readonly micros: number;
  /** How long the runs had taken that were not repeated. */
  readonly savedMicros: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly nanos: number;
}

export type CountRow = CountKey & Counts;

export const NOTHING: Counts = { times: 0, micros: 0, savedMicros: 0, inputTokens: 0, outputTokens: 0, nanos: 0 };
export const COUNTS = Object.keys(NOTHING) as (keyof Counts)[];

/** What the ledger must hear of. */
export const COUNTED: ReadonlySet<CacheEventKind> = new Set(['hit', 'staleHit', 'ran', 'spent']);

const DAY_MS = 86_400_000;
/** Written once a day and not for each hit. */
let today = { number: NaN, text: '' };

export function dayOf(now: number): string {
  const number = Math.floor(now / DAY_MS);
  if (number !== today.number) today = { number, text: new Date(now).toISOString().slice(0, 10) };
  return today.text;
}

/** When the day of this time is over, ms. */
export function dayEnd(now: number): number {
  return (Math.floor(now / DAY_MS) + 1) * DAY_MS;
}

export function nameOf({ day, type, currency, source }: CountKey): string {
  return `${day} ${type} ${currency} ${source}`;
}

/** @param currency of the price list, for what names none. */
export function rowsOf(event: CacheEvent, now: number, currency: string): CountRow[] {
  switch (event.kind) {
    case 'ran': {
      const row = {
        ...NOTHING,
        day: dayOf(now),
        type: event.type,
        currency,
        times: 1,
        micros: micros(event.durationMs),
      };
      const run: CountRow = { ...row, source: 'run' };
      return event.failed ? [run, { ...row, source: 'failed' }] : [run];
    }
    case 'spent':
      return [{ ...NOTHING, day: dayOf(now), type: event.type, source: 'run', ...amounts(event, currency) }];
    case 'hit':
    case 'staleHit':
      return [
        {
          day: dayOf(now),
          type: event.type,
          source: event.kind === 'hit' && event.coalesced ? 'joined' : event.layer,
          times: 1,
          micros: micros(event.durationMs),
          savedMicros: micros(event.avoidedMs),
          ...amounts(event, currency),
        },
      ];
    default:
      return [];
  }
}

type Amounts = Pick<CountRow, 'inputTokens' | 'outputTokens' | 'nanos' | 'currency'>;

function amounts({ cost }: Pick<CacheEvent & { kind: 'hit' }, 'cost'>, currency: string): Amounts {
  return {
    inputTokens: cost?.inputTokens ?? 0,
    outputTokens: cost?.outputTokens ?? 0,
    nanos: toNanos(cost?.money ?? 0),
    currency: cost?.currency ?? currency,
  };
}

function micros(ms: number): number {
  return Math.max(0, Math.round(ms * 1000));
}

/** Counts by name; those of one name are added up. */
export class Tally {
  readonly #rows = new Map<string, { -readonly [K in keyof CountRow]: CountRow[K] }>();

  get size(): number {
    return this.#rows.size;
  }

  add(row: CountRow): void {
    const name = nameOf(row);
    const sums = this.#rows.get(name);
    if (sums === undefined) this.#rows.set(name, { ...row });
    else for (const count of COUNTS) sums[count] += row[count];
  }

  /** In one order everywhere, so that processes that add to the same rows wait for each other instead of deadlocking. */
  rows(): CountRow[] {
    return [...this.#rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
  }

  /** Forgets the oldest day. @returns how many rows. */
  dropOldest(): number {
    const oldest = this.rows()[0]?.day;
    const gone = [...this.#rows].filter(([, { day }]) => day === oldest);
    for (const [name] of gone) this.#rows.delete(name);
    return gone.length;
  }
}
