// The page: its views, which of them is looked at, and what they hear.
import { Api, sorry } from './api.js';
import { fill, h } from './dom.js';
import { notify } from './notice.js';
import type { Hears } from './shapes.js';
import { State } from './state.js';
import { listen, type ConnectionState } from './stream.js';
import type { View } from './view.js';
import { costs } from './views/costs.js';
import { entries } from './views/entries.js';
import { invalidations } from './views/invalidations.js';
import { lists } from './views/lists.js';
import { operations } from './views/operations.js';
import { overview } from './views/overview.js';
import { reports } from './views/reports.js';

const main = document.getElementById('main') ?? document.body;
const links = document.getElementById('views') ?? document.body;

async function start(): Promise<void> {
  const api = new Api();
  const state = new State(api);
  await Promise.all([api.meet(), state.load()]);
  const parts = { api, state };
  const views: readonly View[] = [overview, reports, entries, invalidations, costs, lists, operations].map((make) =>
    make(parts),
  );
  links.append(h('ul', {}, ...views.map(({ id, title }) => h('li', {}, h('a', { href: `#${id}` }, title)))));
  fill(main, ...views.map(({ element }) => element));
  const follow = (focus: boolean): void => {
    const wanted = views.find(({ id }) => `#${id}` === location.hash) ?? views[0];
    if (wanted !== undefined) show(views, wanted, focus);
  };
  addEventListener('hashchange', () => follow(true));
  follow(false);
  hear(views, state);
}

function show(views: readonly View[], wanted: View, focus: boolean): void {
  for (const { element } of views) element.hidden = element !== wanted.element;
  for (const link of links.querySelectorAll('a')) {
    if (link.hash === `#${wanted.id}`) {
      link.setAttribute('aria-current', 'page');
      link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    } else link.removeAttribute('aria-current');
  }
  document.title = `${wanted.title} – Report cache`;
  wanted.shown();
  if (!focus) return;
  wanted.element.querySelector('h2')?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function hear(views: readonly View[], state: State): void {
  const on: Hears = Object.assign(
    { stats: (event) => state.hear(event) } satisfies Hears,
    ...views.map((one) => one.on),
  );
  let wasLost = false;
  listen('events', {
    on,
    state: (now) => {
      showConnection(now);
      // What happened before was not heard: while the page came, or while the connection was lost.
      if (now === 'live') {
        if (wasLost) void state.load().catch(() => undefined);
        views.find(({ element }) => !element.hidden)?.shown();
      }
      wasLost = now === 'lost';
    },
  });
}

function showConnection(state: ConnectionState): void {
  const badge = document.getElementById('connection');
  if (badge === null) return;
  badge.className = `state ${state}`;
  badge.textContent = state === 'live' ? 'live' : 'connection lost';
}

start().catch((error: unknown) => {
  fill(main, h('p', { class: 'reason down' }, sorry(error)));
  notify(sorry(error), 'bad');
});
