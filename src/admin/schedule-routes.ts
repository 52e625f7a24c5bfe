// The routes of the schedule: what is due, what runs, what became of it.
import type { AdminRoute } from './exchange.js';
import { runTask, schedule, taskRuns } from './schedule.js';

export const SCHEDULE_ROUTES: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/schedule',
    action: 'read',
    summary: 'Scheduled tasks: when they are due, where they run, and how they ended last, over all processes',
    handler: schedule,
  },
  {
    method: 'GET',
    path: '/schedule/{task}',
    action: 'read',
    summary: 'The latest runs of a task, newest first',
    handler: taskRuns,
  },
  {
    method: 'POST',
    path: '/schedule/{task}/run',
    action: 'warm',
    summary: 'Begins a task now, in the process that answers: 202; 409 while it runs anywhere',
    handler: runTask,
  },
];
