// Making reports ready over the API: what may be named, and what came of it.
import type { Warmed, Warming } from '../contract/answers.js';
import { codeOf, errorText } from '../contract/errors.js';
import type { Duration } from '../options/duration.js';
import type { WarmSelection } from '../options/loaded.js';
import { AdminProblem, type AdminHandler, type AdminRoute } from './exchange.js';

const warm: AdminHandler = async ({ body }, { cache }) => {
  const { type, reports, user, organization, learned, all, fresh_for_s, budget_s, concurrency, dry_run } = body;
  const given = { name: type, reports, user, organization, learned, all };
  const selection = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const going = cache.warm(selection as WarmSelection, {
    ...(fresh_for_s !== undefined && { freshFor: seconds(fresh_for_s) }),
    ...(budget_s !== undefined && { budget: seconds(budget_s) }),
    ...(concurrency !== undefined && { concurrency: concurrency as number }),
    ...(dry_run === true && { dryRun: true }),
  });
  const report = await going.catch((error: unknown) => {
    throw BUSY.has(codeOf(error)) ? new AdminProblem(503, 'busy', errorText(error)) : error;
  });
  const told: Warmed = { ...report, ...(dry_run === true && { dry_run: true }) };
  return { status: 200, body: told };
};

/** Later it may be possible. */
const BUSY: ReadonlySet<string | undefined> = new Set(['ERC_OVERLOADED', 'ERC_REDIS']);

const seconds = (value: unknown): Duration => `${Number(value)}s`;

const runs: AdminHandler = (_request, { cache }) => {
  const told: Warming = {
    names: cache.warmable(),
    runs: cache.warmRuns().map((run) => ({ ...run, done: run.cached + run.failed })),
  };
  return { status: 200, body: told };
};

export const WARM_ROUTES: readonly AdminRoute[] = [
  {
    method: 'GET',
    path: '/warm',
    action: 'read',
    summary: 'Reports that can be made ready, and the latest runs of this process that did so, newest first',
    handler: runs,
  },
  {
    method: 'POST',
    path: '/warm',
    action: 'warm',
    summary: 'Makes reports ready before they are asked for, and answers when that is done',
    body: {
      type: { type: 'string', description: 'The name of a declared report. Default: all that can be warmed so.' },
      reports: { type: 'array', description: 'Ids of reports, for all of their readers.' },
      user: { type: 'string', description: 'What this user opens first.' },
      organization: { type: 'string', description: 'What belongs to this organisation.' },
      learned: { type: 'boolean', description: 'What readers asked for in these hours of the week before.' },
      all: { type: 'boolean', description: 'All that are worth having.' },
      fresh_for_s: {
        type: 'integer',
        description: 'Computes anew what would be fresh for less than this, in seconds.',
      },
      budget_s: { type: 'integer', description: 'Stops after so many seconds. Default: 300.' },
      concurrency: { type: 'integer', description: 'Computations at the same time. Default: 2.' },
      dry_run: { type: 'boolean', description: 'Count what would be made ready, and change nothing.' },
    },
    handler: warm,
  },
];
