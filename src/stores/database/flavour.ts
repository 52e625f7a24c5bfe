// What differs between the databases that can keep entries.
import type { Ask } from '../../contract/outbox.js';
import type { Row, SqlDialect } from '../../sql/dialect.js';

/** The tables' names in SQL. */
export interface Tables {
  readonly entry: string;
  readonly tag: string;
  readonly position: string;
}

/** One invalidation, as all flavours are told it. */
export interface Bump {
  readonly namespace: string;
  /** JSON list of the tags to write, each once. */
  readonly tags: string;
  /** Everything is invalidated: the floor rises. */
  readonly everything: boolean;
  /** Wall clock, ms. */
  readonly now: number;
  /** SQL of {@link Flavour.incarnation}. */
  readonly incarnation: string;
}

export interface Flavour {
  readonly sql: SqlDialect;
  /**
   * SQL of a text that is another one whenever the database may have lost commits: positions captured before that say
   * nothing of what came after.
   */
  incarnation(ask: Ask): Promise<string>;
  /** SQL of a table `j (tag)` of a JSON list of texts. */
  listed(json: string): string;
  /** SQL of a table `j (tag, as_of)` of a JSON list of pairs. */
  pairs(json: string): string;
  /** SQL of whether `part` occurs in `text`. */
  contains(text: string, part: string): string;
  /** SQL of one text after another. */
  concat(...parts: string[]): string;
  /** What makes an INSERT replace the row of the same key. */
  replacing(columns: readonly string[]): string;
  /** SQL that makes an INSERT of a row that exists already do nothing. */
  readonly unlessExists: string;
  /**
   * Gives the next number to the tags. Nobody is told of a position before the tags that it counts are visible: whoever
   * has captured it would take an older value that was mixed in for one as old as the position.
   * @returns epoch, seq and incarnation of what has been reached; undefined: the namespace has no position yet.
   */
  bump(ask: Ask, tables: Tables, bump: Bump): Promise<Row | undefined>;
}
