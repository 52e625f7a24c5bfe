// What users may say of the management API.
import type { Request } from 'express';
import { tag } from '../entry/tags.js';
import { onlyKnown, wrong } from './checks.js';

/**
 * What somebody wants to do: look (`read`), have reports invalidated (`invalidate`), or change what all of them see: everything
 * invalidated, counters reset, expired rows deleted (`clear`).
 */
export type AdminAction = 'read' | 'invalidate' | 'clear';

/** Something that has happened in the application, as an operator may tell of it: facts to tags. */
export type DomainEvent = (facts: Readonly<Record<string, string | number>>) => readonly string[];

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
}

/** @throws ERC_OPTION */
export function parseAdmin(options: AdminOptions): AdminOptions {
  if (typeof options !== 'object' || options === null || typeof options.authorize !== 'function')
    throw wrong(
      'admin().authorize',
      (options as AdminOptions | undefined)?.authorize,
      'a function: (req, action) => boolean',
    );
  onlyKnown(options, ['authorize', 'events'], 'admin().');
  for (const [name, event] of Object.entries(options.events ?? {})) {
    tag(name, 'x');
    if (typeof event !== 'function') throw wrong(`admin().events.${name}`, event, 'a function of facts');
  }
  return options;
}
