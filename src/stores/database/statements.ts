// The statements of persisted entries, as all flavours share them; parameter $1 is the namespace.
import type { Flavour, Tables } from './flavour.js';
import { ROW_COLUMNS } from './rows.js';

/** With more rows waiting in the outbox than this, everything counts as being invalidated. */
const MOST_WAITING = 1000;

export interface Statements {
  /** Positions and, where they are held, rows. $2: now; then names. `state`: null, `valid`, `invalidated` or `expired`. */
  lookup(names: number): string;
  /** epoch, seq, floor and incarnation, and how many of the pairs of $2 were invalidated since. */
  readonly compare: string;
  /** $2: name; then {@link ROW_COLUMNS}. */
  readonly put: string;
  /** $2: epoch. */
  readonly begin: string;
  /** Whether an entry `e` cannot be served any more, whatever the clock says. */
  readonly outdated: string;
}

/** @param outbox the outbox's name in SQL, where it is on: its rows are invalidations, too. */
export function statementsOf(
  flavour: Flavour,
  tables: Tables,
  outbox: string | undefined,
  incarnation: string,
): Statements {
  const columns = ROW_COLUMNS.join(', ');
  const places = (from: number, count: number) => Array.from({ length: count }, (_, at) => `$${from + at}`).join(', ');
  const newer = `EXISTS (SELECT 1 FROM ${flavour.listed('e.tags')} JOIN ${tables.tag} t ON t.namespace = $1 AND t.tag = j.tag WHERE t.seq > e.as_of)`;
  // More than was ever counted: a table that was restored without the others.
  const outdated = `(e.as_of < q.floor OR e.as_of > q.seq OR ${newer})`;
  const refuted = outbox === undefined ? outdated : `(${outdated} OR ${waiting(flavour, outbox)})`;
  const state = `CASE WHEN e.delete_at <= $2 THEN 'expired' WHEN ${refuted} THEN 'invalidated' ELSE 'valid' END`;
  return {
    // Bodies that nobody may see stay where they are.
    lookup: (names) =>
      `SELECT p.epoch, p.seq, (SELECT ${incarnation}) AS incarnation, e.name, e.state, e.header, e.tags, e.as_of, e.coding,` +
      ` CASE WHEN e.state = 'valid' THEN e.body END AS body FROM ${tables.position} p LEFT JOIN` +
      ` (SELECT e.namespace, e.name, e.header, e.tags, e.as_of, e.coding, e.body, ${state} AS state` +
      ` FROM ${tables.entry} e JOIN ${tables.position} q ON q.namespace = e.namespace` +
      ` WHERE e.namespace = $1 AND e.name IN (${places(3, names)})) e ON e.namespace = p.namespace WHERE p.namespace = $1`,
    compare:
      `SELECT p.epoch, p.seq, p.floor, (SELECT ${incarnation}) AS incarnation, (SELECT count(*) FROM ${flavour.pairs('$2')}` +
      ` JOIN ${tables.tag} t ON t.namespace = $1 AND t.tag = j.tag WHERE t.seq > j.as_of) AS newer` +
      ` FROM ${tables.position} p WHERE p.namespace = $1`,
    put:
      `INSERT INTO ${tables.entry} (namespace, name, ${columns}) VALUES ($1, $2, ${places(3, ROW_COLUMNS.length)})` +
      ` ${flavour.replacing(ROW_COLUMNS)}`,
    begin: `INSERT INTO ${tables.position} (namespace, epoch, seq, floor) VALUES ($1, $2, 0, 0) ${flavour.unlessExists}`,
    outdated,
  };
}

/**
 * A row of the outbox is there from the commit that it belongs to until its tags are in force here: whoever looks
 * between the two sees it, so there is no moment in which an old report could be served.
 */
function waiting(flavour: Flavour, outbox: string): string {
  const mine = `FROM ${outbox} WHERE namespace = $1 AND set_aside IS NULL LIMIT ${MOST_WAITING + 1}`;
  const spaced = (text: string) => flavour.concat("' '", text, "' '");
  const named = `EXISTS (SELECT 1 FROM ${flavour.listed('e.tags')} WHERE ${flavour.contains(spaced('o.tags'), spaced('j.tag'))})`;
  return (
    `(SELECT count(*) FROM (SELECT 1 AS one ${mine}) o) > ${MOST_WAITING}` +
    ` OR EXISTS (SELECT 1 FROM (SELECT tags ${mine}) o WHERE o.tags = '*' OR ${named})`
  );
}
