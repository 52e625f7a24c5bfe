// One attempt at a task: with a time limit, and a signal that says when to end.
import type { Clock } from '../contract/clock.js';
import { errorName } from '../contract/errors.js';
import type { TaskOutcome } from '../contract/schedule.js';
import type { Task } from './task.js';

export interface Attempt {
  readonly outcome: TaskOutcome;
  readonly result?: unknown;
  readonly error?: string;
  readonly ms: number;
}

/**
 * Ends when the task ends, however long after its signal: until then nobody else may run it.
 * @param outer ends it, too
 * @param timedOut called at the time limit
 */
export async function attempt(task: Task, outer: AbortSignal, timedOut: () => void, clock: Clock): Promise<Attempt> {
  const { name, run, timeLimitMs } = task;
  const begun = clock.monotonic();
  const controller = new AbortController();
  const end = () => controller.abort(outer.reason);
  if (outer.aborted) end();
  outer.addEventListener('abort', end);
  let late = false;
  const limit = clock.after(timeLimitMs, () => {
    late = true;
    timedOut();
    controller.abort(why('TimeoutError', `The task "${name}" has reached its time limit.`));
  });
  const ended = (rest: Omit<Attempt, 'ms' | 'outcome'>, outcome: TaskOutcome): Attempt => ({
    ...rest,
    outcome: late ? 'timeout' : outcome,
    ms: clock.monotonic() - begun,
  });
  try {
    return ended({ result: await run(controller.signal) }, 'done');
  } catch (error) {
    return ended({ error: errorName(error) }, 'failed');
  } finally {
    limit.cancel();
    outer.removeEventListener('abort', end);
  }
}

/** Why a signal says that a task is to end, named as the platform names it. */
export function why(name: 'TimeoutError' | 'AbortError', message: string): Error {
  return Object.assign(new Error(message), { name });
}
