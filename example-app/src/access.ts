// Who may see what. Asked from the database for every request, in front of the cache: a hit needs the right as well.
import type { Request, RequestHandler } from 'express';
import type { DataSource } from 'typeorm';
import { type Viewer, viewerOf } from './auth.js';
import {
  Enrolment,
  ModulePresentation,
  Organization,
  OrganizationMember,
  ParentLink,
  Report,
  ReportConcern,
  TutorAssignment,
} from './entities/index.js';
import { forbidden, notFound } from './problem.js';

/** Whoever asks, or would. */
export type Reader = Pick<Viewer, 'id' | 'role'>;

export interface Access {
  student(viewer: Reader, studentId: number): Promise<boolean>;
  presentation(viewer: Reader, code: string): Promise<boolean>;
  /** @throws 404 where there is no such report. */
  savedReport(viewer: Viewer, reportId: number): Promise<boolean>;
  /** Its timetable. @throws 404 for an administrator where there is no such organisation. */
  organization(viewer: Viewer, organizationId: number): Promise<boolean>;
  /** A tutor's or a parent's own overview. */
  own(viewer: Viewer, userId: number): Promise<boolean>;
}

export function createAccess(dataSource: DataSource): Access {
  const enrolments = dataSource.getRepository(Enrolment);
  const presentations = dataSource.getRepository(ModulePresentation);
  const tutorAssignments = dataSource.getRepository(TutorAssignment);
  const parentLinks = dataSource.getRepository(ParentLink);
  const reports = dataSource.getRepository(Report);
  const concerns = dataSource.getRepository(ReportConcern);
  const organizations = dataSource.getRepository(Organization);
  const members = dataSource.getRepository(OrganizationMember);

  return {
    async student(viewer, studentId) {
      switch (viewer.role) {
        case 'administrator':
          return true;
        case 'student':
          return viewer.id === studentId;
        case 'parent':
          return parentLinks.existsBy({ parentId: viewer.id, studentId });
        case 'tutor':
          return tutorAssignments.existsBy({ tutorId: viewer.id, studentId });
        case 'teacher':
          return enrolments.existsBy({ studentId, presentation: { teacherId: viewer.id } });
      }
    },
    async presentation(viewer, code) {
      if (viewer.role === 'administrator') return true;
      return viewer.role === 'teacher' && presentations.existsBy({ code, teacherId: viewer.id });
    },
    async savedReport(viewer, reportId) {
      const report = await reports.findOne({ where: { id: reportId }, select: { id: true, authorId: true } });
      if (report === null) throw notFound(`report ${reportId}`);
      if (viewer.role === 'administrator' || report.authorId === viewer.id) return true;
      return concerns.existsBy({ reportId, userId: viewer.id });
    },
    async organization(viewer, organizationId) {
      if (viewer.role !== 'administrator') return members.existsBy({ organizationId, userId: viewer.id });
      if (await organizations.existsBy({ id: organizationId })) return true;
      throw notFound(`organization ${organizationId}`);
    },
    own: async (viewer, userId) => viewer.role === 'administrator' || viewer.id === userId,
  };
}

/** Lets the request through only where `check` says so. */
export function allow(check: (viewer: Viewer, req: Request) => Promise<boolean>): RequestHandler {
  return async (req, _res, next) => {
    if (!(await check(viewerOf(req), req))) throw forbidden('You may not see this.');
    next();
  };
}
