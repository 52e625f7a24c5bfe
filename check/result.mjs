// What the figures of an arm mean, and how they are shown.
import { quantile } from './tally.mjs';

/** @typedef {import('./arms.mjs').Arm} Arm */
/** @typedef {{ counts: Record<string, number>, stallMs: number }} ServerCounts */

/** Fewer show nothing, whatever the reason. */
const FEWEST_READS = 300;

/**
 * Events of the two processes, added up.
 * @param {readonly ServerCounts[]} servers
 */
function addUp(servers) {
  /** @type {Record<string, number>} */
  const events = {};
  for (const { counts } of servers)
    for (const [name, times] of Object.entries(counts)) events[name] = (events[name] ?? 0) + times;
  return { events, stallMs: Math.max(...servers.map((server) => server.stallMs)) };
}

/**
 * @param {import('./tally.mjs').Tally} tally
 * @param {number} seconds
 * @param {readonly ServerCounts[]} servers
 */
export function figuresOf(tally, seconds, servers) {
  const { events, stallMs } = addUp(servers);
  return {
    reads: tally.reads,
    grades: tally.grades,
    hits: tally.hits,
    misses: tally.misses,
    bypasses: tally.bypasses,
    ways: Object.fromEntries([...tally.ways].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    notModified: tally.notModified,
    /** Stores that a grade overtook, noticed: what the comparison at the put is for. */
    refusedPuts: events['declined.stale'] ?? 0,
    stale: tally.stale,
    ages: { p50: quantile(tally.ages, 0.5), p99: quantile(tally.ages, 0.99), max: quantile(tally.ages, 1) },
    oldestWhenSent: tally.oldestWhenSent,
    inversions: tally.inversions,
    errors: tally.errors,
    seconds,
    events,
    stallMs,
    details: tally.details,
  };
}

/** @typedef {ReturnType<typeof figuresOf>} Figures */

/**
 * Why these figures are not what they must be; empty if they are.
 * @param {Arm} arm
 * @param {Omit<Figures, 'details'>} figures
 */
export function faultsOf(arm, figures) {
  const faults = [];
  if (figures.errors > 0) faults.push(`${figures.errors} requests failed`);
  if (figures.reads < Math.min(FEWEST_READS, arm.reads))
    faults.push(`only ${figures.reads} reads in time, which proves nothing`);
  else if (figures.hits === 0) faults.push('no hit at all: nothing could be stale');
  switch (arm.stale) {
    case 'never':
      if (figures.stale > 0) faults.push(`${figures.stale} stale reads`);
      break;
    case 'bounded':
      // By when the question was sent: memory decides after that, so no latency has to be allowed for.
      if (figures.oldestWhenSent > leaseOf(arm))
        faults.push(
          `stale ${milliseconds(figures.oldestWhenSent)} after the acknowledgement, under a lease of ${leaseOf(arm)} ms`,
        );
      break;
    case 'must':
      if (figures.stale === 0) faults.push('a broken cache showed no stale read: the check is blind');
      break;
  }
  if (arm.stale !== 'must' && figures.refusedPuts === 0)
    faults.push('no grade overtook a report: the race was not met');
  return faults;
}

const leaseOf = (/** @type {Arm} */ arm) => arm.leaseMs ?? 0;
const milliseconds = (/** @type {number | undefined} */ value) =>
  value === undefined ? '-' : `${value.toFixed(1)} ms`;
const share = (/** @type {number} */ part, /** @type {number} */ whole) =>
  whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;

/** @param {Arm} arm */
function required(arm) {
  if (arm.stale === 'bounded') return `age <= ${leaseOf(arm)} ms`;
  return arm.stale === 'never' ? '0' : '> 0 (control)';
}

/** @type {readonly (readonly [label: string, value: (result: Figures, arm: Arm) => string | number])[]} */
const ROWS = [
  ['reads checked', (one) => one.reads],
  ['grades acknowledged', (one) => one.grades],
  ['hit rate', (one) => share(one.hits, one.reads)],
  ['  from memory', (one) => one.ways['memory'] ?? 0],
  ['  from Redis', (one) => one.ways['redis'] ?? 0],
  ['  with another reader', (one) => one.ways['collapsed'] ?? 0],
  ['misses', (one) => one.misses],
  ['bypasses', (one) => one.bypasses],
  ['304', (one) => one.notModified],
  ['puts refused', (one) => one.refusedPuts],
  ['STALE READS', (one) => one.stale],
  ['  must be', (_one, arm) => required(arm)],
  ['  age p50', (one) => milliseconds(one.ages.p50)],
  ['  age p99', (one) => milliseconds(one.ages.p99)],
  ['  age max', (one) => milliseconds(one.ages.max)],
  ['  max when asked', (one) => (one.stale === 0 ? '-' : milliseconds(one.oldestWhenSent))],
  ['inversions', (one) => one.inversions],
  ['errors', (one) => one.errors],
  ['Redis too late', (one) => one.events['layerFailed'] ?? 0],
  ['longest stall', (one) => milliseconds(one.stallMs)],
  ['time', (one) => `${one.seconds.toFixed(1)} s`],
  ['reads per second', (one) => Math.round(one.reads / one.seconds)],
  ['result', (one, arm) => (faultsOf(arm, one).length === 0 ? 'ok' : 'FAILED')],
];

/** @typedef {{ arm: Arm, figures: Figures }} Column */

/** One column for each arm. @param {readonly Column[]} columns */
export function tableOf(columns) {
  const first = Math.max(...ROWS.map(([label]) => label.length));
  const lines = [['', ...columns.map(({ arm }) => arm.name)]];
  for (const [label, value] of ROWS)
    lines.push([label, ...columns.map(({ arm, figures }) => String(value(figures, arm)))]);
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => (line[at + 1] ?? '').length)));
  return lines
    .map(([label = '', ...cells]) => [label.padEnd(first), ...cells.map((cell, at) => cell.padStart(widths[at] ?? 0))])
    .map((cells) => cells.join('  '))
    .join('\n');
}
