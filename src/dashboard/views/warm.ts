// Has reports computed before anybody asks, and shows how far that is.
import { sorry } from '../api.js';
import { fill, h, labelled, select } from '../dom.js';
import * as format from '../format.js';
import { perFrame } from '../frame.js';
import { lastOf } from '../last-of.js';
import { notify } from '../notice.js';
import type { Warmed, WarmingEvent, Warming, WarmRun } from '../shapes.js';
import { table, type Column } from '../table.js';
import { card, notAvailable, type Parts } from '../view.js';

const MOST_RUNS = 20;
const MOST_FAILURES = 10;

const RUNS: readonly Column<WarmRun>[] = [
  { title: 'Began', cell: ({ at }) => format.dateAndTime(at) },
  { title: 'What', cell: ({ name = 'all reports', way }) => `${name}: ${way}` },
  { title: 'Ready', figures: true, cell: ({ cached, total }) => `${format.count(cached)} of ${format.count(total)}` },
  { title: 'Computed', figures: true, cell: ({ computed }) => format.count(computed) },
  { title: 'Failed', figures: true, cell: ({ failed }) => format.count(failed) },
  { title: 'State', cell: ({ running, stopped }) => (running ? 'running' : (stopped ?? 'done')) },
];

interface WarmCard {
  readonly element: HTMLElement;
  readonly shown: () => void;
  readonly heard: (event: WarmingEvent) => void;
}

export function warmCard({ api }: Parts): WarmCard {
  if (!api.has('POST', '/warm'))
    return { element: card('Warm', notAvailable('Warming is')), shown: () => undefined, heard: () => undefined };
  const progress = h('progress', { 'aria-label': 'Warming' });
  const said = h('p', { role: 'status' });
  const bar = h('div', { class: 'warming', hidden: true }, progress, said);
  const failed = h('ul', { class: 'failures', 'aria-label': 'What could not be made ready' });
  const runs = h('div');
  let latest: WarmingEvent | undefined;

  const draw = perFrame(() => {
    if (latest === undefined) return;
    bar.hidden = false;
    const { total, cached, failed, state, name = 'all reports' } = latest;
    progress.max = Math.max(1, total);
    progress.value = total === 0 ? 1 : cached + failed;
    const far = `${format.count(cached + failed)} of ${format.count(total)}`;
    fill(said, state === 'ended' ? `Warmed: ${inWords(latest)}` : `Warming ${name}: ${far}`);
  });

  const names = select([['', 'all that can be']], { name: 'type' });
  const told = lastOf<Warming>(
    (warming) => {
      for (const name of warming.names.slice(names.options.length - 1))
        names.append(h('option', { value: name }, name));
      if (warming.names.length === 0)
        fill(none, 'No report is declared with reports.report(), so there is nothing that could be warmed.');
      fill(runs, table('Latest runs', RUNS, warming.runs.slice(0, MOST_RUNS), 'Nothing was warmed yet.'));
    },
    (error) => fill(runs, h('p', { class: 'quiet' }, sorry(error))),
  );
  const shown = (): void => told(api.get<Warming>('warm'));
  const none = h('p', { class: 'quiet' });
  const form = api.may('POST', '/warm')
    ? warmForm(names, (body) =>
        api.post<Warmed>('warm', body).then(
          (done) => {
            const { dry_run: dry, total, failures } = done;
            notify(dry ? `${format.count(total)} reports would be made ready.` : `Warmed: ${inWords(done)}`);
            fill(failed, ...failures.slice(0, MOST_FAILURES).map(failureShown));
            shown();
          },
          (error: unknown) => notify(sorry(error), 'bad'),
        ),
      )
    : h('p', { class: 'quiet' }, 'Your account may look, but not warm.');
  return {
    element: card('Warm', form, none, bar, failed, runs),
    shown,
    heard: (event) => {
      latest = event;
      draw();
      if (event.state !== 'progress') shown();
    },
  };
}

const failureShown = ({ type, report, reason }: Warmed['failures'][number]): HTMLElement =>
  h('li', {}, h('code', {}, `${type} ${report}`), ` ${reason}`);

function inWords({ total, cached, computed, failed, stopped }: Warmed | WarmingEvent): string {
  const why = stopped === undefined ? '' : `; stopped: ${stopped}`;
  return `${format.count(cached)} of ${format.count(total)} ready, ${format.count(computed)} of them computed, ${format.count(failed)} failed${why}.`;
}

const WHAT = [
  ['learned', 'asked for at this hour'],
  ['reports', 'reports, separated by spaces'],
  ['user', 'the reports of a user'],
  ['organization', 'the reports of an organisation'],
  ['all', 'all that is listed'],
] as const;

function warmForm(names: HTMLSelectElement, warm: (body: Record<string, unknown>) => Promise<void>): HTMLFormElement {
  const what = select(WHAT, { name: 'what' });
  const which = h('input', { type: 'text', name: 'which', autocomplete: 'off', spellcheck: 'false' });
  const whichField = labelled('Which', which);
  const budget = h('input', { type: 'number', name: 'budget_s', min: 1, inputmode: 'numeric' });
  const dry = h('input', { type: 'checkbox', name: 'dry_run' });
  const go = h('button', { type: 'submit' }, 'Warm');
  const fit = (): void => {
    whichField.hidden = what.value === 'learned' || what.value === 'all';
    which.required = !whichField.hidden;
  };
  what.addEventListener('change', fit);
  fit();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const named = which.value.trim();
    go.disabled = true;
    await warm({
      ...(names.value !== '' && { type: names.value }),
      [what.value]: whichField.hidden ? true : what.value === 'reports' ? named.split(/\s+/) : named,
      ...(budget.value !== '' && { budget_s: Number(budget.value) }),
      ...(dry.checked && { dry_run: true }),
    });
    go.disabled = false;
  };
  return h(
    'form',
    { class: 'fields', 'aria-label': 'Warm', on: { submit: (event: Event) => void submit(event) } },
    labelled('Report', names),
    labelled('What', what),
    whichField,
    labelled('Seconds at most', budget),
    labelled('Count only', dry),
    h('p', { class: 'field' }, go),
  );
}
