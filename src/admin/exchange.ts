// A request and its answer, as handlers see them: no Express in here.
import type { AdminAction, DomainEvent } from '../options/admin.js';
import type { ManagedCache } from './cache.js';

export interface AdminRequest {
  /** Parts of the path by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface AdminContext {
  readonly cache: ManagedCache;
  readonly events: Readonly<Record<string, DomainEvent>>;
  /** The document that describes all routes. */
  readonly openApi: () => unknown;
}

export type AdminHandler = (request: AdminRequest, context: AdminContext) => Promise<AdminAnswer> | AdminAnswer;

/** JSON Schema of one member, as far as it is needed here. */
export interface Field {
  readonly type: 'string' | 'integer' | 'boolean' | 'array' | 'object';
  readonly description: string;
  readonly enum?: readonly string[];
}

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{name}` stands for one part. */
  readonly path: string;
  readonly action: AdminAction;
  readonly summary: string;
  readonly query?: Readonly<Record<string, Field>>;
  readonly body?: Readonly<Record<string, Field>>;
  readonly handler: AdminHandler;
}

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

export const badRequest = (detail: string): AdminProblem => new AdminProblem(400, 'bad-request', detail);
