// The routes of the management API as data: who may, what they take, and which handler answers.
import { DASHBOARD_ROUTES } from './dashboard-routes.js';
import type { AdminRoute, Field } from './exchange.js';
import { clear, costs, deleteReport, health, hitRate, invalidate, openApi, prune, reset, stats } from './handlers.js';
import { LOOK_ROUTES } from './look-routes.js';
import { SCHEDULE_ROUTES } from './schedule-routes.js';
import { WARM_ROUTES } from './warm-routes.js';

const DRY_RUN: Field = { type: 'boolean', description: 'Count what would go, and change nothing.' };
const DAY: Field = { type: 'string', description: 'A day (UTC) such as 2026-01-31. Default: today.' };

/** In the order in which a path is compared: names before `{…}`. */
export const ROUTES: readonly AdminRoute[] = [
  ...LOOK_ROUTES,
  ...DASHBOARD_ROUTES,
  {
    method: 'GET',
    path: '/stats',
    action: 'read',
    summary: 'Requests of the last day, over all processes, by type and outcome, in steps of five minutes',
    handler: stats,
  },
  {
    method: 'GET',
    path: '/hit-rate',
    action: 'read',
    summary: 'Hits, misses and their rate in the last day',
    query: { type: { type: 'string', description: 'One report type only.' } },
    handler: hitRate,
  },
  {
    method: 'GET',
    path: '/health',
    action: 'read',
    summary: 'Ready, degraded or down, with reasons; 503 when down',
    handler: health,
  },
  {
    method: 'GET',
    path: '/costs',
    action: 'read',
    summary: 'What results cost and what hits spared, by day and type',
    query: { from: DAY, to: DAY },
    handler: costs,
  },
  { method: 'GET', path: '/openapi.json', action: 'read', summary: 'This description', handler: openApi },
  ...WARM_ROUTES,
  {
    method: 'POST',
    path: '/invalidate',
    action: 'invalidate',
    summary: 'Invalidates what is named, by one of the members',
    body: {
      report: { type: 'string', description: 'Every copy of a report.' },
      user: { type: 'string', description: 'Everything that a user looks at.' },
      type: { type: 'string', description: 'Every report of a type.' },
      key: { type: 'string', description: 'One entry.' },
      pattern: { type: 'string', description: 'A pattern such as report:*:7:*.' },
      tags: { type: 'array', description: 'Tags such as student:5, a thousand at most.' },
      event: { type: 'string', description: 'Something that has happened, as the application has declared it.' },
      facts: { type: 'object', description: 'Of the event: ids by name.' },
      organization: { type: 'string', description: 'The resources of an organisation.' },
      resource: { type: 'string', description: 'One of them, with what is derived from it. Default: all.' },
      semester: { type: 'string', description: 'One semester of them, and what was loaded for all. Default: all.' },
      dry_run: DRY_RUN,
    },
    handler: invalidate,
  },
  {
    method: 'POST',
    path: '/stats/reset',
    action: 'clear',
    summary: 'Begins to count anew, in all processes',
    handler: reset,
  },
  ...SCHEDULE_ROUTES,
  {
    method: 'POST',
    path: '/prune',
    action: 'clear',
    summary: 'Deletes persisted reports that are past their time or were invalidated',
    handler: prune,
  },
  {
    method: 'DELETE',
    path: '/',
    action: 'clear',
    summary: 'Invalidates everything',
    query: { dry_run: DRY_RUN },
    handler: clear,
  },
  {
    method: 'DELETE',
    path: '/{report}',
    action: 'invalidate',
    summary: 'Invalidates every copy of one report',
    query: { dry_run: DRY_RUN },
    handler: deleteReport,
  },
];

export interface Match {
  readonly route: AdminRoute;
  readonly params: Readonly<Record<string, string>>;
}

/** @param path below the mount point; a slash at its end does not matter. @returns the methods, where only others would do */
export function matchRoute(method: string, path: string): Match | { readonly allowed: readonly string[] } | undefined {
  const allowed: string[] = [];
  for (const route of ROUTES) {
    const params = paramsOf(route.path, path);
    if (params === undefined) continue;
    if (route.method === method || (method === 'HEAD' && route.method === 'GET')) return { route, params };
    allowed.push(route.method);
  }
  return allowed.length > 0 ? { allowed } : undefined;
}

function paramsOf(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [partsOf(pattern), partsOf(path)];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const value = given[at] ?? '';
    if (!part.startsWith('{')) {
      if (part !== value) return undefined;
      continue;
    }
    try {
      params[part.slice(1, -1)] = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return params;
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '');
