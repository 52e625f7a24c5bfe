// What the routes of the schedule answer.
import type { Task, Tasks } from '../contract/answers.js';
import { codeOf } from '../contract/errors.js';
import type { ManagedSchedule } from './cache.js';
import { AdminProblem, type AdminHandler } from './exchange.js';

export const schedule: AdminHandler = async (_request, { cache }) => {
  const { tasks, complete } = (await cache.schedule()?.status()) ?? { tasks: [], complete: true };
  const told = tasks.map(({ nextAt, running, last, ...task }): Task => ({
    ...task,
    next_at: nextAt ?? null,
    running: running ?? null,
    last: last ?? null,
  }));
  const body: Tasks = { tasks: told, complete };
  return { status: 200, body };
};

export const taskRuns: AdminHandler = async ({ params }, { cache }) => {
  const { name, scheduled } = named(params['task'], cache.schedule());
  return { status: 200, body: { task: name, runs: await scheduled.runs(name) } };
};

/** Begun, not awaited: it may take longer than a client waits. */
export const runTask: AdminHandler = async ({ params }, { cache }) => {
  const { name, scheduled } = named(params['task'], cache.schedule());
  try {
    const { ended } = await scheduled.begin(name);
    ended.catch(() => undefined);
  } catch (error) {
    if (codeOf(error) === 'ERC_TASK_RUNNING')
      throw new AdminProblem(409, 'task-running', `The task "${name}" is running.`);
    throw error;
  }
  return { status: 202, body: { task: name, begun: true } };
};

function named(name: string | undefined, scheduled: ManagedSchedule | undefined) {
  if (scheduled === undefined || name === undefined || !scheduled.names.includes(name))
    throw new AdminProblem(404, 'task-unknown', 'There is no such task.');
  return { name, scheduled };
}
