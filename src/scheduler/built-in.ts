// What the tasks do that a cache brings with it. Each can be called by itself, by whatever runs tasks for the application.
import type { Clock } from '../contract/clock.js';
import type { BuiltInTask } from '../options/schedule.js';

/** What a task does; what it returns is its result. @throws where it could not be done */
export type TaskFunction = (signal?: AbortSignal) => Promise<Readonly<Record<string, unknown>>>;

export type BuiltInTasks = Readonly<Record<BuiltInTask, TaskFunction>>;

type Result = Readonly<Record<string, unknown>>;

export interface BuiltInParts {
  /** Computes before somebody asks: `daily` what the day will bring, `expiring` what ends soon. */
  readonly warm: (what: 'daily' | 'expiring', signal: AbortSignal) => Promise<Result>;
  /** Brings materialised views up to date. */
  readonly refreshViews: (signal: AbortSignal) => Promise<Result>;
  /** Drops what this process's memory cannot serve any more: yields after every so many entries how many went. */
  readonly memory: () => Iterable<number>;
  /** Absent: there is none. */
  readonly redis?:
    | {
        readonly sweep: (signal: AbortSignal) => Promise<object>;
        readonly tidy: (signal: AbortSignal) => Promise<object>;
      }
    | undefined;
  /** Of the last day, over all processes. */
  readonly statistics: () => Promise<Result>;
  /** Writes down what is counted in memory. */
  readonly flush: () => Promise<void>;
  /** Persisted rows that went, by type. */
  readonly prune: () => Promise<Readonly<Record<string, number>>>;
  readonly clock: Clock;
}

export function builtInTasks(parts: BuiltInParts): BuiltInTasks {
  const { clock, flush, memory, prune, redis, refreshViews, statistics, warm } = parts;
  const tasks: Record<BuiltInTask, (signal: AbortSignal) => Promise<Result>> = {
    warm: (signal) => warm('daily', signal),
    refresh: async (signal) => ({
      ...(await refreshViews(signal)),
      warmed: await warm('expiring', signal),
    }),
    stale: async (signal) => {
      let dropped = 0;
      for (const some of memory()) {
        dropped += some;
        signal.throwIfAborted();
        await new Promise<void>((resolve) => clock.nextTurn(resolve));
      }
      const inRedis = await redis?.sweep(signal);
      return { memory: { dropped }, ...(inRedis && { redis: inRedis }) };
    },
    statistics: async () => {
      await flush();
      return statistics();
    },
    keys: async (signal) => ({ ...(await redis?.tidy(signal)) }),
    expired: async () => ({ deleted: await prune() }),
  };
  const never = new AbortController().signal;
  const callable = Object.entries(tasks).map(([name, run]): [string, TaskFunction] => [
    name,
    async (signal = never) => {
      signal.throwIfAborted();
      return run(signal);
    },
  ]);
  return Object.fromEntries(callable) as unknown as BuiltInTasks;
}
