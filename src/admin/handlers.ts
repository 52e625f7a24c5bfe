// What each route of the management API does: pure functions of a request and a cache.
import type { ReportCacheError } from '../contract/errors.js';
import type { Outcome, StatisticsBucket } from '../contract/statistics.js';
import { summarizeCosts } from '../costs/days.js';
import { EVERYTHING, tag } from '../entry/tags.js';
import { hitRateOf } from '../stats/buckets.js';
import { badRequest, type AdminAnswer, type AdminContext, type AdminHandler } from './exchange.js';

const ok = (body: unknown): AdminAnswer => ({ status: 200, body });

// Looking

const rateOf = (buckets: readonly StatisticsBucket[], type?: string) => {
  const { hits, misses, hitRate: hit_rate, requests: total_requests } = hitRateOf(buckets, type);
  return { hits, misses, hit_rate, total_requests };
};

export const stats: AdminHandler = async (_request, { cache }) => {
  const { buckets, complete, lastUpdated } = await cache.statistics();
  const outcomes: Partial<Record<Outcome, number>> = {};
  for (const { types } of buckets)
    for (const counts of Object.values(types))
      for (const [outcome, count] of Object.entries(counts))
        outcomes[outcome as Outcome] = (outcomes[outcome as Outcome] ?? 0) + (count?.times ?? 0);
  const named = new Set(buckets.flatMap(({ types }) => Object.keys(types)));
  const byType = [...named].map((type) => [type, rateOf(buckets, type)] as const);
  return ok({
    complete,
    last_updated: lastUpdated,
    total: { ...rateOf(buckets), outcomes },
    types: Object.fromEntries(byType.filter(([, { total_requests }]) => total_requests > 0)),
    memory: cache.memory(),
    series: buckets,
  });
};

export const hitRate: AdminHandler = async ({ query: { type } }, { cache }) => {
  const { buckets, complete, lastUpdated } = await cache.statistics();
  return ok({ ...rateOf(buckets, type), last_updated: lastUpdated, complete });
};

/** 503 for whoever balances load or pages people by status: the reports are still served, computed each time. */
export const health: AdminHandler = async (_request, { cache }) => {
  const found = await cache.health();
  return { status: found.state === 'down' ? 503 : 200, body: found };
};

export const invalidations: AdminHandler = (_request, { cache }) => ok({ invalidations: cache.recent() });

export const costs: AdminHandler = async ({ query: { from, to } }, { cache }) => {
  const days = await cache.costs({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) });
  return ok({ days, summary: summarizeCosts(days) });
};

export const openApi: AdminHandler = (_request, context) => ok(context.openApi());

// Invalidating

/** What is named in a body: exactly one of these. */
const NAMES = ['report', 'user', 'type', 'key', 'pattern', 'tags', 'event'] as const;

export const invalidate: AdminHandler = async ({ body }, context) => {
  const named = NAMES.filter((name) => body[name] !== undefined);
  const [name] = named;
  if (name === undefined || named.length > 1) throw badRequest(`Name one of ${NAMES.join(', ')}.`);
  if (body['facts'] !== undefined && name !== 'event') throw badRequest('Facts belong to an event.');
  const { tags, exact } = tagsNamed(name, body[name], body['facts'], context);
  return carryOut(tags, exact, body['dry_run'] === true, context);
};

function tagsNamed(
  name: (typeof NAMES)[number],
  value: unknown,
  facts: unknown,
  { cache, events }: AdminContext,
): { readonly tags: readonly string[]; readonly exact: boolean } {
  const id = String(value);
  switch (name) {
    case 'report':
      return { tags: [tag('report', id)], exact: true };
    case 'user':
      return { tags: [tag('viewer', id)], exact: true };
    case 'type':
      if (!cache.types().includes(id)) throw badRequest(`There is no report type "${id.slice(0, 64)}".`);
      return { tags: [tag('type', id)], exact: true };
    case 'key':
      return { tags: [`key:${id}`], exact: true };
    case 'pattern':
      return cache.resolve(id);
    case 'tags':
      return { tags: value as string[], exact: true };
    case 'event':
      return { tags: tagsOfEvent(id, facts, events), exact: true };
  }
}

function tagsOfEvent(name: string, facts: unknown, events: AdminContext['events']): readonly string[] {
  const event = Object.hasOwn(events, name) ? events[name] : undefined;
  if (event === undefined)
    throw badRequest(
      `There is no event "${name.slice(0, 64)}"; there are ${Object.keys(events).join(', ') || 'none'}.`,
    );
  let tags: readonly string[];
  try {
    tags = event((facts ?? {}) as Record<string, string | number>);
  } catch {
    throw badRequest(`The facts of the event "${name}" are not complete.`);
  }
  if (tags.length === 0) throw badRequest(`The facts of the event "${name}" come to nothing.`);
  return tags;
}

/** Nothing is searched for to invalidate it; only a dry run counts, and says so. */
async function carryOut(
  tags: readonly string[],
  exact: boolean,
  dryRun: boolean,
  { cache }: AdminContext,
): Promise<AdminAnswer> {
  if (dryRun) return ok({ dry_run: true, tags, exact, entries: await cache.count(tags) });
  await cache.invalidate(tags, 'admin');
  return ok({ tags, exact });
}

export const deleteReport: AdminHandler = async ({ params, query }, context) => {
  const report = params['report'] ?? '';
  const tags = [tag('report', report)];
  const dryRun = query['dry_run'] === 'true';
  const entries = await context.cache.count(tags);
  if (!dryRun) await context.cache.invalidate(tags, 'admin');
  return ok({ report_id: report, entries, ...(dryRun && { dry_run: true }) });
};

export const clear: AdminHandler = async ({ query }, context) => {
  const dryRun = query['dry_run'] === 'true';
  const entries = await context.cache.count([EVERYTHING]);
  if (!dryRun) await context.cache.invalidate([EVERYTHING], 'admin');
  return ok({ entries, ...(dryRun && { dry_run: true }) });
};

export const reset: AdminHandler = async (_request, { cache }) => {
  await cache.resetStatistics();
  return ok({ reset: true });
};

export const prune: AdminHandler = async (_request, { cache }) => ok({ deleted: await cache.prune() });

/** A client's mistake, where it is one. */
export function isClientError(error: unknown): error is ReportCacheError {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return code === 'ERC_TAG' || code === 'ERC_PATTERN' || code === 'ERC_OPTION';
}
