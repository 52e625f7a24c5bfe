// A cascade rule that fits the metadata of a DataSource.
import type { RowChange } from './cascade-rule.js';
import type { ResolvedPath } from './relation-path.js';

/** Where a rule puts what it could mean when the rows are not known. */
export interface CoarseTags {
  addWhole(kind: string): void;
  addEverything(): void;
}

interface Common {
  /** For events. */
  readonly entity: string;
  /** Adds what the rule could mean for any row. */
  coarse(bag: CoarseTags): void;
}

export type CompiledRule = Common &
  (
    | { readonly form: 'path'; readonly kind: string; readonly path: ResolvedPath }
    | {
        readonly form: 'function';
        readonly run: (row: object, change: RowChange) => unknown;
        readonly kinds: Set<string> | undefined;
      }
  );
