// What a request means to the cache: its key, owner and tags, or why it has none.
import type { Request } from 'express';
import type { Identity, Share } from '../contract/identity.js';
import { parseFilters, type ParsedFilters } from '../entry/filters.js';
import { hashOf, identitySegment, keyOf } from '../entry/key.js';
import { tag } from '../entry/tags.js';
import type { RouteOptions } from '../options/options.js';
import type { RoutePolicy } from '../options/parse.js';
import { QueryMemo } from './query-memo.js';
import type { Description, ProblemDetails } from './route.js';

export type Identify = (req: Request) => Identity | null | undefined | false | '' | 0;

/**
 * Builds the function that reads a request of one route. It throws only if the application's own functions do.
 * @param scope what stands for the path in the key, where the report is made of what the key says and of nothing else
 */
export function describeRoute(
  type: string,
  options: Pick<RouteOptions, 'report' | 'tags'>,
  policy: RoutePolicy,
  identify: Identify,
  scope?: string,
): (req: Request) => Description {
  const reportOf = options.report ?? pathOf;
  const tagsOf = options.tags ?? (() => []);
  const { share, tableTags } = policy;
  // Holds what leads to a key only: refusals and bypasses are rare, and a client must not push the others out with them.
  const memo = new QueryMemo();

  return (req) => {
    const who = policy.share === 'everyone' ? undefined : identify(req);
    const identity = identitySegment(who, policy.share);
    if (identity === undefined) return nobody(who);
    const url = inFull(req, req.originalUrl);
    let hash = memo.get(url, req);
    if (hash === undefined) {
      const parsed = parseFilters(policy.filters, req.query);
      if (!parsed.ok) {
        const detail = `${parsed.parameter} is not ${parsed.expected}.`;
        if (policy.invalidParameters === 'bypass') return { bypass: 'filter-value', detail: parsed.parameter };
        return { refuse: problem('invalid-parameter', detail, parsed.parameter), reason: 'filter-value' };
      }
      const stranger = parsed.unknown[0] ?? unread(req);
      if (stranger !== undefined && policy.unknownParameters !== 'ignore') {
        if (policy.unknownParameters === 'bypass') return { bypass: 'unknown-parameter' };
        return {
          refuse: problem('unknown-parameter', `There is no parameter ${stranger}.`, stranger),
          reason: 'unknown-parameter',
        };
      }
      hash = hashOf({ type, filters: parsed.values satisfies ParsedFilters, scope: scope ?? inFull(req, pathOf(req)) });
      memo.set(url, req, hash);
    }
    const report = reportOf(req);
    return {
      key: keyOf(report, identity, hash),
      owner: identity,
      tags: () => reportTags({ type, tableTags, report, who: who || undefined, share }, tagsOf(req)),
    };
  };
}

export interface Tagged {
  readonly type: string;
  readonly tableTags: readonly string[];
  readonly report: string | number | bigint;
  readonly who: Partial<Identity> | undefined;
  readonly share: Share;
}

/** What every entry of a report carries, whoever makes it, and what it is about. */
export function reportTags({ type, tableTags, report, who, share }: Tagged, about: readonly string[]): string[] {
  return [tag('type', type), ...tableTags, tag('report', report), ...viewerTags(who, share), ...about];
}

/** The viewer and his tenant are tags of his entries, so that everything of one user goes in one step. */
export function viewerTags(who: Partial<Identity> | undefined, share: Share): string[] {
  if (who === undefined || share === 'everyone') return [];
  // A shared entry is nobody's in particular: whoever happened to compute it does not matter.
  const tags: string[] = share === 'user' && who.user !== undefined ? [tag('viewer', who.user)] : [];
  if (who.tenant !== undefined && who.tenant !== null) tags.push(tag('tenant', who.tenant));
  return tags;
}

/** The path as the client asked for it, mount point included: two routers may share inner paths. */
export function pathOf(req: Request): string {
  const query = req.originalUrl.indexOf('?');
  return query < 0 ? req.originalUrl : req.originalUrl.slice(0, query);
}

/**
 * A path with its host, the target of the request (RFC 9111 §2): where every school has its own host, user 7 of one is
 * not user 7 of another, even if `identify` forgets the tenant, and a made-up host must not stand in the links of a
 * shared report. Neither a host nor a path can contain the separator.
 */
function inFull(req: Request, path: string): string {
  const { headers } = req;
  // What Express makes of forwarded fields depends on whom it trusts, and costs as much as the rest of this function.
  if (headers['x-forwarded-host'] !== undefined || headers['x-forwarded-proto'] !== undefined) {
    return `${req.protocol}\n${req.hostname}\n${path}`;
  }
  return `${'encrypted' in req.socket ? 'https' : 'http'}\n${withoutPort(headers.host ?? '')}\n${path}`;
}

/** As Express has it: the same application on another port is the same target. */
function withoutPort(host: string): string {
  const colon = host.indexOf(':', host.startsWith('[') ? host.indexOf(']') : 0);
  return colon < 0 ? host : host.slice(0, colon);
}

/** The query, where the application has switched its parser off: it reads the URL itself, so no part of it is known. */
function unread(req: Request): string | undefined {
  const query = req.originalUrl.slice(pathOf(req).length + 1);
  return query !== '' && req.app.get('query parser') === false ? query : undefined;
}

/** A promise identifies nobody. It may still fail, and nobody else hears of that. */
function nobody(who: unknown): Description {
  if (!(who instanceof Promise)) return { bypass: 'no-identity' };
  who.catch(() => undefined);
  return { bypass: 'no-identity', detail: 'identify() answered with a promise.' };
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
