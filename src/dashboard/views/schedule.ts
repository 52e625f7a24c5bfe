// What runs by itself: when next, how it went last, and a button to have it run now.
import { sorry } from '../api.js';
import { button, fill, h } from '../dom.js';
import * as format from '../format.js';
import { lastOf } from '../last-of.js';
import { notify } from '../notice.js';
import type { Task, Tasks } from '../shapes.js';
import { table, type Column } from '../table.js';
import { card, notAvailable, type Parts } from '../view.js';

export function scheduleCard({ api }: Parts): { readonly element: HTMLElement; readonly shown: () => void } {
  if (!api.has('GET', '/schedule'))
    return { element: card('Schedule', notAvailable('Scheduled tasks are')), shown: () => undefined };
  const rows = h('div');
  const run = (name: string): void => {
    void api.post(`schedule/${encodeURIComponent(name)}/run`, {}).then(
      () => {
        notify(`${name} runs.`);
        shown();
      },
      (error: unknown) => notify(sorry(error), 'bad'),
    );
  };
  const columns: readonly Column<Task>[] = [
    { title: 'Task', cell: ({ name }) => name },
    { title: 'When', cell: ({ cron, timezone }) => h('span', {}, h('code', {}, cron), timezone && ` ${timezone}`) },
    { title: 'Next', cell: ({ next_at: next }) => (next === null ? '–' : format.fromNow(next)) },
    {
      title: 'Last',
      cell: ({ last }) =>
        last === null
          ? 'never'
          : [last.outcome, last.error, format.fromNow(last.at)].filter((one) => one !== undefined).join(', '),
    },
    { title: 'Took', figures: true, cell: ({ last }) => (last === null ? '–' : format.duration(last.ms)) },
    { title: 'Missed', figures: true, cell: ({ missed }) => format.count(missed) },
    {
      title: 'Now',
      cell: ({ name, running }) =>
        running !== null
          ? `running since ${format.timeOfDay(running.since)}`
          : api.may('POST', '/schedule/{task}/run')
            ? button('Run', () => run(name), { 'aria-label': `Run ${name} now` })
            : 'waiting',
    },
  ];
  const told = lastOf<Tasks>(
    ({ tasks, complete }) =>
      fill(
        rows,
        !complete && h('p', { class: 'reason degraded' }, 'Redis does not tell: this is what one process knows.'),
        table('Scheduled tasks', columns, tasks, 'Nothing is scheduled.'),
      ),
    (error) => fill(rows, h('p', { class: 'quiet' }, sorry(error))),
  );
  const shown = (): void => told(api.get<Tasks>('schedule'));
  return { element: card('Schedule', rows), shown };
}
