// Composition: the schedule of a cache, and what its tasks do.
import { hostname } from 'node:os';
import { errorText, ReportCacheError } from './contract/errors.js';
import type { EventSink } from './contract/events.js';
import type { RedisLike } from './contract/redis-like.js';
import type { ScheduleStatus, Slots, TaskRun } from './contract/schedule.js';
import type { StatisticsReport } from './contract/statistics.js';
import { answersWithin } from './core/time-limit.js';
import { BOUNDS, SCHEDULE } from './options/defaults.js';
import { wrong } from './options/checks.js';
import { parseSchedule, type BuiltInTask, type ScheduleOptions, type TaskPolicy } from './options/schedule.js';
import { builtInTasks, type BuiltInParts, type BuiltInTasks } from './scheduler/built-in.js';
import { timetableOf, type Timetable } from './scheduler/cron.js';
import { OwnSlots } from './scheduler/own-slots.js';
import { Scheduler } from './scheduler/scheduler.js';
import type { Task } from './scheduler/task.js';
import { hitRateOf, typesIn } from './stats/buckets.js';
import type { RedisUpkeep } from './stores/redis/redis-upkeep.js';
import { redisKeys } from './stores/redis/redis-keys.js';
import { RedisSlots } from './stores/redis/redis-slots.js';

/** A schedule that has begun. */
export interface Schedule {
  /** Every task: when it is due, where it runs, how it ended last, over all processes. Never rejects. */
  status(): Promise<ScheduleStatus>;
  /** The latest twenty runs of a task in all processes, newest first. @throws ERC_OPTION; what Redis does */
  runs(task: string): Promise<readonly TaskRun[]>;
  /**
   * Runs a task once, now, in this process and without retries.
   * @returns how it ended, once it has; undefined where another process had to be let run it
   * @throws ERC_OPTION for a task that is not scheduled; ERC_TASK_RUNNING; what Redis does
   */
  run(task: string): Promise<TaskRun | undefined>;
  /**
   * Begins nothing more, and tells what runs to end; two seconds at most are given to that. What is left undone goes to another
   * process. `close()` does the same.
   */
  stop(): Promise<void>;
}

export interface SchedulingParts extends Omit<BuiltInParts, 'redis' | 'statistics'> {
  readonly namespace: string;
  readonly redis: RedisLike | undefined;
  readonly upkeep: RedisUpkeep | undefined;
  /** The longest that an entry lives, ms. */
  readonly keepMs: () => number;
  /** Whether nobody else runs this application; only asked where there is no Redis. */
  readonly alone: boolean;
  readonly report: () => Promise<StatisticsReport>;
  readonly emit: EventSink;
  readonly random?: () => number;
}

export class Scheduling {
  readonly tasks: BuiltInTasks;
  #scheduler: Scheduler | undefined;
  #closed = false;

  constructor(private readonly parts: SchedulingParts) {
    const { clock, keepMs, report, upkeep } = parts;
    const inTime = answersWithin(BOUNDS.patienceMs, clock);
    this.tasks = builtInTasks({
      ...parts,
      statistics: async () => summaryOf(await report()),
      redis: upkeep && {
        sweep: (signal) => upkeep.sweep({ signal, inTime }),
        tidy: (signal) => upkeep.tidy(keepMs() + SCHEDULE.pruneMarginMs, { signal, inTime }),
      },
    });
  }

  /** Absent: nothing is scheduled. */
  get scheduler(): Scheduler | undefined {
    return this.#scheduler;
  }

  /** @throws ERC_OPTION */
  start(options: ScheduleOptions): Schedule {
    const { alone, clock, emit, random = Math.random, redis } = this.parts;
    if (this.#scheduler !== undefined || this.#closed)
      throw new ReportCacheError('ERC_OPTION', 'There is one schedule for each cache, until it is closed.');
    if (redis === undefined && !alone)
      throw new ReportCacheError(
        'ERC_OPTION',
        'This is one of several processes and there is no Redis, so each task would run in all of them: pass `redis`, or `alone: true`.',
      );
    const scheduler = new Scheduler({
      tasks: parseSchedule(options).map((policy) => this.#taskOf(policy)),
      slots: this.#slots(),
      leaseMs: SCHEDULE.leaseMs,
      closeMs: BOUNDS.closeMs,
      process: `${hostname()}:${process.pid}`,
      random,
      clock,
      emit,
    });
    this.#scheduler = scheduler;
    return {
      status: () => scheduler.status(),
      runs: (task) => scheduler.runs(task),
      run: async (task) => (await scheduler.begin(task)).ended,
      stop: () => scheduler.stop(),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#scheduler?.stop();
  }

  #taskOf({ retries, backoffMs, run, ...policy }: TaskPolicy): Task {
    const { cron, name, timezone } = policy;
    let timetable: Timetable;
    try {
      timetable = timetableOf(cron, timezone);
    } catch (error) {
      throw wrong(`schedule().${name}`, `${cron} (${timezone})`, `a cron pattern and a time zone: ${errorText(error)}`);
    }
    return {
      ...policy,
      timetable,
      retry: { retries, firstMs: backoffMs, longestMs: SCHEDULE.longestBackoffMs },
      run: run ?? this.tasks[name as BuiltInTask],
    };
  }

  #slots(): Slots {
    const { clock, namespace, redis } = this.parts;
    const { doubtMs, leaseMs, mostRuns, answerMs } = SCHEDULE;
    if (redis === undefined) return new OwnSlots(mostRuns, clock);
    const keys = redisKeys(namespace, '', '');
    return new RedisSlots({ client: redis, keys, leaseMs, doubtMs, mostRuns, inTime: answersWithin(answerMs, clock) });
  }
}

/** Types in a summary, the most read ones: a result is short. */
const MOST_TYPES = 10;

function summaryOf({ buckets, complete }: StatisticsReport): Readonly<Record<string, unknown>> {
  const rates = (type?: string) => {
    const { hits, hitRate, misses, requests } = hitRateOf(buckets, type);
    return { requests, hits, misses, hit_rate: Math.round(hitRate * 1000) / 1000 };
  };
  const byType = typesIn(buckets)
    .map((name) => [name, rates(name)] as const)
    .filter(([, { requests }]) => requests > 0)
    .sort(([, one], [, other]) => other.requests - one.requests)
    .slice(0, MOST_TYPES);
  return { complete, ...rates(), types: Object.fromEntries(byType) };
}
