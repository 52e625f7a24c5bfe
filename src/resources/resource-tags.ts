// Pure: the tags of an organisation's resources, such that each thing that can be invalidated is one of them, or two.
import { ReportCacheError } from '../contract/errors.js';
import { tag, wholeKind, type Tag } from '../entry/tags.js';
import type { ResourceId } from '../options/resources.js';

const ALL = 'organization';

/** Nothing behind the sign: loaded for all semesters. That two could be read as one costs an invalidation too many. */
const within = (organization: ResourceId, semester: ResourceId | undefined): string =>
  `${organization}@${semester ?? ''}`;

/** What a resource carries by itself; those of its sources come with them. */
export function tagsOf(resource: string, organization: ResourceId, semester: ResourceId | undefined): Tag[] {
  return [ALL, resource].flatMap((kind) => [tag(kind, organization), tag(kind, within(organization, semester))]);
}

/** @throws ERC_RESOURCE for a semester of all organisations, ERC_TAG for an empty id. */
export function selected(
  resource: string,
  organization: ResourceId | undefined,
  semester: ResourceId | undefined,
): Tag[] {
  const kind = resource === 'all' ? ALL : resource;
  if (organization === undefined) {
    if (semester === undefined) return [wholeKind(kind)];
    throw new ReportCacheError('ERC_RESOURCE', 'A semester is invalidated for one organisation.');
  }
  if (semester === undefined) return [tag(kind, organization)];
  tag(kind, semester);
  // What was loaded for all of them contains this one.
  tag(kind, organization);
  return [tag(kind, within(organization, semester)), tag(kind, within(organization, undefined))];
}
