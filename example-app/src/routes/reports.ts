// The report routes: login and rights first, then one line of cache, then a handler that knows nothing of it.
import { Router } from 'express';
import type { DataSource } from 'typeorm';
import { type Access, allow } from '../access.js';
import { CATALOGUE, DIRECTORY, type Reports, tag } from '../cache.js';
import { ASSESSMENT_TYPES } from '../entities/index.js';
import { analytics, BANDS } from '../reports/analytics.js';
import { gradeDistribution } from '../reports/grade-distribution.js';
import { parentChildren } from '../reports/parent-children.js';
import { savedReport } from '../reports/saved-report.js';
import type { Query } from '../reports/sql.js';
import { studentProgress } from '../reports/student-progress.js';
import { tutorOverview } from '../reports/tutor-overview.js';
import { codeFilter, codeOf, idOf, integerFilter, plainId, plainUserId, wordFilter } from './input.js';

export function reportRoutes(dataSource: DataSource, access: Access, reports: Reports): Router {
  const router = Router();
  const query: Query = (sql, parameters) => dataSource.query(sql, [...parameters]);

  router.get(
    '/students/:studentId/progress',
    plainUserId('studentId'),
    allow((viewer, req) => access.student(viewer, idOf(req, 'studentId'))),
    reports.cache('student_progress', {
      report: (req) => idOf(req, 'studentId'),
      filters: { presentation: 'string', assessment_type: ASSESSMENT_TYPES },
      tags: (req) => [tag('student', idOf(req, 'studentId')), CATALOGUE, DIRECTORY],
    }),
    async (req, res) => {
      const presentation = codeFilter(req, 'presentation');
      const assessmentType = wordFilter(req, 'assessment_type', ASSESSMENT_TYPES);
      res.json(await studentProgress(query, idOf(req, 'studentId'), { presentation, assessmentType }));
    },
  );

  router.get(
    '/presentations/:code/grades',
    allow((viewer, req) => access.presentation(viewer, codeOf(req))),
    reports.cache('grade_distribution', {
      report: codeOf,
      filters: { assessment_type: ASSESSMENT_TYPES, bins: 'integer' },
      tags: (req) => [tag('presentation', codeOf(req)), CATALOGUE],
    }),
    async (req, res) => {
      const assessmentType = wordFilter(req, 'assessment_type', ASSESSMENT_TYPES);
      const bins = integerFilter(req, 'bins', 10, 1, 50);
      res.json(await gradeDistribution(query, codeOf(req), { assessmentType, bins }));
    },
  );

  router.get(
    '/presentations/:code/analytics',
    allow((viewer, req) => access.presentation(viewer, codeOf(req))),
    reports.cache('analytics', {
      report: codeOf,
      filters: { band: BANDS },
      tags: (req) => [tag('presentation', codeOf(req)), tag('engagement', codeOf(req)), CATALOGUE],
    }),
    async (req, res) => {
      res.json(await analytics(query, codeOf(req), { band: wordFilter(req, 'band', BANDS) ?? 'imd' }));
    },
  );

  router.get(
    '/tutors/:id/overview',
    plainUserId('id'),
    allow((viewer, req) => access.own(viewer, idOf(req, 'id'))),
    reports.cache('custom', {
      report: (req) => idOf(req, 'id'),
      filters: { presentation: 'string' },
      tags: (req) => [tag('tutor', idOf(req, 'id')), CATALOGUE, DIRECTORY],
    }),
    async (req, res) => {
      res.json(await tutorOverview(query, idOf(req, 'id'), { presentation: codeFilter(req, 'presentation') }));
    },
  );

  router.get(
    '/parents/:id/children',
    plainUserId('id'),
    allow((viewer, req) => access.own(viewer, idOf(req, 'id'))),
    reports.cache('custom', {
      report: (req) => idOf(req, 'id'),
      filters: { presentation: 'string' },
      tags: (req) => [tag('parent', idOf(req, 'id')), CATALOGUE, DIRECTORY],
    }),
    async (req, res) => {
      res.json(await parentChildren(query, idOf(req, 'id'), { presentation: codeFilter(req, 'presentation') }));
    },
  );

  router.get(
    '/:id',
    // Words are for routes that others mount beside this one.
    (req, _res, next) => next(/^\d+$/.test(String(req.params['id'])) ? undefined : 'route'),
    plainId('id'),
    allow((viewer, req) => access.savedReport(viewer, idOf(req, 'id'))),
    reports.cache('default', {
      report: (req) => idOf(req, 'id'),
      tags: (req) => [tag('saved_report', idOf(req, 'id')), DIRECTORY],
    }),
    async (req, res) => {
      res.json(await savedReport(query, idOf(req, 'id')));
    },
  );

  return router;
}
