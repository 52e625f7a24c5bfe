// What users may say of the management API.
import type { Request } from 'express';
import { tag } from '../entry/tags.js';
import { onlyKnown, wrong } from './checks.js';

/** Each {@link AdminAction}. */
export const ADMIN_ACTIONS = ['read', 'warm', 'invalidate', 'clear'] as const;

/**
 * What somebody wants to do: look (`read`), have reports made ready (`warm`) or invalidated (`invalidate`), or change what all of
 * them see: everything invalidated, counters reset, expired rows deleted (`clear`).
 */
export type AdminAction = (typeof ADMIN_ACTIONS)[number];

/** Something that has happened in the application, as an operator may tell of it: facts to tags. */
export type DomainEvent = (facts: Readonly<Record<string, string | number>>) => readonly string[];

/** A list of the application, shown beside the cache: results, lessons, whatever operators look up. */
export interface AdminList {
  readonly title: string;
  /** Members of an item that are worth a column, in order. */
  readonly columns: readonly string[];
  /** What somebody has to be allowed to do to see it, beside `read`; for lists that tell more of people than the cache does. @default 'read' */
  readonly action?: AdminAction;
  /**
   * Up to `limit` items (200 at most), from the beginning or behind `after`, the `next` of the page before. What it throws goes
   * to Express.
   */
  page(asked: { readonly limit: number; readonly after?: string }): ListPage | Promise<ListPage>;
  /** One of them; undefined: there is none. Absent: items have no page of their own. */
  item?(id: string): object | undefined | Promise<object | undefined>;
}

export interface ListPage {
  /** As they are to be shown, JSON. */
  readonly items: readonly object[];
  /** Absent: there are no more. */
  readonly next?: string;
}

/** prom-client's `register` is one. */
export interface AdminMetrics {
  metrics(): string | Promise<string>;
  readonly contentType: string;
}

export interface AdminOptions {
  /**
   * Whether this request may do that; `true` and nothing else means yes. Asked for every request, after `identify` has said who
   * it is. What it throws means no, and is logged.
   */
  readonly authorize: (req: Request, action: AdminAction) => boolean | Promise<boolean>;
  /**
   * What `POST /invalidate` may name as an `event`, with the tags that it comes to:
   * `{ grade_updated: ({ student }) => [tag('student', student)] }`. What one throws is a bad request.
   */
  readonly events?: Readonly<Record<string, DomainEvent>>;
  /** What `GET /metrics` answers: `metrics: client.register` of prom-client. @default none; 404 */
  readonly metrics?: AdminMetrics;
  /** What `GET /lists` offers, by name: letters, digits, `-`, `_`. @default none */
  readonly lists?: Readonly<Record<string, AdminList>>;
}

/** @throws ERC_OPTION */
export function parseAdmin(options: AdminOptions): AdminOptions {
  if (typeof options !== 'object' || options === null || typeof options.authorize !== 'function')
    throw wrong(
      'admin().authorize',
      (options as AdminOptions | undefined)?.authorize,
      'a function: (req, action) => boolean',
    );
  onlyKnown(options, ['authorize', 'events', 'metrics', 'lists'], 'admin().');
  for (const [name, event] of Object.entries(options.events ?? {})) {
    tag(name, 'x');
    if (typeof event !== 'function') throw wrong(`admin().events.${name}`, event, 'a function of facts');
  }
  const { metrics, lists = {} } = options;
  if (metrics !== undefined && (typeof metrics?.metrics !== 'function' || typeof metrics.contentType !== 'string'))
    throw wrong('admin().metrics', typeof metrics, 'metrics() and contentType, such as the register of prom-client');
  for (const [name, list] of Object.entries(lists)) checkList(name, list);
  return options;
}

function checkList(name: string, list: AdminList): void {
  tag(name, 'x');
  const { title, columns, action = 'read', page, item } = list ?? {};
  const isList =
    typeof title === 'string' &&
    typeof action === 'string' &&
    Array.isArray(columns) &&
    columns.every((column) => typeof column === 'string') &&
    typeof page === 'function' &&
    (item === undefined || typeof item === 'function');
  if (!isList) throw wrong(`admin().lists.${name}`, typeof list, 'a title, columns, page() and perhaps item()');
}
