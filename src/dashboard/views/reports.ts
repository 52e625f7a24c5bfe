// Which reports it pays to cache: types of the day, the costliest entries and the largest.
import { sorry } from '../api.js';
import { fill, figure, h } from '../dom.js';
import * as format from '../format.js';
import { perFrame } from '../frame.js';
import { lastOf } from '../last-of.js';
import { typeRows, type TypeRow } from '../series.js';
import type { Entry, EntryPage } from '../shapes.js';
import { table, type Column } from '../table.js';
import { card, notAvailable, viewOf, type Parts, type View } from '../view.js';

const TYPES: readonly Column<TypeRow>[] = [
  { title: 'Type', cell: ({ type }) => type },
  { title: 'Requests', figures: true, cell: ({ hits, misses }) => figure(hits + misses, format.count(hits + misses)) },
  { title: 'Hit rate', figures: true, cell: ({ hits, misses }) => format.share(hits / (hits + misses)) },
  { title: 'A hit takes', figures: true, cell: ({ hitMs }) => format.duration(hitMs) },
  { title: 'Computing takes', figures: true, cell: ({ runMs }) => format.duration(runMs) },
  { title: 'Time saved', figures: true, cell: ({ savedMs }) => figure(savedMs, format.duration(savedMs)) },
];

const ENTRIES: readonly Column<Entry>[] = [
  { title: 'Report', cell: ({ type, report }) => `${type} ${report}` },
  { title: 'Whose', cell: ({ owner }) => owner },
  { title: 'Computing took', figures: true, cell: ({ compute_ms }) => format.duration(compute_ms) },
  { title: 'Size', figures: true, cell: ({ bytes }) => format.bytes(bytes) },
];

export function reports({ api, state }: Parts): View {
  const byType = h('div');
  const costliest = h('div');
  const largest = h('div');
  const element = viewOf(
    'reports',
    'Reports',
    card('By type', byType),
    h('div', { class: 'columns' }, card('Costliest entries', costliest), card('Largest entries', largest)),
  );
  const draw = perFrame(() => {
    if (element.hidden || state.known === undefined) return;
    const rows = typeRows(state.known.series).sort((one, other) => other.savedMs - one.savedMs);
    fill(byType, table('Report types, last 24 hours', TYPES, rows, 'Nobody has asked for a report yet.'));
  });
  state.onChange(draw);

  const top = (place: HTMLElement, sort: 'cost' | 'bytes', caption: string): (() => void) => {
    if (!api.has('GET', '/entries')) return () => fill(place, notAvailable('Entries are'));
    const listed = lastOf<EntryPage>(
      ({ entries }) => fill(place, table(caption, ENTRIES, entries, 'Nothing is cached yet.')),
      (error) => fill(place, h('p', { class: 'quiet' }, sorry(error))),
    );
    return () => listed(api.get<EntryPage>(`entries?sort=${sort}&order=desc&limit=10`));
  };
  const showCostliest = top(costliest, 'cost', 'The ten that took longest to compute');
  const showLargest = top(largest, 'bytes', 'The ten that take most room');
  return {
    id: 'reports',
    title: 'Reports',
    element,
    shown: () => {
      draw();
      showCostliest();
      showLargest();
    },
  };
}
