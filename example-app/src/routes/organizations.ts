// The resources of an organisation's timetable, read by those who work there; an administrator changes rooms and courses.
import { type Request, Router } from 'express';
import type { DataSource } from 'typeorm';
import { type Access, allow } from '../access.js';
import { onlyFor } from '../auth.js';
import type { Reports } from '../cache.js';
import { SEMESTERS } from '../data/campus.js';
import { Course, Room } from '../entities/index.js';
import { notFound } from '../problem.js';
import { RESOURCE_NAMES, type Timetable, TTL } from '../timetable/timetable.js';
import { bodyOf, departmentIn, idOf, integerIn, plainId, wordFilter } from './input.js';

export function organizationRoutes(
  dataSource: DataSource,
  access: Access,
  reports: Reports,
  timetable: Timetable,
): Router {
  const router = Router();
  const member = allow((viewer, req) => access.organization(viewer, idOf(req, 'id')));
  const semesterOf = (req: Request): string | undefined => wordFilter(req, 'semester', SEMESTERS) ?? undefined;
  // The answer carries the tags of the resources that it is made of.
  const cached = (ttl: (typeof TTL)[keyof typeof TTL]) =>
    reports.cache('custom', {
      ttl,
      persist: timetable.persist,
      share: 'everyone',
      report: (req) => `organization-${idOf(req, 'id')}`,
      filters: { semester: SEMESTERS },
    });

  router.get('/:id/resources', plainId('id'), member, cached(TTL.whole), async (req, res) => {
    const organization = idOf(req, 'id');
    const semester = semesterOf(req);
    const resources = await timetable.whole(organization, semester);
    res.json({ organization, semester: semester ?? null, resources });
  });

  for (const resource of RESOURCE_NAMES)
    router.get(`/:id/resources/${resource}`, plainId('id'), member, cached(TTL[resource]), async (req, res) => {
      const organization = idOf(req, 'id');
      const semester = semesterOf(req);
      const value = await timetable.resources.get(resource, organization, semester);
      res.json({ organization, semester: semester ?? null, resource, value });
    });

  router.put('/:id/rooms/:roomId', onlyFor('administrator'), async (req, res) => {
    const where = { id: idOf(req, 'roomId'), organizationId: idOf(req, 'id') };
    const capacity = integerIn('capacity', bodyOf(req, ['capacity']).capacity, 1, 2000);
    const room = await dataSource.transaction(async (manager) => {
      const found = await manager.findOne(Room, { where, lock: { mode: 'pessimistic_write' } });
      if (found === null) throw notFound(`room ${where.id} of organization ${where.organizationId}`);
      found.capacity = capacity;
      return manager.save(found);
    });
    res.set('Cache-Control', 'no-store').json(room);
  });

  router.put('/:id/courses/:courseId', onlyFor('administrator'), async (req, res) => {
    const where = { id: idOf(req, 'courseId'), organizationId: idOf(req, 'id') };
    const departmentId = departmentIn('department', bodyOf(req, ['department']).department);
    const course = await dataSource.transaction(async (manager) => {
      const found = await manager.findOne(Course, { where, lock: { mode: 'pessimistic_write' } });
      if (found === null) throw notFound(`course ${where.id} of organization ${where.organizationId}`);
      found.departmentId = departmentId;
      return manager.save(found);
    });
    res.set('Cache-Control', 'no-store').json(course);
  });

  return router;
}
