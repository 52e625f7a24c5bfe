// What the keeper of a view asks of the database that holds it.
import type { Position } from '../contract/entry.js';

/** What a refresh left behind, in the same transaction as the rows of the view. */
export interface Refreshed {
  /** Captured before the refresh read anything. */
  readonly position: Position;
  /** Clock of the database, before the refresh read anything. */
  readonly asOf: Date;
  /** Counts the refreshes of this view. */
  readonly number: number;
  /** The reports that read the view have been invalidated since. */
  readonly told: boolean;
}

export type Attempt =
  /** Another process refreshes it at this moment. */
  | { readonly outcome: 'busy' }
  /** Another process has refreshed it since whatever had changed. */
  | { readonly outcome: 'current'; readonly state: Refreshed }
  | { readonly outcome: 'done'; readonly state: Refreshed; readonly concurrently: boolean };

export interface RefreshParts {
  /** Asked under the lock, before the refresh reads. */
  readonly position: () => Promise<Position>;
  /** Whether the view, as somebody else has left it, contains everything already. Asked under the lock. */
  readonly isCurrent: (state: Refreshed) => Promise<boolean>;
  readonly timeoutMs: number;
}

export interface ViewName {
  readonly name: string;
  /** In SQL, quoted. */
  readonly relation: string;
}

export interface ViewDatabase {
  /** `plain`: a view or a table, which is read as it is. */
  find(relation: string): Promise<'materialised' | 'plain' | 'absent'>;
  /** Whether the table of the migration is there. */
  isInstalled(): Promise<boolean>;
  /** By name; those that were never refreshed are missing. */
  read(): Promise<ReadonlyMap<string, Refreshed>>;
  /** One process at a time. Either everything of it is committed, or nothing. */
  refresh(view: ViewName, parts: RefreshParts): Promise<Attempt>;
  /** The reports that read what refresh `number` has made are invalidated. */
  told(name: string, number: number): Promise<void>;
  /** Nothing has changed up to here. Old positions are forgotten, and what refers to them counts as changed. */
  moveOn(name: string, number: number, position: Position): Promise<void>;
  /** Ends what is running; nothing of it is kept. */
  abort(): void;
}
