// What users may say of a materialised view, and what it comes to.
import type { EntityLike } from '../contract/entity-like.js';
import { onlyKnown, wrong } from './checks.js';
import { DEFAULTS } from './defaults.js';
import { parseDuration, type Duration } from './duration.js';

/** A materialised view, as routes and other views refer to it. */
export interface View {
  readonly name: string;
  /**
   * What to write behind FROM, quoted: the view; or the `query` in parentheses, where the database has no such view. Give it
   * an alias.
   * @throws ERC_VIEW before `connect()` has found it.
   */
  readonly relation: string;
  /**
   * As of when its rows are: every change that was committed before is in them. Ask before you read it. `undefined`: it is no
   * materialised view here, so it is read as of now; or it was never refreshed.
   */
  asOf(): Promise<Date | undefined>;
}

/** What a view is computed from: an entity, the name of a table, or another declared view. */
export type ViewSource = EntityLike<unknown> | View;

export interface ViewOptions {
  /** A committed change of one of them makes the view due for a refresh. */
  readonly sources: readonly ViewSource[];
  /** The schema that it lies in. @default that of the DataSource, else where its connections look first */
  readonly schema?: string;
  /**
   * The same as a query, for databases without materialised views (MySQL, MariaDB, SQLite): {@link View.relation}. There the
   * sources invalidate the reports themselves. @default an ordinary view of this name
   */
  readonly query?: string;
  /** A refresh begins so long after the last change. @default '1s' */
  readonly delay?: Duration;
  /** And at the latest so long after the first one that is not in it, as long as writes do not pause. @default '30s' */
  readonly maxDelay?: Duration;
  /** The longest that a refresh may take; then it has failed, and is tried again later. @default '10m' */
  readonly timeout?: Duration;
}

export interface ViewPolicy {
  readonly name: string;
  readonly sources: readonly ViewSource[];
  readonly schema: string | undefined;
  readonly query: string | undefined;
  readonly delayMs: number;
  readonly maxDelayMs: number;
  readonly timeoutMs: number;
}

const VIEW_OPTIONS = [
  'sources',
  'schema',
  'query',
  'delay',
  'maxDelay',
  'timeout',
] as const satisfies readonly (keyof ViewOptions)[];

/** As PostgreSQL has it; longer names are cut there. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** @throws ERC_OPTION */
export function parseView(name: string, options: ViewOptions): ViewPolicy {
  if (typeof name !== 'string' || !NAME.test(name)) throw wrong('view()', name, 'the name of a view');
  if (typeof options !== 'object') throw wrong(`view(${name})`, options, 'its options');
  onlyKnown(options, VIEW_OPTIONS, `view(${name}).`);
  const { sources, schema, query } = options;
  if (!Array.isArray(sources) || sources.length === 0)
    throw wrong(`view(${name}).sources`, sources, 'the entities, tables or views of which it is made');
  for (const [option, value] of Object.entries({ schema, query }))
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw wrong(`view(${name}).${option}`, value, 'a text');
  const delayMs = parseDuration(options.delay ?? DEFAULTS.viewDelay, `view(${name}).delay`);
  const maxDelayMs = parseDuration(options.maxDelay ?? DEFAULTS.viewMaxDelay, `view(${name}).maxDelay`);
  if (maxDelayMs < delayMs)
    throw wrong(`view(${name}).maxDelay`, options.maxDelay, 'a duration that is no shorter than `delay`');
  const timeoutMs = parseDuration(options.timeout ?? DEFAULTS.viewTimeout, `view(${name}).timeout`);
  // No time at all means no limit to PostgreSQL.
  if (timeoutMs === 0) throw wrong(`view(${name}).timeout`, options.timeout, 'a duration above 0');
  return { name, sources, schema, query, delayMs, maxDelayMs, timeoutMs };
}
