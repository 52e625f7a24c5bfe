// The Express application over a DataSource that is ready.
import express, { type Express, type RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { createAccess } from './access.js';
import { authenticate } from './auth.js';
import type { Reports } from './cache.js';
import type { Lessons } from './lessons/lessons.js';
import { problemHandler, unknownRoute } from './problem.js';
import { analyticsRoutes, type InsightParts, insightRoutes } from './routes/insights.js';
import { lessonRoutes } from './routes/lessons.js';
import { managementRoutes, type ManagementParts } from './routes/management.js';
import { progressRoutes } from './routes/progress.js';
import { organizationRoutes } from './routes/organizations.js';
import { reportRoutes } from './routes/reports.js';
import { resourceRoutes } from './routes/resources.js';
import { savedReportRoutes } from './routes/saved-reports.js';
import { submissionRoutes } from './routes/submissions.js';
import type { Timetable } from './timetable/timetable.js';

export interface AppParts {
  readonly dataSource: DataSource;
  readonly reports: Reports;
  /** Without it there are no routes of organisations. */
  readonly timetable?: Timetable;
  /** Without it there are no analyses. */
  readonly insights?: Pick<InsightParts, 'insights' | 'analytics' | 'uses'>;
  /** Without it there are no routes of lessons. */
  readonly lessons?: Lessons;
  /** Without it there are none. */
  readonly metrics?: ManagementParts['metrics'];
  readonly logger: Logger;
  readonly production: boolean;
}

const BODY_LIMIT = '64kb';

function logRequests(logger: Logger): RequestHandler {
  return (req, res, next) => {
    if (!logger.isLevelEnabled('debug')) return next();
    const started = performance.now();
    res.once('finish', () => {
      const ms = Math.round((performance.now() - started) * 100) / 100;
      logger.debug(
        { method: req.method, url: req.originalUrl, status: res.statusCode, cache: res.get('x-cache'), ms },
        'request',
      );
    });
    next();
  };
}

export function createApp(parts: AppParts): Express {
  const { dataSource, reports, timetable, insights, lessons, metrics, logger, production } = parts;
  const access = createAccess(dataSource);
  const app = express();
  app.disable('x-powered-by');
  app.use(logRequests(logger));

  app.get('/health', async (_req, res) => {
    const up = await dataSource.query('SELECT 1').then(
      () => true,
      () => false,
    );
    res
      .status(up ? 200 : 503)
      .set('Cache-Control', 'no-store')
      .json({ status: up ? 'ok' : 'failing', database: up ? 'up' : 'down' });
  });

  // Login before the body is read: strangers get a 401 without sending 64 kB first.
  app.use('/api', authenticate(dataSource, production), express.json({ limit: BODY_LIMIT }));
  // In front of the reports, whose ids would match it.
  app.use('/api/reports/cache', managementRoutes({ dataSource, reports, insights, lessons, metrics }));
  app.use('/api/reports', savedReportRoutes(dataSource, access), reportRoutes(dataSource, access, reports));
  app.use('/api/submissions', submissionRoutes(dataSource));
  app.use('/api/progress', progressRoutes(dataSource));
  if (timetable !== undefined) {
    app.use('/api/organizations', organizationRoutes(dataSource, access, reports, timetable));
    app.use('/api/resources', resourceRoutes(access, timetable));
  }

  if (insights !== undefined) {
    const all = { dataSource, access, reports, ...insights };
    app.use('/api/insights', insightRoutes(all));
    app.use('/api/analytics', analyticsRoutes(all));
  }
  if (lessons !== undefined) app.use('/api/lessons', lessonRoutes(lessons, reports));

  app.use(unknownRoute);
  app.use(problemHandler(logger));
  return app;
}
