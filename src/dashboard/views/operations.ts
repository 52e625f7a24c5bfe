// What people do to the cache: warm it, run what is scheduled, empty it, begin to count anew.
import { sorry } from '../api.js';
import { confirm } from '../dialog.js';
import { button, h, type Child } from '../dom.js';
import { counted } from '../invalidating.js';
import { notify } from '../notice.js';
import type { WouldGo } from '../shapes.js';
import { card, viewOf, type Parts, type View } from '../view.js';
import { scheduleCard } from './schedule.js';
import { warmCard } from './warm.js';

export function operations(parts: Parts): View {
  const warm = warmCard(parts);
  const schedule = scheduleCard(parts);
  const element = viewOf('operations', 'Operations', warm.element, schedule.element, emptyCard(parts));
  return {
    id: 'operations',
    title: 'Operations',
    element,
    shown: () => {
      warm.shown();
      schedule.shown();
    },
    on: { warming: warm.heard, task: () => schedule.shown() },
  };
}

function emptyCard({ api, state }: Parts): HTMLElement {
  const carefully = async (
    title: string,
    lines: () => Promise<readonly Child[]>,
    yes: string,
    act: () => Promise<unknown>,
    done: string,
  ) => {
    try {
      if (!(await confirm(title, await lines(), yes))) return;
      await act();
      notify(done);
      await state.load();
    } catch (error) {
      notify(sorry(error), 'bad');
    }
  };
  const purge = () =>
    carefully(
      'Invalidate everything?',
      async () => [
        counted(await api.delete<WouldGo>('?dry_run=true')),
        'Every report is computed anew when it is asked for next.',
      ],
      'Invalidate everything',
      () => api.delete('./'),
      'Everything was invalidated.',
    );
  const reset = () =>
    carefully(
      'Begin to count anew?',
      async () => ['The figures of the last day are forgotten, in all processes. What is cached stays.'],
      'Begin anew',
      () => api.post('stats/reset', {}),
      'Counting has begun anew.',
    );
  const prune = () =>
    carefully(
      'Delete persisted reports that are over?',
      async () => [
        'Rows of the database that are past their time or were invalidated. Nobody is served them any more.',
      ],
      'Delete',
      () => api.post('prune', {}),
      'Deleted.',
    );
  const offers = [
    api.may('DELETE', '/') && button('Invalidate everything…', () => void purge(), { class: 'danger' }),
    api.may('POST', '/stats/reset') && button('Reset the counters…', () => void reset()),
    api.may('POST', '/prune') && button('Prune the database…', () => void prune()),
  ].filter((one) => one !== false);
  return card(
    'Empty and reset',
    offers.length === 0
      ? h('p', { class: 'quiet' }, 'Your account may look, but change nothing here.')
      : h('p', { class: 'buttons' }, ...offers),
  );
}
