// Invalidations kept in the application's own database, in the transactions that cause them, until Redis has them.

/** A `query()` of TypeORM: of a runner, inside its transaction, or of a DataSource. */
export type Ask = (sql: string, parameters?: unknown[]) => Promise<unknown>;

/**
 * Several statements without parameters in one round trip, on the connection of the writer.
 * @returns the rows that the last one gave back.
 */
export type AskAtOnce = (statements: readonly string[]) => Promise<readonly unknown[]>;

export interface OutboxRow {
  readonly id: string;
  /** Undefined: unreadable. */
  readonly tags: readonly string[] | undefined;
  /** Written before a statement outside transactions, which may still be running: its tags are invalidated again and again while it is young. */
  readonly intent: boolean;
  /**
   * An intent of another sort: it gives new ends to paths, and is needed until every transaction has ended that may have
   * followed those paths before it was committed.
   */
  readonly late?: boolean;
  /** By the clock of the database, ms. */
  readonly ageMs: number;
}

/** Which history in Redis the database takes for the true one. */
export interface OutboxState {
  readonly generation: number;
  readonly epoch: string;
  /** The highest sequence number that a sweep has seen under this epoch. */
  readonly seq: number;
  /** The database that wrote this; another one may have lost commits that are cached. */
  readonly incarnation: string;
  /** Since the last sweep under this epoch, by the clock of the database, ms. */
  readonly silentMs: number;
}

export interface Scan {
  readonly state: OutboxState;
  /** What {@link OutboxState.incarnation} would be now. */
  readonly incarnation: string;
  /** The oldest rows, at most as many as asked for. */
  readonly rows: readonly OutboxRow[];
  /** All rows that wait. */
  readonly count: number;
  /** Transactions of the database: the oldest that is open, and the next to come. Undefined where it does not number them. */
  readonly transactions?: { readonly oldest: bigint; readonly next: bigint };
  /** WAL position that shows all of `rows`, 16 hex digits; undefined where the database has none. */
  readonly lsn: string | undefined;
}

/** How the sweeper of a process stands. */
export interface OutboxHealth {
  /** `adopting`: not known yet, or between two epochs. `fenced`: the database follows another Redis. */
  readonly adoption: 'adopted' | 'adopting' | 'fenced';
  /** Wall clock, ms, of the last sweep that was complete. */
  readonly lastSuccess: number | undefined;
  /** Age of the watermark as far as this process knows, ms. */
  readonly watermarkAgeMs: number | undefined;
  /** Rows that the last scan found waiting. */
  readonly waiting: number;
  /** Age of the oldest of them then, ms. */
  readonly oldestMs: number;
  /** Unreadable rows that this process has set aside. */
  readonly poison: number;
  /** Failures since the last sweep that did not fail. */
  readonly failures: number;
}

/** The statements of the sweeper; all go to the primary. */
export interface OutboxDatabase {
  /** A plain SELECT in the order of ids: a row that was skipped or overtaken would make the watermark a lie. */
  scan(limit: number): Promise<Scan>;
  /** Deletes rows, only while `epoch` is the true one. @returns how many. */
  remove(ids: readonly string[], epoch: string): Promise<number>;
  /** Notes a sweep. @returns false if `epoch` is not the true one any more. */
  swept(epoch: string, seq: number): Promise<boolean>;
  /**
   * Takes `epoch` for the true one from here on, if the state is still what was `seen`.
   * @returns false if somebody else was faster.
   */
  adopt(seen: OutboxState, next: { generation: number; epoch: string; incarnation: string }): Promise<boolean>;
  /** Takes rows that nobody can read out of the way and keeps them to be looked at. */
  setAside(ids: readonly string[], why: string): Promise<void>;
  /** Puts one row that means everything in the place of all. @returns how many it replaced. */
  collapse(): Promise<number>;
}

/** The statements of the writers. */
export interface OutboxWriter {
  /** Inserts a row in the caller's transaction. @param atOnce where the driver can. @returns its id. */
  write(ask: Ask, tags: readonly string[], atOnce?: AskAtOnce): Promise<string>;
  /** Inserts a row of its own before a statement outside transactions. @returns its id. */
  intend(ask: Ask, tags: readonly string[], atOnce?: AskAtOnce): Promise<string>;
  /** Rows that triggers wrote for what this connection has committed. */
  byTriggers(ask: Ask): Promise<{ readonly ids: readonly string[]; readonly tags: readonly string[] }>;
  /** Their tags are in force under `epoch`: deletes them in the background, many at once. */
  told(ids: readonly string[], epoch: string): void;
  /** The same at once; without rows it only asks. @returns false if `epoch` is not the true one any more. */
  toldNow(ask: Ask, ids: readonly string[], epoch: string): Promise<boolean>;
  /** The statements that these rows announced are done, and not in force yet: the next sweep drains them like any other. */
  executed(ids: readonly string[]): void;
  /** Nothing was written after all: deletes them in the background. */
  withdraw(ids: readonly string[]): void;
  /** Somebody has deleted it, so its tags are in force. @param ask the writer's own: he holds a connection, and there may be no other. */
  isGone(ask: Ask, id: string): Promise<boolean>;
}
