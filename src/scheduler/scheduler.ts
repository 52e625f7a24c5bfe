// All scheduled tasks of a process: begun when they are due, run on demand, looked at, stopped.
import { ReportCacheError } from '../contract/errors.js';
import type { ScheduleStatus, TaskRun, TaskState } from '../contract/schedule.js';
import { allWithin } from '../core/running.js';
import type { Task } from './task.js';
import { TaskLoop, type LoopParts } from './task-loop.js';

export interface SchedulerParts extends Omit<LoopParts, 'task'> {
  readonly tasks: readonly Task[];
  /** How long `stop()` waits for tasks that were told to end, ms. */
  readonly closeMs: number;
}

export class Scheduler {
  readonly #tasks: ReadonlyMap<string, { readonly task: Task; readonly loop: TaskLoop }>;
  #stopped: Promise<void> | undefined;

  constructor(private readonly parts: SchedulerParts) {
    this.#tasks = new Map(parts.tasks.map((task) => [task.name, { task, loop: new TaskLoop({ ...parts, task }) }]));
    for (const { loop } of this.#tasks.values()) loop.start();
  }

  get names(): readonly string[] {
    return [...this.#tasks.keys()];
  }

  async status(): Promise<ScheduleStatus> {
    const { clock, slots } = this.parts;
    let complete = true;
    const tasks = [...this.#tasks.values()].map(async ({ task, loop }) => {
      const { name, cron, timezone, timetable } = task;
      const state = await slots.state(name).catch((): TaskState => {
        complete = false;
        return { running: undefined, last: undefined, missed: 0 };
      });
      const next = this.#stopped === undefined ? timetable.next(clock.now()) : undefined;
      const nextAt = next === undefined ? undefined : new Date(next);
      return { name, cron, timezone, nextAt, ...state, running: state.running ?? loop.running };
    });
    return { tasks: await Promise.all(tasks), complete };
  }

  /** The latest of all processes, newest first. @throws ERC_OPTION; where Redis does not answer */
  async runs(name: string): Promise<readonly TaskRun[]> {
    return this.parts.slots.runs(this.#named(name).task.name);
  }

  /**
   * Once, now, without retries.
   * @returns how it ended, once it has; undefined: the claim was lost before
   * @throws ERC_OPTION; ERC_TASK_RUNNING; where Redis does not answer
   */
  async begin(name: string): Promise<{ readonly ended: Promise<TaskRun | undefined> }> {
    const begun = await this.#named(name).loop.begin();
    if (begun === undefined)
      throw new ReportCacheError('ERC_TASK_RUNNING', `The task "${name}" is running, or the schedule was stopped.`);
    return begun;
  }

  /** Begins nothing more, tells what runs to end, and waits for that within the bound. */
  stop(): Promise<void> {
    const loops = [...this.#tasks.values()].map(({ loop }) => loop);
    const { closeMs, clock } = this.parts;
    this.#stopped ??= allWithin(
      closeMs,
      loops.map((loop) => loop.close()),
      clock,
    ).then(() => {
      for (const loop of loops) loop.abandon();
    });
    return this.#stopped;
  }

  #named(name: string) {
    const found = this.#tasks.get(name);
    if (found === undefined)
      throw new ReportCacheError(
        'ERC_OPTION',
        `There is no task "${name.slice(0, 64)}"; there are ${this.names.join(', ')}.`,
      );
    return found;
  }
}
