// Materialised views on PostgreSQL 12 and later: refreshed under a lock, in one transaction with the note of what they contain.
import type { Clock } from '../contract/clock.js';
import type { Ask } from '../contract/outbox.js';
import type { Attempt, Refreshed, RefreshParts, ViewDatabase, ViewName } from './database.js';
import { viewsTable } from './migrations.js';

/** One connection, for as long as a refresh takes. */
export interface ViewConnection {
  readonly ask: Ask;
  release(): Promise<void>;
  /** Breaks it, so that what waits for an answer on it ends. */
  cut(): void;
}

export interface PostgresViewsParts {
  /** Outside transactions, on the primary. */
  readonly ask: Ask;
  readonly open: () => ViewConnection;
  readonly namespace: string;
  readonly schema: string | undefined;
  readonly clock: Clock;
}

type Row = Readonly<Record<string, unknown>>;

/** While a lock is waited for, whoever wants to read the view waits, too. */
const LOCK_WAIT_MS = 5000;
/** How much later than the database this side gives up, ms. */
const ANSWER_MS = 5000;

const COLUMNS = `name, epoch, seq, (extract(epoch FROM as_of) * 1000)::float8 AS as_of_ms, refreshes, told`;

/** What CONCURRENTLY asks for: rows, and a unique index over plain columns of all of them. */
const CONCURRENTLY = `c.relispopulated AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid JOIN pg_catalog.pg_am a ON a.oid = k.relam
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
  AND a.amname = 'btree' AND 0 <> ALL (i.indkey))`;

export class PostgresViews implements ViewDatabase {
  readonly #table: string;
  readonly #open = new Set<ViewConnection>();

  constructor(private readonly parts: PostgresViewsParts) {
    this.#table = viewsTable(parts.schema);
  }

  async find(relation: string): Promise<'materialised' | 'plain' | 'absent'> {
    const sql = 'SELECT relkind::text AS kind FROM pg_catalog.pg_class WHERE oid = to_regclass($1)';
    const [row] = rowsOf(await this.parts.ask(sql, [relation]));
    if (row === undefined) return 'absent';
    return row['kind'] === 'm' ? 'materialised' : 'plain';
  }

  async isInstalled(): Promise<boolean> {
    const [row] = rowsOf(await this.parts.ask('SELECT to_regclass($1) IS NOT NULL AS there', [this.#table]));
    return row?.['there'] === true;
  }

  async read(): Promise<ReadonlyMap<string, Refreshed>> {
    const { ask, namespace } = this.parts;
    const rows = rowsOf(await ask(`SELECT ${COLUMNS} FROM ${this.#table} WHERE namespace = $1`, [namespace]));
    return new Map(rows.map((row) => [String(row['name']), stateOf(row)]));
  }

  async refresh(view: ViewName, parts: RefreshParts): Promise<Attempt> {
    const connection = this.parts.open();
    this.#open.add(connection);
    const late = this.parts.clock.after(parts.timeoutMs + ANSWER_MS, () => connection.cut());
    try {
      return await this.#inTransaction(connection, view, parts);
    } finally {
      late.cancel();
      this.#open.delete(connection);
      await connection.release();
    }
  }

  async told(name: string, number: number): Promise<void> {
    const sql = `UPDATE ${this.#table} SET told = true WHERE namespace = $1 AND name = $2 AND refreshes = $3`;
    await this.parts.ask(sql, [this.parts.namespace, name, number]);
  }

  async moveOn(name: string, number: number, { epoch, seq }: Refreshed['position']): Promise<void> {
    const sql =
      `UPDATE ${this.#table} SET seq = $5 WHERE namespace = $1 AND name = $2 AND refreshes = $3` +
      ` AND epoch = $4 AND seq < $5`;
    await this.parts.ask(sql, [this.parts.namespace, name, number, epoch, seq]);
  }

  abort(): void {
    for (const connection of this.#open) connection.cut();
  }

  async #inTransaction(connection: ViewConnection, view: ViewName, parts: RefreshParts): Promise<Attempt> {
    const { ask, cut } = connection;
    // Each statement sees what is committed when it begins: the lock is taken before anything is read.
    await ask('BEGIN ISOLATION LEVEL READ COMMITTED');
    try {
      const attempt = await this.#attempt(ask, view, parts);
      await ask(attempt.outcome === 'done' ? 'COMMIT' : 'ROLLBACK');
      return attempt;
    } catch (error) {
      // The pool must not get it back inside a transaction.
      await ask('ROLLBACK').catch(() => cut());
      throw error;
    }
  }

  async #attempt(
    ask: Ask,
    { name, relation }: ViewName,
    { position: capture, isCurrent, timeoutMs }: RefreshParts,
  ): Promise<Attempt> {
    // Of the transaction, so that it ends with it whatever happens, and passes poolers that lend connections by transaction.
    const lock = `SELECT pg_try_advisory_xact_lock(hashtextextended('report_cache_view ' || to_regclass($1)::oid, 0)) AS mine`;
    const [taken] = rowsOf(await ask(lock, [relation]));
    if (taken?.['mine'] === null) throw new Error('The view is gone.');
    if (taken?.['mine'] !== true) return { outcome: 'busy' };
    const { namespace } = this.parts;
    const found = `SELECT ${COLUMNS} FROM ${this.#table} WHERE namespace = $1 AND name = $2`;
    const [before] = rowsOf(await ask(found, [namespace, name]));
    const state = before && stateOf(before);
    if (state !== undefined && (await isCurrent(state))) return { outcome: 'current', state };
    const position = await capture();
    const looked = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms, ${CONCURRENTLY} AS concurrently
  FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)`;
    const [now] = rowsOf(await ask(looked, [relation]));
    const concurrently = now?.['concurrently'] === true;
    const asOfMs = Number(now?.['now_ms']);
    await ask(`SET LOCAL lock_timeout = ${LOCK_WAIT_MS}`);
    await ask(`SET LOCAL statement_timeout = ${timeoutMs}`);
    await ask(`REFRESH MATERIALIZED VIEW ${concurrently ? 'CONCURRENTLY ' : ''}${relation}`);
    const noted = await ask(
      `INSERT INTO ${this.#table} AS v (namespace, name, epoch, seq, as_of, refreshes, told)` +
        ` VALUES ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), 1, false) ON CONFLICT (namespace, name) DO UPDATE` +
        ` SET epoch = $3, seq = $4, as_of = EXCLUDED.as_of, refreshes = v.refreshes + 1, told = false RETURNING ${COLUMNS}`,
      [namespace, name, position.epoch, position.seq, asOfMs],
    );
    return { outcome: 'done', concurrently, state: stateOf(rowsOf(noted)[0] ?? {}) };
  }
}

function rowsOf(answer: unknown): readonly Row[] {
  return Array.isArray(answer) ? (answer as readonly Row[]) : [];
}

function stateOf(row: Row): Refreshed {
  return {
    position: { epoch: String(row['epoch']), seq: Number(row['seq']) },
    asOf: new Date(Math.floor(Number(row['as_of_ms']))),
    number: Number(row['refreshes']),
    told: row['told'] === true,
  };
}
