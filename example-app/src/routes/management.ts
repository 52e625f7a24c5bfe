// The management of the cache: its own API, for administrators; teachers may look.
import type { RequestHandler } from 'express';
import type { DataSource } from 'typeorm';
import { type AdminList, type Reports, tag } from '../cache.js';
import type { Uses } from '../insights/uses.js';
import { resultList } from '../insights/managed.js';
import type { Lessons } from '../lessons/lessons.js';
import { lessonList } from '../lessons/managed.js';

export interface ManagementParts {
  readonly dataSource: DataSource;
  readonly reports: Reports;
  readonly insights?: { readonly uses: Uses } | undefined;
  readonly lessons?: Lessons | undefined;
  readonly metrics?: { readonly contentType: string; metrics(): Promise<string> } | undefined;
}

export function managementRoutes(parts: ManagementParts): RequestHandler {
  const { reports, metrics } = parts;
  return reports.admin({
    authorize: ({ user }, action) => user?.role === 'administrator' || (action === 'read' && user?.role === 'teacher'),
    // What an operator may tell of where the platform itself has not noticed: the tags of the cascades.
    events: {
      grade_updated: ({ student, presentation }) => [
        ...of('student', student),
        ...of('marks', student),
        ...of('presentation', presentation),
      ],
      material_viewed: ({ student, presentation }) => [...of('student', student), ...of('engagement', presentation)],
      progress_changed: ({ student }) => of('student', student),
      report_generated: ({ report }) => of('saved_report', report),
    },
    lists: listsOf(parts),
    ...(metrics && { metrics }),
  });
}

/** What operators look up beside the cache itself. */
function listsOf({ dataSource, insights, lessons }: ManagementParts): Record<string, AdminList> {
  return {
    ...(insights && {
      insights: resultList('Analyses of students', 'ai_insight', dataSource, insights.uses),
      analytics: resultList('Snapshots of users', 'user_analytics', dataSource, insights.uses),
    }),
    ...(lessons && { lessons: lessonList(lessons) }),
  };
}

function of(kind: string, id: string | number | undefined): readonly string[] {
  return id === undefined ? [] : [tag(kind, id)];
}
