// What the command line says.
import { parseArgs } from 'node:util';
import { ARMS, armNamed } from './arms.mjs';
import { FAULTS, faultNamed } from './live/faults/table.mjs';
import { LEVELS, levelNamed } from './live/levels.mjs';

export const USAGE = `npm run check:fresh [-- options]
  Does an acknowledged change ever go missing? Two processes of the example application over HTTP (the arms), and four
  processes under faults (the live check).
  --quick         both, in about three minutes
  --live          only the live check without faults
  --faults        only the live check, without faults and under each of them
  --only a,b      only these faults: ${FAULTS.map((fault) => fault.name).join(', ')}
  --levels a,b    of ${LEVELS.map((level) => level.name).join(', ')}
  --resume        leaves out what earlier runs have shown to be well with as many reads
  --results       writes check/RESULTS.md: the newest figures of each level and fault that check/live/out keeps
  --arms a,b      only the arms, of ${ARMS.map((arm) => arm.name).join(', ')}
  --reads N       reads of each arm, or of each level under each fault, instead of its own number
  --seconds N     of each level under each fault, at most
  --seed N        of the choices of readers and writers; chance remains in the timing
  --json FILE     the figures of the arms, also as JSON
Servers: REDIS_URL and DATABASE_URL, or whatever the tests would use. The live check starts its own Redis servers and
needs redis-server or valkey-server. Data of the arms: OULAD_DIR, or a generated cohort.`;

const FULL = { none: 2_000_000, fault: 500_000, control: 100_000, seconds: 1_800 };
const QUICK = { none: 80_000, fault: 40_000, control: 20_000, seconds: 8 };
/** What stands for all in a quick run: the levels, a fault of each family, and one control. */
const QUICK_LEVELS = new Map([
  ['none', ['strict', 'lease', 'barrier', 'mark', 'delete-by-broadcast']],
  ['kill-before-bump', ['strict']],
  ['redis-older', ['strict']],
  ['push-black-hole', ['lease', 'barrier']],
  ['sweepers-stopped', ['strict']],
]);

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} quick
 * @property {readonly (import('./arms.mjs').Arm & { seconds: number })[]} arms
 * @property {import('./live/live.mjs').Order} live
 * @property {number} seed
 * @property {string | undefined} json
 */

/** @param {readonly string[]} args @returns {Options} */
export function parseOptions(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      live: { type: 'boolean', default: false },
      faults: { type: 'boolean', default: false },
      resume: { type: 'boolean', default: false },
      results: { type: 'boolean', default: false },
      only: { type: 'string' },
      levels: { type: 'string' },
      arms: { type: 'string' },
      reads: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
    },
  });
  const reads = values.reads === undefined ? undefined : positive('--reads', values.reads);
  const seconds = values.seconds === undefined ? undefined : positive('--seconds', values.seconds);
  const onlyLive = values.live || values.faults || values.only !== undefined || values.levels !== undefined;
  const arms = values.arms === undefined ? (onlyLive ? [] : ARMS) : listed(values.arms).map(armNamed);
  const withLive = onlyLive || values.arms === undefined;
  return {
    help: values.help,
    quick: values.quick,
    arms: arms.map((arm) => ({
      ...arm,
      ...(values.quick ? arm.quick : {}),
      ...(reads === undefined ? {} : { reads }),
    })),
    live: {
      runs: withLive ? liveRuns(values, reads, seconds) : [],
      keep: !values.quick,
      resume: values.resume,
      write: values.results,
    },
    seed: positive('--seed', values.seed),
    json: values.json,
  };
}

/**
 * @param {{ quick: boolean, faults: boolean, only?: string, levels?: string }} values
 * @param {number | undefined} reads @param {number | undefined} seconds
 * @returns {import('./live/live.mjs').Order['runs']}
 */
function liveRuns({ quick, faults: withFaults, only, levels: named }, reads, seconds) {
  const amount = quick ? QUICK : FULL;
  const sampled = quick && !withFaults && only === undefined && named === undefined;
  const levels = named === undefined ? LEVELS : listed(named).map(levelNamed);
  const all = withFaults ? FAULTS : FAULTS.filter(({ name }) => (sampled ? QUICK_LEVELS.has(name) : name === 'none'));
  const faults = only === undefined ? all : listed(only).map(faultNamed);
  // Fault by fault, so that the levels under one fault are neighbours in time.
  return faults.flatMap((fault) =>
    levels
      .filter((level) => !sampled || QUICK_LEVELS.get(fault.name)?.includes(level.name))
      .filter((level) => (level.what === 'library' ? (fault.levels?.(level) ?? true) : fault.name === 'none'))
      .map((level) => ({
        level: level.name,
        fault,
        reads:
          reads ?? (level.what === 'control' ? amount.control : fault.name === 'none' ? amount.none : amount.fault),
        seconds: seconds ?? amount.seconds,
      })),
  );
}

/** @param {string} text */
const listed = (text) => text.split(',').map((name) => name.trim());

/** @param {string} name @param {string} text */
function positive(name, text) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a positive integer, not "${text}".`);
  return value;
}
