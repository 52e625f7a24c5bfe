// Errors as RFC 9457 problem details: thrown anywhere, answered in one place.
import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';

/** An answer other than success that the caller can understand and act on. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly status: number,
    detail: string,
    /** Further members of the problem body, e.g. the field that is wrong. */
    readonly members: Readonly<Record<string, unknown>> = {},
    /** E.g. Retry-After. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
  }
}

export const notFound = (what: string): Problem => new Problem(404, `There is no ${what}.`);
export const forbidden = (detail: string): Problem => new Problem(403, detail);
/** Well-formed JSON that says something impossible; `field` names the culprit. */
export const invalid = (field: string, detail: string): Problem => new Problem(422, detail, { field });

function send(res: Response, problem: Problem): void {
  if (problem.status === 401) res.set('WWW-Authenticate', 'Bearer realm="reports"');
  res
    .status(problem.status)
    .set({ ...problem.headers, 'Cache-Control': 'no-store' })
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: 'about:blank',
        title: STATUS_CODES[problem.status] ?? 'Error',
        status: problem.status,
        detail: problem.message,
        ...problem.members,
      }),
    );
}

export const unknownRoute: RequestHandler = (req) => {
  throw new Problem(404, `There is nothing at ${req.method} ${req.path}.`);
};

const BODY_FAILURES: Readonly<Record<string, string>> = {
  'entity.parse.failed': 'The body is not valid JSON.',
  'entity.too.large': 'The body is too large.',
  'encoding.unsupported': 'The content encoding is not supported.',
  'charset.unsupported': 'The charset is not supported.',
};

/** Turns what Express and its body parser throw into problems; undefined means it is a fault of this server. */
function fromFramework(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (!(error instanceof Error)) return undefined;
  const { status, type } = error as Error & { status?: unknown; type?: unknown };
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined;
  const known = typeof type === 'string' ? BODY_FAILURES[type] : undefined;
  return new Problem(status, known ?? 'The request cannot be understood.');
}

export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    if (res.headersSent) {
      next(error);
      return;
    }
    const problem = fromFramework(error);
    if (problem === undefined) logger.error({ err: error, method: req.method, path: req.path }, 'request failed');
    send(res, problem ?? new Problem(500, 'The server could not answer this request.'));
  };
}
