// Tables with a caption, in a box of their own that scrolls where the screen is narrow.
import { h, type Child } from './dom.js';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Child;
  /** Figures stand to the right. */
  readonly figures?: boolean;
}

export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  nothing = 'Nothing yet.',
): HTMLElement {
  const head = h(
    'tr',
    {},
    ...columns.map(({ title, figures }) => h('th', { scope: 'col', class: figures && 'figures' }, title)),
  );
  const body = rows.map((row) =>
    h(
      'tr',
      {},
      ...columns.map(({ cell, figures }, at) =>
        at === 0
          ? h('th', { scope: 'row', class: figures && 'figures' }, cell(row))
          : h('td', { class: figures && 'figures' }, cell(row)),
      ),
    ),
  );
  if (rows.length === 0) body.push(h('tr', {}, h('td', { colspan: columns.length, class: 'nothing' }, nothing)));
  return h(
    'div',
    { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: 0 },
    h('table', {}, h('caption', {}, caption), h('thead', {}, head), h('tbody', {}, ...body)),
  );
}

/** Names with what belongs to them. */
export function facts(rows: readonly (readonly [name: string, value: Child])[]): HTMLElement {
  return h('dl', { class: 'facts' }, ...rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}
