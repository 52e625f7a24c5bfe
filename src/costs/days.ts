// The three ledgers of each day, and what follows from them: pure.
import { fromNanos } from '../entry/cost.js';
import { NOTHING, type CountRow, type Counts, type Source } from './counts.js';

/** Time is added up over all runs or hits, ms; money in units of `currency`, to the billionth. */
export interface Spent {
  /** Handlers and loaders that ran, failed ones included. */
  readonly runs: number;
  readonly failed: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly money: number;
  readonly ms: number;
}

/** What the runs had cost that were not repeated. */
export interface Avoided {
  /** Readers who were served. */
  readonly times: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly money: number;
  readonly ms: number;
}

/** Where results came from that were not computed again; `joined`: from another reader's run, here or in another process. */
export type AvoidedBy = Exclude<Source, 'run' | 'failed'>;

const AVOIDED_BY: Readonly<Record<AvoidedBy, true>> = { memory: true, redis: true, database: true, joined: true };

/** One report type on one day (UTC): three ledgers, which are not to be mixed. */
export interface CostDay {
  /** `2026-01-31`. */
  readonly day: string;
  readonly type: string;
  /** Of all money; absent: there were no prices. */
  readonly currency?: string;
  readonly spent: Spent;
  readonly avoided: Readonly<Record<AvoidedBy, Avoided>>;
  /** What hits cost themselves; who joined has waited for a run, and is not among them. */
  readonly hits: { readonly times: number; readonly ms: number };
}

/** Rates are fractions from 0 to 1, and 0 where there was nothing. */
export interface CostSummary {
  /** Results that were made. */
  readonly generated: number;
  readonly failed: number;
  /** Readers served without a run of their own, joined ones included. */
  readonly served: number;
  readonly hits: number;
  readonly joined: number;
  readonly tokensUsed: number;
  readonly tokensSaved: number;
  readonly msUsed: number;
  readonly msSaved: number;
  /** By currency. */
  readonly money: Readonly<Record<string, { readonly used: number; readonly saved: number }>>;
  /** Readers served without a run, of all. */
  readonly hitRate: number;
  readonly failureRate: number;
  /** Tokens saved, of all that would have been used. */
  readonly efficiency: number;
  readonly tokensPerRun: number;
  readonly msPerRun: number;
  readonly msPerHit: number;
}

/** In order of day and type. */
export function daysOf(rows: readonly CountRow[]): CostDay[] {
  const days = new Map<string, Map<Source, Counts>>();
  for (const row of rows) {
    const name = `${row.day} ${row.type} ${row.currency}`;
    const sources = days.get(name) ?? new Map<Source, Counts>();
    days.set(name, sources.set(row.source, row));
  }
  return [...days]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, sources]) => {
      const [day = '', type = '', currency = ''] = name.split(' ');
      return dayOfSources({ day, type, ...(currency !== '' && { currency }) }, sources);
    });
}

function dayOfSources(head: Pick<CostDay, 'day' | 'type' | 'currency'>, sources: ReadonlyMap<Source, Counts>): CostDay {
  const of = (source: Source): Counts => sources.get(source) ?? NOTHING;
  const run = of('run');
  const by = Object.keys(AVOIDED_BY) as AvoidedBy[];
  const layers = by.filter((source) => source !== 'joined').map(of);
  return {
    ...head,
    spent: {
      runs: run.times,
      failed: of('failed').times,
      inputTokens: run.inputTokens,
      outputTokens: run.outputTokens,
      money: fromNanos(run.nanos),
      ms: run.micros / 1000,
    },
    avoided: Object.fromEntries(by.map((source) => [source, avoidedOf(of(source))])) as Record<AvoidedBy, Avoided>,
    hits: { times: sum(layers, ({ times }) => times), ms: sum(layers, ({ micros }) => micros) / 1000 },
  };
}

function avoidedOf({ times, inputTokens, outputTokens, nanos, savedMicros }: Counts): Avoided {
  return { times, inputTokens, outputTokens, money: fromNanos(nanos), ms: savedMicros / 1000 };
}

/** Adds up days, of one type or of several; e.g. those of one day for one row a day. */
export function summarizeCosts(days: readonly CostDay[]): CostSummary {
  const avoided = days.flatMap((day) => Object.values(day.avoided));
  const runs = sum(days, ({ spent }) => spent.runs);
  const failed = sum(days, ({ spent }) => spent.failed);
  const hits = sum(days, (day) => day.hits.times);
  const joined = sum(days, (day) => day.avoided.joined.times);
  const served = hits + joined;
  const tokensUsed = sum(days, ({ spent }) => spent.inputTokens + spent.outputTokens);
  const tokensSaved = sum(avoided, ({ inputTokens, outputTokens }) => inputTokens + outputTokens);
  const msUsed = sum(days, ({ spent }) => spent.ms);
  return {
    generated: runs - failed,
    failed,
    served,
    hits,
    joined,
    tokensUsed,
    tokensSaved,
    msUsed,
    msSaved: sum(avoided, ({ ms }) => ms),
    money: moneyOf(days),
    hitRate: share(served, served + runs),
    failureRate: share(failed, runs),
    efficiency: share(tokensSaved, tokensSaved + tokensUsed),
    tokensPerRun: share(tokensUsed, runs),
    msPerRun: share(msUsed, runs),
    msPerHit: share(
      sum(days, (day) => day.hits.ms),
      hits,
    ),
  };
}

function moneyOf(days: readonly CostDay[]): CostSummary['money'] {
  const currencies = new Set(days.flatMap(({ currency }) => currency ?? []));
  const total = (currency: string, money: (day: CostDay) => number) =>
    // Billionths: what is added up in fractions drifts.
    fromNanos(
      sum(
        days.filter((day) => day.currency === currency),
        (day) => Math.round(money(day) * 1e9),
      ),
    );
  return Object.fromEntries(
    [...currencies].map((currency) => [
      currency,
      {
        used: total(currency, ({ spent }) => spent.money),
        saved: total(currency, (day) => sum(Object.values(day.avoided), ({ money }) => money)),
      },
    ]),
  );
}

function sum<T>(of: readonly T[], value: (one: T) => number): number {
  return of.reduce((total, one) => total + value(one), 0);
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
