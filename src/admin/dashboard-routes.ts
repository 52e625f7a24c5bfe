// The routes of the dashboard: the page, what it is made of, what it hears, and for whom it is shown.
import { asset, events, me, page } from './dashboard.js';
import type { AdminRoute } from './exchange.js';

export const DASHBOARD_ROUTES: readonly AdminRoute[] = [
  { method: 'GET', path: '/', action: 'read', summary: 'The dashboard', produces: 'text/html', handler: page },
  {
    method: 'GET',
    path: '/assets/{file}',
    action: 'read',
    summary: 'Script and style sheet of the dashboard',
    produces: 'application/octet-stream',
    handler: asset,
  },
  {
    method: 'GET',
    path: '/events',
    action: 'read',
    summary: 'What happens, while it happens (server-sent events): stats, invalidation, health, warming, task',
    produces: 'text/event-stream',
    handler: events,
  },
  { method: 'GET', path: '/me', action: 'read', summary: 'Who asks, and which actions he may take', handler: me },
];
