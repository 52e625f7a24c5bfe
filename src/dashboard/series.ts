// Pure: from the counts of a day to lines over time.
import type { Bucket, Outcome } from './shapes.js';

export interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Lines {
  /** Seconds since 1970. */
  readonly x: readonly number[];
  readonly lines: readonly Line[];
}

const STEP_S = 300;
const STEPS = 288;
const LAYERS: readonly Outcome[] = ['memory', 'redis', 'database', 'joined', 'stale'];
const MOST_TYPES = 5;

/** Every five minutes of the last day, also those in which nothing happened. */
export function stepsOf(nowMs: number): number[] {
  const last = Math.floor(nowMs / 1000 / STEP_S) * STEP_S;
  return Array.from({ length: STEPS }, (_, at) => last - (STEPS - 1 - at) * STEP_S);
}

/** A day with its latest buckets as they are now. */
export function withLatest(series: readonly Bucket[], latest: readonly Bucket[]): readonly Bucket[] {
  const again = new Set(latest.map(({ at }) => at));
  const oldest = Date.now() - STEPS * STEP_S * 1000;
  return [...series.filter(({ at }) => !again.has(at) && Date.parse(at) >= oldest), ...latest].sort((one, other) =>
    one.at < other.at ? -1 : 1,
  );
}

const timesOf = (bucket: Bucket, outcomes: readonly Outcome[], type?: string): number =>
  summed(bucket, outcomes, type, 'times');

function summed(
  { types }: Bucket,
  outcomes: readonly Outcome[],
  type: string | undefined,
  what: 'times' | 'ms',
): number {
  let sum = 0;
  for (const [name, counts] of Object.entries(types))
    if (type === undefined || type === name) for (const outcome of outcomes) sum += counts[outcome]?.[what] ?? 0;
  return sum;
}

type NamedValues = readonly [name: string, of: (bucket: Bucket) => number | null];

function over(series: readonly Bucket[], nowMs: number, lines: readonly NamedValues[]): Lines {
  const x = stepsOf(nowMs);
  const byStep = new Map(series.map((bucket) => [Date.parse(bucket.at) / 1000, bucket]));
  const values = (of: (bucket: Bucket) => number | null) =>
    x.map((step) => {
      const bucket = byStep.get(step);
      return bucket === undefined ? null : of(bucket);
    });
  return { x, lines: lines.map(([name, of]) => ({ name, values: values(of) })) };
}

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

/** Of all requests, then of the types that were asked for most. */
export function hitRates(series: readonly Bucket[], nowMs: number): Lines {
  const requests = new Map<string, number>();
  for (const bucket of series)
    for (const type of Object.keys(bucket.types))
      requests.set(type, (requests.get(type) ?? 0) + timesOf(bucket, [...LAYERS, 'miss'], type));
  const types = [...requests]
    .filter(([, times]) => times > 0)
    .sort(([, one], [, other]) => other - one)
    .slice(0, MOST_TYPES)
    .map(([type]) => type);
  const rate = (type?: string) => (bucket: Bucket) =>
    ratio(timesOf(bucket, LAYERS, type), timesOf(bucket, [...LAYERS, 'miss'], type));
  return over(series, nowMs, [['All types', rate()], ...types.map((type) => [type, rate(type)] as const)]);
}

/** Which part of the requests each layer has answered. */
export function layerShares(series: readonly Bucket[], nowMs: number): Lines {
  const used = LAYERS.filter((layer) => series.some((bucket) => timesOf(bucket, [layer]) > 0));
  const part = (layer: Outcome) => (bucket: Bucket) =>
    ratio(timesOf(bucket, [layer]), timesOf(bucket, [...LAYERS, 'miss']));
  return over(
    series,
    nowMs,
    [...used, 'miss' as const].map((layer) => [layer === 'miss' ? 'computed' : layer, part(layer)] as const),
  );
}

/** Mean ms of a hit and of a miss. */
export function latencies(series: readonly Bucket[], nowMs: number): Lines {
  const mean = (outcomes: readonly Outcome[]) => (bucket: Bucket) =>
    ratio(summed(bucket, outcomes, undefined, 'ms'), timesOf(bucket, outcomes));
  return over(series, nowMs, [
    ['hit', mean(LAYERS)],
    ['miss', mean(['ran'])],
  ]);
}

export interface TypeRow {
  readonly type: string;
  readonly hits: number;
  readonly misses: number;
  readonly hitMs: number;
  readonly runMs: number;
  /** What the hits would have taken, had they been computed. */
  readonly savedMs: number;
}

/** Each type in the whole day. */
export function typeRows(series: readonly Bucket[]): TypeRow[] {
  const names = new Set(series.flatMap(({ types }) => Object.keys(types)));
  return [...names].flatMap((type) => {
    const total = (outcomes: readonly Outcome[], what: 'times' | 'ms') =>
      series.reduce((sum, bucket) => sum + summed(bucket, outcomes, type, what), 0);
    const [hits, misses, runs] = [total(LAYERS, 'times'), total(['miss'], 'times'), total(['ran'], 'times')];
    if (hits + misses === 0) return [];
    const hitMs = hits === 0 ? 0 : total(LAYERS, 'ms') / hits;
    const runMs = runs === 0 ? 0 : total(['ran'], 'ms') / runs;
    return [{ type, hits, misses, hitMs, runMs, savedMs: Math.max(0, hits * (runMs - hitMs)) }];
  });
}
