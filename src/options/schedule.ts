// What users may say of scheduled tasks.
import { onlyKnown, wrong } from './checks.js';
import { parseDuration, type Duration } from './duration.js';

/** The tasks that a cache brings with it. */
export type BuiltInTask = 'warm' | 'refresh' | 'stale' | 'statistics' | 'keys' | 'expired';

export interface TaskOptions {
  /**
   * When: five cron fields (`'0 7 * * *'`), or six with seconds in front. In the hour that a time zone leaves out in spring a
   * time of day comes right after it, in the hour that it repeats in autumn once. @default that of the built-in task; required of yours
   */
  readonly cron?: string;
  /** IANA name, `'Europe/Berlin'`. @default 'UTC' */
  readonly timezone?: string;
  /**
   * When the signal says that an attempt is to end. An attempt that ends later counts as `timeout`, and is not tried again; one that
   * never ends keeps its task from running anywhere until its process ends. @default '10m'; built-in ones have their own
   */
  readonly timeLimit?: Duration;
  /** How often it is tried again when it has failed, 10 at most. @default 2 */
  readonly retries?: number;
  /** The longest wait before the first retry; twice as long before each further one, an hour at most, and by chance shorter. @default '10s' */
  readonly backoff?: Duration;
  /**
   * Whether a due time that has passed while no process was up is made up for, up to 6 hours later. Otherwise it is missed once it
   * is a minute old. Of several only the last. @default false; true for `warm` and `expired`
   */
  readonly catchUp?: boolean;
  /**
   * What it does. What it returns is kept as its result, JSON of 2 kB at most. It has to end soon after its signal: as long as it
   * does not, its claim is held. A process may die in the middle of it, so it has to bear being begun again.
   * Required of your own tasks; of a built-in one in place of what it does.
   */
  readonly run?: (signal: AbortSignal) => unknown;
}

/**
 * Tasks by name: `false` switches a built-in one off, options change its times, other names are tasks of your own.
 * `{ statistics: false, stale: { cron: '30 * * * *' }, mine: { cron: '0 4 * * 1', run: async (signal) => … } }`
 */
export interface ScheduleOptions {
  readonly [task: string]: TaskOptions | false;
}

export interface TaskPolicy {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  readonly timeLimitMs: number;
  readonly retries: number;
  readonly backoffMs: number;
  readonly catchUpMs: number;
  /** Undefined: what the built-in task does. */
  readonly run: ((signal: AbortSignal) => unknown) | undefined;
}

/** Later hours on the clock than the task before, so that not all of them begin at once. */
const BUILT_IN: Readonly<Record<BuiltInTask, TaskOptions>> = {
  warm: { cron: '0 7 * * *', timeLimit: '30m', catchUp: true },
  refresh: { cron: '*/30 * * * *', timeLimit: '15m' },
  stale: { cron: '15 * * * *', timeLimit: '30m' },
  statistics: { cron: '0 */6 * * *', timeLimit: '5m' },
  keys: { cron: '45 */12 * * *', timeLimit: '30m' },
  expired: { cron: '0 3 * * *', timeLimit: '30m', catchUp: true },
};

const KNOWN = ['cron', 'timezone', 'timeLimit', 'retries', 'backoff', 'catchUp', 'run'] as const;
/** A redeployment, a Redis that is away for a moment: that is on time. */
const ON_TIME_MS = 60_000;
/** Warmed six hours late it is still of use, a day late it is not. */
const CATCH_UP_MS = 6 * 3_600_000;
const MOST_RETRIES = 10;
const MOST_TASKS = 64;

export const BUILT_IN_TASKS = Object.keys(BUILT_IN) as readonly BuiltInTask[];

/** @throws ERC_OPTION */
export function parseSchedule(options: ScheduleOptions): TaskPolicy[] {
  if (typeof options !== 'object' || options === null) throw wrong('schedule()', options, 'tasks by name');
  const named = { ...Object.fromEntries(Object.keys(BUILT_IN).map((name) => [name, {}])), ...options };
  const names = Object.keys(named);
  if (names.length > MOST_TASKS) throw wrong('schedule()', names.length, `${MOST_TASKS} tasks at most`);
  return names.flatMap((name) => {
    const given = named[name];
    return given === false ? [] : [parseTask(name, given)];
  });
}

function parseTask(name: string, given: TaskOptions | undefined): TaskPolicy {
  const option = `schedule().${name}`;
  if (!/^[a-z][\w-]{0,39}$/i.test(name)) throw wrong('schedule()', name, 'names of letters, digits, - and _');
  if (typeof given !== 'object' || given === null) throw wrong(option, given, 'options of a task, or false');
  onlyKnown(given, KNOWN, `${option}.`);
  const builtIn = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name as BuiltInTask] : undefined;
  const {
    cron,
    timezone = 'UTC',
    timeLimit = '10m',
    retries = 2,
    backoff = '10s',
    catchUp = false,
    run,
  } = {
    ...builtIn,
    ...given,
  };
  if (typeof cron !== 'string') throw wrong(`${option}.cron`, cron, "a cron pattern such as '0 7 * * *'");
  if (typeof timezone !== 'string') throw wrong(`${option}.timezone`, timezone, "an IANA name such as 'Europe/Berlin'");
  if (builtIn === undefined && run === undefined)
    throw wrong(`${option}.run`, run, 'a function: there is no such task');
  if (run !== undefined && typeof run !== 'function') throw wrong(`${option}.run`, run, 'a function');
  if (typeof catchUp !== 'boolean') throw wrong(`${option}.catchUp`, catchUp, 'true, false');
  if (!Number.isSafeInteger(retries) || retries < 0 || retries > MOST_RETRIES)
    throw wrong(`${option}.retries`, retries, `a whole number from 0 to ${MOST_RETRIES}`);
  const timeLimitMs = parseDuration(timeLimit, `${option}.timeLimit`);
  if (timeLimitMs < 1) throw wrong(`${option}.timeLimit`, timeLimit, 'a duration above 0');
  return {
    name,
    cron,
    timezone,
    timeLimitMs,
    retries,
    backoffMs: parseDuration(backoff, `${option}.backoff`),
    catchUpMs: catchUp ? CATCH_UP_MS : ON_TIME_MS,
    run,
  };
}
