// What operators of the timetable may ask of its cache: to forget, to load in advance, and to say what it has loaded.
import { Router } from 'express';
import { type Access, allow } from '../access.js';
import { onlyFor, viewerOf } from '../auth.js';
import { SEMESTERS } from '../data/campus.js';
import { RESOURCE_NAMES, type Timetable } from '../timetable/timetable.js';
import { bodyOf, idFilter, idIn, wordIn } from './input.js';

export function resourceRoutes(access: Access, timetable: Timetable): Router {
  const router = Router();
  router.use(onlyFor('administrator'));
  const semesterIn = (value: unknown): string | undefined =>
    value === undefined ? undefined : wordIn('semester', value, SEMESTERS);

  router.get(
    '/stats',
    allow((viewer, req) => access.organization(viewer, idFilter(req, 'organization_id'))),
    (req, res) => {
      const organization = idFilter(req, 'organization_id');
      res
        .set('Cache-Control', 'no-store')
        .json({ organization_id: organization, resources: timetable.loads(organization) });
    },
  );

  router.post('/invalidate', async (req, res) => {
    const body = bodyOf(req, ['organization_id', 'resource_type', 'semester']);
    const organization = idIn('organization_id', body.organization_id);
    const resource = wordIn('resource_type', body.resource_type, [...RESOURCE_NAMES, 'all']);
    const semester = semesterIn(body.semester);
    await access.organization(viewerOf(req), organization);
    const tags = await timetable.resources.invalidate({ organization, resource, ...(semester && { semester }) });
    res.set('Cache-Control', 'no-store').json({ organization_id: organization, resource_type: resource, tags });
  });

  router.post('/warm', async (req, res) => {
    const body = bodyOf(req, ['organization_id', 'semester']);
    const organization = idIn('organization_id', body.organization_id);
    const semester = semesterIn(body.semester);
    await access.organization(viewerOf(req), organization);
    const warmed = await timetable.resources.warm(organization, semester);
    res.set('Cache-Control', 'no-store').json({ organization_id: organization, ...warmed });
  });

  return router;
}
