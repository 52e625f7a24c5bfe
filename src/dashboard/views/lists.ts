// Lists that the application itself offers: insights, lessons, and whatever else it keeps in the cache.
import { sorry, withQuery } from '../api.js';
import { button, fill, h, select, labelled } from '../dom.js';
import { drawer } from '../dialog.js';
import { dateAndTime } from '../format.js';
import { asText, shownValue } from '../json.js';
import { lastOf } from '../last-of.js';
import { pager } from '../pager.js';
import type { ListedItems, OfferedList, OfferedLists } from '../shapes.js';
import { table, type Column } from '../table.js';
import { card, notAvailable, viewOf, type Parts, type View } from '../view.js';

type Row = Readonly<Record<string, unknown>>;
const PAGE = 50;
const MOST_COLUMNS = 9;

export function lists({ api }: Parts): View {
  const choice = select([], { name: 'list' });
  const rows = h('div', {}, h('p', {}, 'Loading…'));
  const pages = pager('Pages of the list', () => load());
  const chosen = labelled('List', choice);
  chosen.hidden = true;
  const element = viewOf('lists', 'Lists', card('Kept by the application', chosen, rows, pages.element));
  let offered: readonly OfferedList[] = [];
  choice.addEventListener('change', () => {
    pages.first();
    load();
  });

  function load(): void {
    const list = offered.find(({ name }) => name === choice.value);
    if (list === undefined) return;
    const path = `lists/${encodeURIComponent(list.name)}`;
    const page = api.get<ListedItems>(withQuery(path, { limit: PAGE, after: pages.after() }));
    listed(page.then((told) => ({ list, path, told })));
  }

  const listed = lastOf<{ list: OfferedList; path: string; told: ListedItems }>(
    ({ list, path, told: { title, items: told, next } }) => {
      const items = told as readonly Row[];
      const open = list.items ? (id: string) => void details(title, `${path}/${encodeURIComponent(id)}`) : undefined;
      fill(rows, table(title, columnsOf(list.columns, items, open), items, 'The list is empty.'));
      pages.offer(next);
    },
    (error) => fill(rows, h('p', { class: 'quiet' }, sorry(error))),
  );

  async function details(title: string, path: string): Promise<void> {
    const { body } = drawer(title);
    try {
      fill(body, shownValue((await api.get<{ item: unknown }>(path)).item));
    } catch (error) {
      fill(body, h('p', {}, sorry(error)));
    }
  }

  const shown = (): void => {
    if (offered.length > 0) return load();
    void api.get<OfferedLists>('lists').then(
      (told) => {
        if (offered.length > 0) return;
        offered = told.lists;
        if (offered.length === 0)
          return fill(
            rows,
            h('p', { class: 'quiet' }, 'The application offers no lists: they are an option of admin().'),
          );
        choice.append(...offered.map(({ name, title }) => h('option', { value: name }, title)));
        chosen.hidden = false;
        load();
      },
      (error: unknown) => fill(rows, h('p', { class: 'quiet' }, sorry(error))),
    );
  };
  const isThere = api.has('GET', '/lists');
  if (!isThere) fill(rows, notAvailable('Lists are'));
  return { id: 'lists', title: 'Lists', element, shown: () => (isThere ? shown() : undefined) };
}

/** Those that the application names; if none, members that are plain values, in the order in which the first rows have them. */
function columnsOf(
  named: readonly string[],
  rows: readonly Row[],
  open: ((id: string) => void) | undefined,
): Column<Row>[] {
  const names = named.length > 0 ? named : plainMembers(rows);
  return names.map((name, at) => ({
    title: name.replaceAll('_', ' '),
    figures: rows.length > 0 && rows.every((row) => typeof row[name] === 'number') && !isMoment(name),
    cell: (row) => {
      const value = row[name];
      const id = row['id'];
      const isTold = value !== null && value !== undefined;
      if (isMoment(name) && isTold && at > 0) return h('span', { class: 'moment' }, dateAndTime(value));
      const text = isMoment(name) && isTold ? dateAndTime(value) : asText(value);
      return open !== undefined && at === 0 && (typeof id === 'string' || typeof id === 'number')
        ? button(text, () => open(String(id)), { class: 'link' })
        : text;
    },
  }));
}

const isMoment = (name: string): boolean => /(?:^|_)at$/.test(name);

function plainMembers(rows: readonly Row[]): string[] {
  return [...new Set(rows.slice(0, 20).flatMap((row) => Object.keys(row)))]
    .filter((name) => rows.every((row) => typeof row[name] !== 'object' || row[name] === null))
    .slice(0, MOST_COLUMNS);
}
