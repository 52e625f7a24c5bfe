// SQL as PostgreSQL 12 and later speaks it.
import type { Dialect, Outcome, Row } from './dialect.js';

/**
 * When this server was started, to the microsecond: no two servers have it in common, and a restored or promoted one
 * has another than what it was made from. Formatted here, because the session's time zone would otherwise stand in it.
 * The system identifier is left out: not every role may read it, and processes that call one server by two names would
 * take it from each other for ever.
 */
const STARTED = `to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')`;
/** Asked of the WAL itself: the control file learns of a promotion only at the next checkpoint. */
const TIMELINE = `CASE WHEN pg_is_in_recovery() THEN 'recovery' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END`;
/**
 * Read while the statement runs, so after its snapshot was taken. The position of insertion, because a commit that does
 * not wait for its WAL (synchronous_commit = off) is visible before that is written.
 */
const LSN = `CASE WHEN pg_is_in_recovery() THEN NULL ELSE lpad(to_hex((pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint), 16, '0') END`;

export const postgres: Dialect & { readonly name: 'postgres' } = {
  name: 'postgres',
  quote: (identifier) => `"${identifier.replaceAll('"', '""')}"`,
  run: async (ask, sql, parameters) => outcomeOf(await ask(sql, [...parameters])),
  facts: () => Promise.resolve({ incarnation: `concat_ws('/', ${TIMELINE}, ${STARTED})`, lsn: LSN }),
  now: 'clock_timestamp()',
  msSince: (time) => `(extract(epoch FROM clock_timestamp() - ${time}) * 1000)`,
  true: 'true',
  false: 'false',
  connectionId: 'pg_backend_pid()',
  // Of PostgreSQL 12 too, where the newer names do not exist.
  transactions: `txid_snapshot_xmin(txid_current_snapshot())::text AS oldest, txid_snapshot_xmax(txid_current_snapshot())::text AS next`,
  noTransaction: '25P01',
  unlessExists: 'ON CONFLICT DO NOTHING',
  returningId: (wake) => (wake === undefined ? ' RETURNING id' : ` RETURNING id, pg_notify(${wake}, '')`),
  columns: (schema) =>
    `SELECT attname AS name FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped AND attrelid = to_regclass(${
      schema === undefined ? '$1' : `quote_ident($2) || '.' || $1`
    })`,
};

/** TypeORM answers UPDATE and DELETE with the rows and their number, everything else with the rows. */
function outcomeOf(raw: unknown): Outcome {
  const [first, second]: readonly unknown[] = Array.isArray(raw) ? raw : [];
  const counted = Array.isArray(first) && typeof second === 'number';
  const rows = (counted ? first : Array.isArray(raw) ? raw : []) as readonly Row[];
  const id = rows[0]?.['id'];
  return { rows, affected: counted ? second : rows.length, id: id === undefined ? undefined : String(id) };
}
