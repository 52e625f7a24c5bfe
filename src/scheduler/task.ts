// A scheduled task, ready to run.
import type { Timetable } from './cron.js';
import type { RetryPolicy } from './retry.js';

export interface Task {
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  readonly timetable: Timetable;
  /** For each attempt, ms. */
  readonly timeLimitMs: number;
  readonly retry: RetryPolicy;
  /** So late a slot may still begin, ms; later it is missed. */
  readonly catchUpMs: number;
  readonly run: (signal: AbortSignal) => unknown;
}
