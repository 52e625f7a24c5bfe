// The figures of a run as they are kept: plain data, one line of JSON.
import { spread } from './tally.mjs';
import { WAYS } from './world.mjs';

/**
 * @param {Awaited<ReturnType<typeof import('./run.mjs').runOne>>} run
 */
export function figuresOf({ level, fault, tally, inversions, seconds, counts }) {
  /** @type {Record<string, number>} */
  const events = {};
  for (const one of counts)
    for (const [name, times] of Object.entries(one?.counts ?? {})) events[name] = (events[name] ?? 0) + Number(times);
  const { ages, oldestWhenSent } = tally;
  const staleOf = (/** @type {import('./oracle.mjs').Origin} */ origin) => ({
    ...spread(ages[origin]),
    oldestWhenSent: oldestWhenSent[origin],
  });
  return {
    level: level.name,
    fault: fault.name,
    at: new Date().toISOString(),
    seconds,
    reads: tally.reads,
    writes: tally.writes,
    acked: tally.acked,
    lostWrites: tally.lostWrites,
    injected: tally.injected,
    stale: { answered: staleOf('answered'), found: staleOf('found'), foreign: staleOf('foreign') },
    inversions,
    impossible: tally.impossible,
    readErrors: tally.readErrors,
    writeErrors: tally.writeErrors,
    writeMs: spread(tally.writeMs),
    /** Longest stall of an event loop, and CPU time of the processes that live at the end. */
    stallMs: Math.max(0, ...counts.map((one) => one?.stallMs ?? 0)),
    cpuMs: counts.reduce((sum, one) => sum + (one?.cpuMs ?? 0), 0),
    /** @type {Record<string, number>} */
    ways: Object.fromEntries(WAYS.map((way, at) => [way, tally.ways[at] ?? 0])),
    events,
    details: tally.details,
  };
}
