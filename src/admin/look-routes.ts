// The routes that look at entries, at what has ended them, and at what the application offers beside them.
import { ORDERS, SORTS } from './entry-query.js';
import type { AdminRoute, Field } from './exchange.js';
import { explain } from './explain.js';
import { list, listItem, lists, metrics } from './lists.js';
import { entries, entry, invalidations } from './look.js';

const text = (description: string): Field => ({ type: 'string', description });
const LIMIT = text('How many at most.');
const AFTER = text('Go on there: the "next" of the answer before.');

export const LOOK_ROUTES: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/entries',
    action: 'read',
    summary: 'What is cached, without the bodies; found by key, report, type, user or tag',
    query: {
      search: text('A part of the key or of the report.'),
      type: text('One report type only.'),
      user: text('What is kept for one user only.'),
      tag: text('What carries a tag such as student:5 only.'),
      sort: {
        type: 'string',
        enum: SORTS,
        description: 'By the end of its time, its size, what it cost to compute, or its key.',
      },
      order: { type: 'string', enum: ORDERS, description: 'Default: asc.' },
      limit: LIMIT,
      after: AFTER,
    },
    handler: entries,
  },
  {
    method: 'GET',
    path: '/entries/{key}',
    action: 'read',
    summary: 'One entry in each layer, with its tags and when each of them was last invalidated',
    handler: entry,
  },
  {
    method: 'POST',
    path: '/explain',
    action: 'read',
    summary: 'What a reader would get now, and why; and who has ended it',
    body: {
      key: text('Of the entry.'),
      url: text('Of a report that goes through cache(), and that this process has answered before.'),
      type: text('Of a value or a resource.'),
      report: text('The same.'),
      filters: { type: 'object', free: true, description: 'The same: values by name, as the application gives them.' },
      headers: { type: 'object', description: 'Of a request for a url, where the report varies by them.' },
      user: text('Who would read it.'),
      tenant: text('His tenant.'),
      role: text('His role.'),
    },
    handler: explain,
  },
  {
    method: 'GET',
    path: '/invalidations',
    action: 'read',
    summary: 'What was invalidated lately in all processes, newest first',
    query: { limit: LIMIT },
    handler: invalidations,
  },
  { method: 'GET', path: '/metrics', action: 'read', summary: 'Metrics of this process, as text', handler: metrics },
  { method: 'GET', path: '/lists', action: 'read', summary: 'Lists that the application offers', handler: lists },
  {
    method: 'GET',
    path: '/lists/{name}',
    action: 'read',
    summary: 'A page of one of them',
    query: { limit: LIMIT, after: AFTER },
    handler: list,
  },
  { method: 'GET', path: '/lists/{name}/{id}', action: 'read', summary: 'One item of a list', handler: listItem },
];
