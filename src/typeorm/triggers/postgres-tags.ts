// The SELECT inside a trigger: from the rows before and after a statement to the text of its tags.
import { wholeKind } from '../../entry/tags.js';
import type { LatePlan } from './late-plan.js';
import { joined, type TablePlan } from './plan.js';
import { AFTER, BEFORE, literal, quote, type Names } from './postgres-names.js';
import { byKind, type Join, type Source } from './source.js';
import type { TextForm } from './text-form.js';

/** More ids of one kind, or more rows to begin a path from, become the whole kind. */
export const MOST_IDS = 64;

export type Operation = 'insert' | 'update' | 'delete';

const TABLES: Readonly<Record<Operation, readonly string[]>> = {
  insert: [AFTER],
  update: [BEFORE, AFTER],
  delete: [BEFORE],
};

/** The different values of some columns in the changed rows, read once however many kinds begin with them. */
class Starts {
  readonly #sets = new Map<string, string>();

  constructor(private readonly operation: Operation) {}

  /**
   * The name of a set with the columns k0, k1, …; rows with a NULL among them are left out. One row more than are asked
   * for tells that there are too many.
   * @param form how a single column will be written. Text is told apart by its bytes, whatever its collation says.
   */
  of(columns: readonly string[], form?: TextForm): string {
    const text = form === 'text' ? `::text COLLATE "C"` : '';
    const values = columns.map((column, i) => `r.${quote(column)}${text} AS k${i}`).join(', ');
    const filled = columns.map((column) => `r.${quote(column)} IS NOT NULL`).join(' AND ');
    const selects = TABLES[this.operation].map((table) => `SELECT ${values} FROM ${table} AS r WHERE ${filled}`);
    // A union drops what is double by itself.
    const distinct =
      selects.length > 1 ? selects.join(' UNION ') : `${selects[0]}`.replace('SELECT', 'SELECT DISTINCT');
    const sql = `${distinct} LIMIT ${MOST_IDS + 1}`;
    const name = this.#sets.get(sql) ?? `s${this.#sets.size}`;
    this.#sets.set(sql, name);
    return name;
  }

  get with(): string {
    const all = [...this.#sets].map(([sql, name]) => `${name} AS (${sql})`);
    return all.length === 0 ? '' : `WITH ${all.join(',\n    ')} `;
  }
}

/** `(id text, sure boolean)` of a source in the row itself. */
function direct({ column, form }: Source, starts: Starts): string {
  return `SELECT s.k0::text AS id, true AS sure FROM ${starts.of([column], form)} AS s`;
}

/** An older snapshot would hide an owner that somebody else has changed meanwhile. */
const FRESH = `current_setting('transaction_isolation') LIKE 'read %'`;

/**
 * The same at the end of joins. It is not sure where a row on the way is gone, where there are too many rows to begin
 * with, or where the transaction does not see the newest rows of other tables.
 */
function followed({ joins, column, form }: Source, starts: Starts, names: Names): string {
  const first = [...new Set((joins[0] as Join).on.map(([left]) => left))];
  const keys = first.map((_, k) => `s.k${k}`).join(', ');
  const sure = [FRESH, `t0.nth <= ${MOST_IDS}`];
  let from = `(SELECT ${keys}, row_number() OVER () AS nth FROM ${starts.of(first)} AS s) AS t0`;
  for (const [i, { table, on, must }] of joins.entries()) {
    const left = on.map(([name]) => (i === 0 ? `t0.k${first.indexOf(name)}` : `t${i}.${quote(name)}`));
    const right = on.map(([, name]) => `t${i + 1}.${quote(name)}`);
    from += ` LEFT JOIN ${names.table(table)} AS t${i + 1} ON ${left.map((one, k) => `${one} = ${right[k]}`).join(' AND ')}`;
    if (must) sure.push(`(${right[0]} IS NOT NULL OR ${left.map((one) => `${one} IS NULL`).join(' OR ')})`);
  }
  const text = form === 'text' ? ` COLLATE "C"` : '';
  return `SELECT t${joins.length}.${quote(column)}::text${text} AS id, ${sure.join(' AND ')} AS sure FROM ${from}`;
}

/** A scalar subquery: the tags of one kind, separated by spaces, or NULL. Different ids never share an encoding. */
function ofKind(kind: string, sources: readonly Source[], starts: Starts, names: Names): string {
  const rows = sources.map((one) => (one.joins.length === 0 ? direct(one, starts) : followed(one, starts, names)));
  const encoded = sources.some(({ form }) => form === 'text') ? `${names.of(names.segment)}(v.id)` : 'v.id';
  return `(SELECT CASE WHEN count(*) > ${MOST_IDS} OR bool_or(i.id IS NULL) THEN ${literal(wholeKind(kind))}
      ELSE string_agg(${literal(`${kind}:`)} || i.id, ' ') END
    FROM (SELECT CASE WHEN v.sure THEN ${encoded} END AS id
      FROM (SELECT DISTINCT u.id, u.sure FROM (
        ${rows.join('\n        UNION ALL\n        ')}
      ) AS u WHERE u.id IS NOT NULL OR NOT u.sure LIMIT ${MOST_IDS + 1}) AS v) AS i)`;
}

/** Assigns tags to a variable of the function, if `condition` is met. */
function assign(
  variable: string,
  condition: string,
  fixed: string,
  sources: readonly Source[],
  operation: Operation,
  names: Names,
): string {
  const starts = new Starts(operation);
  const parts = [...byKind(sources)].map(([kind, rows]) => ofKind(kind, rows, starts, names));
  if (fixed !== '') parts.unshift(literal(fixed));
  return `${starts.with}SELECT concat_ws(' ', ${parts.join(',\n    ')}) INTO ${variable} WHERE ${condition};`;
}

/** Assigns the tags of one statement; NULL when it touched no row. */
export function tagsOf(plan: TablePlan, operation: Operation, names: Names): string {
  const lost = operation === 'delete' ? plan.sources.filter(({ inverse }) => inverse).map(({ kind }) => kind) : [];
  const fixed = joined(plan.tags, lost.map(wholeKind));
  const asked = fixed === '*' ? [] : plan.sources.filter(({ kind }) => !lost.includes(kind));
  const some = TABLES[operation].map((table) => `EXISTS (SELECT FROM ${table})`).join(' OR ');
  return assign('found_tags', some, fixed, asked, operation, names);
}

/** Assigns the tags that have to be told for some time; NULL or empty when there are none. */
export function lateTagsOf(late: LatePlan | undefined, operation: Operation, names: Names): string {
  if (!late || operation === 'delete' || (operation === 'insert' && !late.inserts)) return '';
  const watched = late.watched.map((column) => `r.${quote(column)}`).join(', ');
  const some =
    operation === 'insert'
      ? `SELECT FROM ${AFTER}`
      : `SELECT ${watched} FROM ${AFTER} AS r EXCEPT SELECT ${watched} FROM ${BEFORE} AS r`;
  // Only the new rows add something.
  return assign('late_tags', `EXISTS (${some})`, late.tags.join(' '), late.sources, 'insert', names);
}
