// Reports that are made of their key alone: what such a key says, what its report is as an answer, and who sends it where the cache did not.
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Clock } from '../contract/clock.js';
import type { LoaderRun } from '../contract/loader.js';
import { ReportCacheError } from '../contract/errors.js';
import type { Identity, Share } from '../contract/identity.js';
import type { Draft } from '../contract/reading.js';
import type { Reader } from '../contract/warming.js';
import { parseFilters, type Filters, type ParsedFilters } from '../entry/filters.js';
import { entityTagOf } from './conditional.js';
import type { Identify } from './describe.js';
import { NOBODY, writeProblem } from './problem.js';
import type { Description } from './route.js';

/** What a loader gets, see `Subject` of the options. */
export interface LoadedSubject {
  readonly report: string;
  readonly identity: Reader;
  readonly filters: ParsedFilters;
}

const JSON_TYPE = 'application/json; charset=utf-8';

/** The same bytes and the same entity-tag as of the answer to a reader. @throws ERC_VALUE */
export function draftOf(value: unknown, maxBytes: number): Draft {
  const body = bodyOf(value);
  if (body.length > maxBytes)
    throw new ReportCacheError('ERC_VALUE', `The report has ${body.length} bytes, and may have ${maxBytes}.`);
  return { body, status: 200, headers: [['Content-Type', JSON_TYPE]], etag: entityTagOf(body) };
}

/** As `res.json` has it. */
function bodyOf(value: unknown): Buffer {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined)
    throw new ReportCacheError('ERC_VALUE', `The loader returned ${typeof value}, which is no JSON.`);
  return Buffer.from(text);
}

/** What of an identity stands in the key: a loader must not make of a shared report what is one reader's own. */
export function sharedPart(identity: Reader, share: Share): Reader {
  const { user, tenant, role } = identity;
  switch (share) {
    case 'user':
      return {
        ...(user !== undefined && { user }),
        ...(tenant !== undefined && { tenant }),
        ...(role !== undefined && { role }),
      };
    case 'role':
      return { ...(tenant !== undefined && { tenant }), ...(role !== undefined && { role }) };
    case 'tenant':
      return { ...(tenant !== undefined && { tenant }) };
    case 'everyone':
      return {};
  }
}

export interface SubjectParts {
  readonly reportOf: (req: Request) => string | number | bigint;
  readonly identify: Identify;
  readonly share: Share;
  readonly filters: Filters;
}

/** @throws what the application's functions throw */
export function subjectFrom({ reportOf, identify, share, filters }: SubjectParts): (req: Request) => LoadedSubject {
  return (req) => {
    const identity = (share === 'everyone' ? undefined : identify(req)) || ({} as Partial<Identity>);
    const parsed = parseFilters(filters, req.query);
    return {
      report: String(reportOf(req)),
      identity: sharedPart(identity, share),
      filters: parsed.ok ? parsed.values : {},
    };
  };
}

export interface LoadedParts {
  readonly describe: (req: Request) => Description;
  readonly subjectOf: (req: Request) => LoadedSubject;
  readonly load: (subject: LoadedSubject, run: LoaderRun) => unknown;
  /** The computation that is under way in this asynchronous context. */
  readonly run: LoaderRun;
  /** It was made for this reader, which took so many ms. */
  readonly asked: (req: Request, key: string, computeMs: number) => void;
  readonly clock: Clock;
}

/** Stands where the handler would: behind the cache, which keeps what is sent here like every other answer. */
export function answerLoaded({ describe, subjectOf, load, run, asked, clock }: LoadedParts): RequestHandler {
  const answer = async (req: Request, res: Response): Promise<void> => {
    const described = describe(req);
    if ('refuse' in described) {
      writeProblem(res, described.refuse);
      return;
    }
    // Without an identity there is nobody whose report it could be.
    if ('bypass' in described) {
      writeProblem(res, NOBODY);
      return;
    }
    const began = clock.monotonic();
    const body = bodyOf(await load(subjectOf(req), run));
    asked(req, described.key, clock.monotonic() - began);
    if (res.headersSent || res.destroyed) return;
    res.setHeader('Content-Type', JSON_TYPE);
    res.setHeader('Content-Length', body.length);
    res.end(body);
  };
  return (req: Request, res: Response, next: NextFunction) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      next();
      return;
    }
    answer(req, res).catch(next);
  };
}
