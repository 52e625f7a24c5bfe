// What each route of the management API does: pure functions of a request and a cache.
import type { Costs, Stats, WouldGo } from '../contract/answers.js';
import { codeOf, type ReportCacheError } from '../contract/errors.js';
import { summarizeCosts } from '../costs/days.js';
import { EVERYTHING, tag } from '../entry/tags.js';
import { badRequest, textIn, type AdminAnswer, type AdminContext, type AdminHandler } from './exchange.js';
import { rateOf, summaryOf } from './summary.js';

const ok = <T>(body: T): AdminAnswer => ({ status: 200, body });

// Looking

export const stats: AdminHandler = async (_request, { cache }) => {
  const [{ buckets, complete, lastUpdated }, redis] = await Promise.all([cache.statistics(), cache.redis()]);
  return ok<Stats>({
    complete,
    last_updated: lastUpdated,
    ...summaryOf(buckets),
    memory: cache.memory(),
    ...(redis && { redis }),
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

export const costs: AdminHandler = async ({ query: { from, to } }, { cache }) => {
  const days = await cache.costs({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) });
  return ok<Costs>({ days, summary: summarizeCosts(days) });
};

export const openApi: AdminHandler = (_request, context) => ok(context.openApi());

// Invalidating

/** What is named in a body: exactly one of these. */
const NAMES = ['report', 'user', 'type', 'key', 'pattern', 'tags', 'event', 'organization'] as const;

export const invalidate: AdminHandler = async ({ body }, context) => {
  const named = NAMES.filter((name) => body[name] !== undefined);
  const [name] = named;
  if (name === undefined || named.length > 1) throw badRequest(`Name one of ${NAMES.join(', ')}.`);
  if (body['facts'] !== undefined && name !== 'event') throw badRequest('Facts belong to an event.');
  const within = ['resource', 'semester'].find((member) => body[member] !== undefined);
  if (within !== undefined && name !== 'organization') throw badRequest(`A ${within} belongs to an organization.`);
  const { tags, exact } = tagsNamed(name, body, context);
  return carryOut(tags, exact, body['dry_run'] === true, context);
};

function tagsNamed(
  name: (typeof NAMES)[number],
  body: Readonly<Record<string, unknown>>,
  { cache, events }: AdminContext,
): { readonly tags: readonly string[]; readonly exact: boolean } {
  const id = textIn(body, name) ?? '';
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
      return { tags: body[name] as string[], exact: true };
    case 'event':
      return { tags: tagsOfEvent(id, body['facts'], events), exact: true };
    case 'organization': {
      const resource = textIn(body, 'resource') ?? 'all';
      return { tags: cache.resourceTags(id, resource, textIn(body, 'semester')), exact: true };
    }
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
  if (dryRun) return ok<WouldGo & { dry_run: true }>({ dry_run: true, tags, exact, entries: await cache.count(tags) });
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
  return ok<WouldGo>({ entries, ...(dryRun && { dry_run: true }) });
};

export const reset: AdminHandler = async (_request, { cache }) => {
  await cache.resetStatistics();
  return ok({ reset: true });
};

export const prune: AdminHandler = async (_request, { cache }) => ok({ deleted: await cache.prune() });

/** A client's mistake, where it is one. */
export function isClientError(error: unknown): error is ReportCacheError {
  const code = codeOf(error);
  return code === 'ERC_TAG' || code === 'ERC_PATTERN' || code === 'ERC_OPTION' || code === 'ERC_RESOURCE';
}
