// What the management API answers instead of success.

/** An answer other than success, as problem details (RFC 9457). */
export class AdminProblem extends Error {
  override readonly name = 'AdminProblem';
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

export const notFound = (detail: string): AdminProblem => new AdminProblem(404, 'not-found', detail);
export const badRequest = (detail: string): AdminProblem => new AdminProblem(400, 'bad-request', detail);
