// The report routes: login and rights first, then one line of cache, then a handler that knows nothing of it.
// Two of them are declared with a loader in the handler's place, so that they can be made before anybody asks.
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
import { gradesReaders, progressReaders } from '../warming.js';
import { codeFilter, codeOf, idOf, integerFilter, plainId, plainUserId, wordFilter } from './input.js';

export function reportRoutes(dataSource: DataSource, access: Access, reports: Reports): Router {
  const router = Router();
  const query: Query = (sql, parameters) => dataSource.query(sql, [...parameters]);

  const progress = reports.report('student_progress', {
    filters: { presentation: 'string', assessment_type: ASSESSMENT_TYPES },
    tags: ({ report }) => [tag('student', report), CATALOGUE, DIRECTORY],
    load: ({ report, filters: asked }) =>
      studentProgress(query, Number(report), {
        presentation: codeFilter({ query: asked }, 'presentation'),
        assessmentType: wordFilter({ query: asked }, 'assessment_type', ASSESSMENT_TYPES),
      }),
    warm: progressReaders(dataSource, access),
  });
  router.get(
    '/students/:studentId/progress',
    plainUserId('studentId'),
    allow((viewer, req) => access.student(viewer, idOf(req, 'studentId'))),
    progress.route((req) => idOf(req, 'studentId')),
  );

  const grades = reports.report('grade_distribution', {
    filters: { assessment_type: ASSESSMENT_TYPES, bins: 'integer' },
    tags: ({ report }) => [tag('presentation', report), CATALOGUE],
    load: ({ report, filters: asked }) =>
      gradeDistribution(query, report, {
        assessmentType: wordFilter({ query: asked }, 'assessment_type', ASSESSMENT_TYPES),
        bins: integerFilter({ query: asked }, 'bins', 10, 1, 50),
      }),
    warm: gradesReaders(dataSource, access),
  });
  router.get(
    '/presentations/:code/grades',
    allow((viewer, req) => access.presentation(viewer, codeOf(req))),
    grades.route(codeOf),
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
