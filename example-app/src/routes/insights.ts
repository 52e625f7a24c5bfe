// Analyses of students and snapshots of users: rights first, then the cached result with where it came from and what it took.
import { type Request, type RequestHandler, Router } from 'express';
import type { DataSource } from 'typeorm';
import { type Access, allow } from '../access.js';
import { onlyFor } from '../auth.js';
import type { Reports } from '../cache.js';
import type { ResultKind } from '../entities/index.js';
import type { Analytics } from '../insights/analytics.js';
import { deliveryOf, tell } from '../insights/delivered.js';
import type { Insights } from '../insights/insights.js';
import { clearExpired, listResults, STATES } from '../insights/listed.js';
import { statisticsOf } from '../insights/statistics.js';
import type { Uses } from '../insights/uses.js';
import { notFound } from '../problem.js';
import { codeOf, dayFilter, idFilter, idOf, integerFilter, plainUserId, wordFilter } from './input.js';

export interface InsightParts {
  readonly dataSource: DataSource;
  readonly access: Access;
  readonly reports: Reports;
  readonly insights: Insights;
  readonly analytics: Analytics;
  readonly uses: Uses;
}

const MOST_LISTED = 200;

export function insightRoutes({ dataSource, access, reports, insights, uses }: InsightParts): Router {
  const router = Router();

  router.get(
    '/students/:studentId/:code',
    plainUserId('studentId'),
    allow((viewer, req) => access.student(viewer, idOf(req, 'studentId'))),
    async (req, res) => {
      const userId = idOf(req, 'studentId');
      const subject = subjectOf(req);
      const engine = wordFilter(req, 'engine', insights.engines) ?? insights.engines[0] ?? '';
      const answer = await insights.get(userId, subject, engine);
      const result = deliveryOf(answer, 'ai_model');
      uses.add({ kind: 'ai_insight', userId, subject, engine }, result);
      tell(res, result).json({ student: userId, subject, engine, ...answer.value, result });
    },
  );

  router.get('/', onlyFor('administrator'), list(dataSource, uses, 'ai_insight'));

  router.get('/statistics', onlyFor('administrator'), async (req, res) => {
    const [from, to] = [dayFilter(req, 'from'), dayFilter(req, 'to')];
    const ledger = await reports.costs({ ...(from !== null && { from }), ...(to !== null && { to }) });
    res.set('Cache-Control', 'no-store').json({ days: statisticsOf(ledger) });
  });

  router.post('/prune', onlyFor('administrator'), async (_req, res) => {
    await uses.flush();
    res.set('Cache-Control', 'no-store').json({ cleared: await clearExpired(reports, dataSource) });
  });

  return router;
}

export function analyticsRoutes({ dataSource, access, analytics, uses }: InsightParts): Router {
  const router = Router();

  router.get(
    '/users/:id',
    plainUserId('id'),
    allow((viewer, req) => access.own(viewer, idOf(req, 'id'))),
    async (req, res) => {
      const userId = idOf(req, 'id');
      const answer = await analytics.get(userId);
      const result = deliveryOf(answer, 'computed');
      const use = { kind: 'user_analytics', userId, subject: '', engine: '' } as const;
      uses.add(use, result);
      tell(res, result).json({ user: userId, analytics: answer.value, reads: await uses.readsOf(use), result });
    },
  );

  router.get('/', onlyFor('administrator'), list(dataSource, uses, 'user_analytics'));

  return router;
}

/** A subject is a module, whenever it was taken. */
function subjectOf(req: Request): string {
  const subject = codeOf(req);
  if (subject.length > 8) throw notFound(`subject "${subject}"`);
  return subject;
}

function list(dataSource: DataSource, uses: Uses, kind: ResultKind): RequestHandler {
  return async (req, res) => {
    await uses.flush();
    const filters = {
      kind,
      user: req.query['user'] === undefined ? null : idFilter(req, 'user'),
      engine: wordFilter(req, 'engine', ['local', 'openai']),
      state: wordFilter(req, 'state', STATES),
      page: integerFilter(req, 'page', 1, 1, 100_000),
      size: integerFilter(req, 'size', 50, 1, MOST_LISTED),
    };
    res.set('Cache-Control', 'no-store').json(await listResults(dataSource, filters));
  };
}
