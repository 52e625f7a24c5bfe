// A request and its answer, as handlers see them: no Express in here.
import type { ServerResponse } from 'node:http';
import type { AdminAction, AdminList, AdminMetrics, DomainEvent } from '../options/admin.js';
import type { ManagedCache } from './cache.js';
import type { Live } from './live.js';

export { AdminProblem, badRequest, notFound } from './problem.js';

export interface AdminRequest {
  /** Parts of the path by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AdminAnswer {
  readonly status: number;
  /** Sent as JSON. */
  readonly body: unknown;
  /** Sent instead, as what `headers` say that it is. */
  readonly bytes?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Writes the answer itself, and goes on doing so. */
  readonly stream?: (res: ServerResponse) => void;
}

/** Who asks, and what of his request is no part of what he asks for. */
export interface Asking {
  readonly user: string;
  /** As the browser knows it, mount point included, without the query. */
  readonly path: string;
  readonly takesGzip: boolean;
  /** Whether he may do more than his route needs. */
  may(action: AdminAction): Promise<boolean>;
  /** Whether he may still look. */
  mayStillLook(): Promise<boolean>;
}

export interface AdminContext {
  readonly cache: ManagedCache;
  readonly asking: Asking;
  readonly live: Live;
  readonly events: Readonly<Record<string, DomainEvent>>;
  readonly lists: Readonly<Record<string, AdminList>>;
  readonly metrics: AdminMetrics | undefined;
  /** Where this request went to, for URLs without a host. */
  readonly origin: { readonly protocol: string; readonly host: string };
  /** The document that describes all routes. */
  readonly openApi: () => unknown;
}

export type AdminHandler = (request: AdminRequest, context: AdminContext) => Promise<AdminAnswer> | AdminAnswer;

/** JSON Schema of one member, as far as it is needed here. */
export interface Field {
  readonly type: 'string' | 'integer' | 'boolean' | 'array' | 'object';
  readonly description: string;
  readonly enum?: readonly string[];
  /** Of an object: its members may be any JSON. Default: texts and whole numbers. */
  readonly free?: boolean;
}

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{name}` stands for one part. */
  readonly path: string;
  readonly action: AdminAction;
  readonly summary: string;
  readonly query?: Readonly<Record<string, Field>>;
  readonly body?: Readonly<Record<string, Field>>;
  /** Media type of the answer. Default: application/json. */
  readonly produces?: string;
  readonly handler: AdminHandler;
}

/** A member that its route has declared as a text. */
export function textIn(body: AdminRequest['body'], name: string): string | undefined {
  const value = body[name] as string | number | undefined;
  return value === undefined ? undefined : String(value);
}
