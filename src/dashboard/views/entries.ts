// What is cached: searched, sorted, page by page, with the details of each entry.
import { sorry, withQuery } from '../api.js';
import { button, fill, h, labelled, select } from '../dom.js';
import { drawer } from '../dialog.js';
import * as format from '../format.js';
import { invalidating } from '../invalidating.js';
import { shownValue } from '../json.js';
import { lastOf } from '../last-of.js';
import { pager } from '../pager.js';
import type { Entry, EntryPage } from '../shapes.js';
import { table, type Column } from '../table.js';
import { card, notAvailable, viewOf, type Parts, type View } from '../view.js';
import { explainCard } from './explain.js';

const PAGE = 50;
const EMPTY = 'Nothing is cached yet. Reports appear here as soon as somebody has asked for them, or they were warmed.';

export function entries(parts: Parts): View {
  const { api } = parts;
  const search = h('input', { type: 'search', name: 'search', autocomplete: 'off', spellcheck: 'false' });
  const type = h('input', { type: 'text', name: 'type', autocomplete: 'off', spellcheck: 'false' });
  const user = h('input', { type: 'text', name: 'user', autocomplete: 'off', spellcheck: 'false' });
  const tag = h('input', { type: 'text', name: 'tag', autocomplete: 'off', spellcheck: 'false' });
  const sort = select([
    ['ends', 'when it ends'],
    ['bytes', 'size'],
    ['cost', 'time to compute'],
    ['key', 'key'],
  ]);
  const order = select([
    ['asc', 'smallest first'],
    ['desc', 'largest first'],
  ]);
  const found = h('p', { role: 'status' });
  const rows = h('div');
  const pages = pager('Pages of entries', () => load());

  const columns: readonly Column<Entry>[] = [
    { title: 'Key', cell: ({ key }) => button(key, () => void details(key), { class: 'link' }) },
    { title: 'Type', cell: (entry) => entry.type },
    { title: 'Whose', cell: ({ owner }) => owner },
    { title: 'Size', figures: true, cell: ({ bytes }) => format.bytes(bytes) },
    { title: 'Computing took', figures: true, cell: ({ compute_ms }) => format.duration(compute_ms) },
    { title: 'Ends', cell: ({ ends_at }) => format.fromNow(ends_at) },
    { title: 'In memory', cell: ({ in_memory }) => (in_memory ? 'yes' : 'no') },
  ];

  async function details(key: string): Promise<void> {
    const { body, close } = drawer('Entry');
    try {
      const told = await api.get<Record<string, unknown>>(`entries/${encodeURIComponent(key)}`);
      fill(
        body,
        shownValue(told),
        api.may('POST', '/invalidate') &&
          button('Invalidate this entry…', () => {
            void invalidating(api, { key }).then((done) => {
              if (!done) return;
              close();
              load();
            });
          }),
      );
    } catch (error) {
      fill(body, h('p', {}, sorry(error)));
    }
  }

  function load(): void {
    const query = {
      search: search.value,
      type: type.value,
      user: user.value,
      tag: tag.value,
      sort: sort.value,
      order: order.value,
      limit: PAGE,
      after: pages.after(),
    };
    listed(api.get<EntryPage>(withQuery('entries', query)));
  }

  const listed = lastOf<EntryPage>(
    (page) => {
      const many = page.total === 1 ? '1 entry' : `${format.count(page.total)} entries`;
      found.textContent = page.complete ? many : `${many}; Redis did not tell of all`;
      fill(rows, table('Entries', columns, page.entries, isNarrowed() ? 'Nothing is cached that fits.' : EMPTY));
      pages.offer(page.next);
    },
    (error) => fill(rows, h('p', { class: 'quiet' }, sorry(error))),
  );

  const isNarrowed = (): boolean => [search, type, user, tag].some(({ value }) => value !== '');

  const again = (event?: Event): void => {
    event?.preventDefault();
    pages.first();
    load();
  };
  const form = h(
    'form',
    { class: 'fields', role: 'search', 'aria-label': 'Entries', on: { submit: again } },
    labelled('Search in keys', search),
    labelled('Type', type),
    labelled('User', user),
    labelled('Tag', tag),
    labelled('Sorted by', sort),
    labelled('Order', order),
    h('p', { class: 'field' }, h('button', { type: 'submit' }, 'Search')),
  );
  for (const one of [sort, order]) one.addEventListener('change', () => again());

  const isThere = api.has('GET', '/entries');
  const element = viewOf(
    'entries',
    'Entries',
    isThere
      ? card('What is cached', form, found, rows, pages.element)
      : card('What is cached', notAvailable('The list of entries is')),
    explainCard(parts),
  );
  return { id: 'entries', title: 'Entries', element, shown: () => (isThere ? load() : undefined) };
}
