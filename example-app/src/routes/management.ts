// The management of the cache: its own API, for administrators; teachers may look.
import type { RequestHandler } from 'express';
import { type Reports, tag } from '../cache.js';

export function managementRoutes(reports: Reports): RequestHandler {
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
  });
}

function of(kind: string, id: string | number | undefined): readonly string[] {
  return id === undefined ? [] : [tag(kind, id)];
}
