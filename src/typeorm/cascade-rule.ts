// Cascade rules as the host writes them: what a change of a row means for reports.
import type { EntityLike } from '../contract/entity-like.js';
import { ReportCacheError } from '../contract/errors.js';
import type { Tag } from '../entry/tags.js';
import type { RelationPath } from './relation-path.js';

export type { EntityLike };

/**
 * Kind of tag → path or paths from the changed row to the ids that are concerned, e.g.
 * `{ student: 'student.id', parent: 'student.parents', class: 'classId' }`. A path ends at a column, or at a relation
 * and then means the primary key of what it leads to.
 */
export type CascadePaths<E> = { readonly [kind: string]: RelationPath<E> | readonly RelationPath<E>[] };

/** What happened to the row. `link` and `unlink`: a many-to-many relation of it gained or lost a row. */
export type ChangeKind = 'insert' | 'update' | 'remove' | 'softRemove' | 'recover' | 'link' | 'unlink';

export interface RowChange {
  readonly kind: ChangeKind;
  /** Which state of the row the rule is looking at; a rule is called once for each known state. */
  readonly version: 'old' | 'new';
}

type Defined<T> = { [K in keyof T]?: T[K] | undefined };
/** The row as far as it is known. Reading a column that is not known makes the plugin load the row and call again. */
export type PartialRow<E> = Defined<E>;

/** Names the tags that a change of `row` invalidates. Synchronous; must not depend on anything but its arguments. */
export type CascadeFunction<E> = (row: PartialRow<E>, change: RowChange) => Iterable<Tag>;

export interface CascadeOptions {
  /**
   * Every kind that the function can produce. Without it a write whose rows are unknown (criteria, raw SQL) has to
   * invalidate everything.
   */
  readonly kinds?: readonly string[];
}

export type Rule =
  | { readonly form: 'path'; readonly entity: EntityLike<unknown>; readonly kind: string; readonly path: string }
  | {
      readonly form: 'function';
      readonly entity: EntityLike<unknown>;
      readonly run: (row: object, change: RowChange) => unknown;
      /** Grows when the function is seen to produce another; undefined when nothing was declared. */
      readonly kinds: Set<string> | undefined;
    };

const KIND = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

function checkKind(kind: string): string {
  if (!KIND.test(kind)) throw new ReportCacheError('ERC_CASCADE', `"${kind}" is not a kind of tag.`);
  return kind;
}

/** Checks the shape of what the host gave and cuts it into single rules. */
export function parseRules(entity: EntityLike<unknown>, rule: unknown, options: CascadeOptions | undefined): Rule[] {
  const known =
    typeof entity === 'function' ||
    typeof entity === 'string' ||
    (typeof entity === 'object' && entity !== null && typeof entity.options?.name === 'string');
  if (!known) throw new ReportCacheError('ERC_CASCADE', 'The entity is neither a class, a name nor a schema.');
  if (typeof rule === 'function') {
    const kinds = options?.kinds && new Set(options.kinds.map(checkKind));
    return [{ form: 'function', entity, run: (row, change) => Reflect.apply(rule, undefined, [row, change]), kinds }];
  }
  if (typeof rule !== 'object' || rule === null)
    throw new ReportCacheError('ERC_CASCADE', 'A rule is an object of paths, or a function.');
  return Object.entries(rule).flatMap(([kind, given]: [string, unknown]) =>
    (Array.isArray(given) ? given : [given]).map((path: unknown): Rule => {
      if (typeof path !== 'string' || path === '')
        throw new ReportCacheError('ERC_CASCADE', `The path for "${kind}" is not a path.`);
      return { form: 'path', entity, kind: checkKind(kind), path };
    }),
  );
}

export function entityName(entity: EntityLike<unknown>): string {
  return typeof entity === 'string' ? entity : typeof entity === 'function' ? entity.name : entity.options.name;
}
