// Names of the things that are made in PostgreSQL, and how names and texts are written into its SQL.
import { createHash } from 'node:crypto';
import type { DriverLike, EntityMetadataLike } from '../typeorm-like.js';

export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
export const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

/** Transition tables. */
export const BEFORE = 'report_cache_before';
export const AFTER = 'report_cache_after';

/** Changes when triggers are made differently, so that they get new names and the old ones are found left over. */
const SHAPE = 'triggers 1';

export class Names {
  /** Where everything of the cache lies; quoted. */
  readonly home: string;
  readonly outbox: string;
  /** Begins the names of all functions and triggers of the namespace. */
  readonly prefix: string;
  readonly segment: string;

  constructor(
    private readonly driver: DriverLike,
    readonly namespace: string,
  ) {
    this.home = quote(driver.schema ?? this.#unqualified);
    this.outbox = `${this.home}.${quote('report_cache_outbox')}`;
    this.prefix = `report_cache_${digest(`${this.home} ${namespace}`, 8)}_`;
    this.segment = `${this.prefix}segment`;
  }

  /** Where a name without a schema leads. */
  get #unqualified(): string {
    return this.driver.searchSchema ?? this.driver.schema ?? 'public';
  }

  table(metadata: EntityMetadataLike): string {
    return `${quote(metadata.schema ?? this.#unqualified)}.${quote(metadata.tableName)}`;
  }

  /** Readable as far as 63 bytes allow; its triggers are called the same and `_insert` and so on. */
  functionOf(metadata: EntityMetadataLike): string {
    const readable = metadata.tableName.replace(/[^A-Za-z0-9]+/g, '_').toLowerCase();
    return `${this.prefix}${readable.slice(0, 20)}_${digest(`${SHAPE} ${this.table(metadata)}`, 8)}`;
  }

  /** Qualified. */
  of(name: string): string {
    return `${this.home}.${quote(name)}`;
  }
}
