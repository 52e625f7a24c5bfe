// What a request means to the cache: its key, owner and tags, or why it has none.
import type { Request } from 'express';
import type { Identity, Share } from '../contract/identity.js';
import { parseFilters, type ParsedFilters } from '../entry/filters.js';
import { identitySegment, reportKey } from '../entry/key.js';
import { tag } from '../entry/tags.js';
import type { RouteOptions } from '../options/options.js';
import type { RoutePolicy } from '../options/parse.js';
import type { Description, ProblemDetails } from './route.js';

type Identify = (req: Request) => Identity | null | undefined | false | '' | 0;

/** Builds the function that reads a request of one route. It throws only if the application's own functions do. */
export function describeRoute(
  type: string,
  options: RouteOptions,
  policy: RoutePolicy,
  identify: Identify,
): (req: Request) => Description {
  const reportOf = options.report ?? pathOf;
  const tagsOf = options.tags ?? (() => []);
  const fixedTags = [tag('type', type), ...policy.tableTags];

  return (req) => {
    const who = policy.share === 'everyone' ? undefined : identify(req);
    const identity = identitySegment(who, policy.share);
    if (identity === undefined) return { bypass: 'no-identity' };
    const parsed = parseFilters(policy.filters, req.query);
    if (!parsed.ok) {
      const detail = `${parsed.parameter} is not ${parsed.expected}.`;
      if (policy.invalidParameters === 'bypass') return { bypass: 'filter-value', detail: parsed.parameter };
      return { refuse: problem('invalid-parameter', detail, parsed.parameter), reason: 'filter-value' };
    }
    const stranger = parsed.unknown[0];
    if (stranger !== undefined && policy.unknownParameters !== 'ignore') {
      if (policy.unknownParameters === 'bypass') return { bypass: 'unknown-parameter' };
      return {
        refuse: problem('unknown-parameter', `There is no parameter ${stranger}.`, stranger),
        reason: 'unknown-parameter',
      };
    }
    const report = reportOf(req);
    return {
      key: reportKey({ type, report, identity, filters: parsed.values satisfies ParsedFilters, scope: pathOf(req) }),
      owner: identity,
      tags: [...fixedTags, tag('report', report), ...viewerTags(who || undefined, policy.share), ...tagsOf(req)],
    };
  };
}

/** The viewer and his tenant are tags of his entries, so that everything of one user goes in one step. */
export function viewerTags(who: Identity | undefined, share: Share): string[] {
  if (who === undefined || share === 'everyone') return [];
  // A shared entry is nobody's in particular: whoever happened to compute it does not matter.
  const tags: string[] = share === 'user' ? [tag('viewer', who.user)] : [];
  if (who.tenant !== undefined && who.tenant !== null) tags.push(tag('tenant', who.tenant));
  return tags;
}

/** The path as the client asked for it, mount point included: two routers may share inner paths. */
export function pathOf(req: Request): string {
  const query = req.originalUrl.indexOf('?');
  return query < 0 ? req.originalUrl : req.originalUrl.slice(0, query);
}

function problem(kind: string, detail: string, parameter: string): ProblemDetails {
  return {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail,
    code: kind,
    // Echoed only as far as it can be a name: the rest of a long or odd one is the client's own.
    parameter: parameter.slice(0, 100),
  };
}
