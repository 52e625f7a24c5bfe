// The SELECT inside a trigger: from the rows before and after a statement to the text of its tags.
import { wholeKind } from '../../entry/tags.js';
import type { LatePlan } from './late-plan.js';
import { joined, type TablePlan } from './plan.js';
import { AFTER, BEFORE, literal, quote, type Names } from './postgres-names.js';
import { byKind, type Join, type Source } from './source.js';

/** More ids of one kind, or more rows to begin a path from, become the whole kind. */
export const MOST_IDS = 64;

export type Operation = 'insert' | 'update' | 'delete';

const TABLES: Readonly<Record<Operation, readonly string[]>> = {
  insert: [AFTER],
  update: [BEFORE, AFTER],
  delete: [BEFORE],
};

/** Rows of the transition tables with these columns, as a FROM item. */
function changed(operation: Operation, columns: readonly string[]): string {
  const list = columns.map((column) => `r.${quote(column)}`).join(', ');
  const selects = TABLES[operation].map((table) => `SELECT ${list} FROM ${table} AS r`);
  return selects.length === 1 ? (TABLES[operation][0] as string) : `(${selects.join(' UNION ALL ')})`;
}

/** `(id text, sure boolean)` of a source in the row itself. */
function direct({ column }: Source, operation: Operation): string {
  const value = `x.${quote(column)}`;
  return `SELECT ${value}::text AS id, true AS sure FROM ${changed(operation, [column])} AS x WHERE ${value} IS NOT NULL`;
}

/** An older snapshot would hide an owner that somebody else has changed meanwhile. */
const FRESH = `current_setting('transaction_isolation') LIKE 'read %'`;

/**
 * The same at the end of joins. It is not sure where a row on the way is gone, where there are too many rows to begin
 * with, or where the transaction does not see the newest rows of other tables.
 */
function followed({ joins, column }: Source, operation: Operation, names: Names): string {
  const starts = [...new Set((joins[0] as Join).on.map(([left]) => left))];
  const keys = (alias: string): string => starts.map((start) => `${alias}.${quote(start)}`).join(', ');
  const filled = starts.map((start) => `x.${quote(start)} IS NOT NULL`).join(' AND ');
  const distinct = `SELECT DISTINCT ${keys('x')} FROM ${changed(operation, starts)} AS x WHERE ${filled} LIMIT ${MOST_IDS + 1}`;
  const sure = [FRESH, `t0.report_cache_nth <= ${MOST_IDS}`];
  let from = `(SELECT ${keys('d')}, row_number() OVER () AS report_cache_nth FROM (${distinct}) AS d) AS t0`;
  for (const [i, { table, on, must }] of joins.entries()) {
    const left = on.map(([name]) => `t${i}.${quote(name)}`);
    const right = on.map(([, name]) => `t${i + 1}.${quote(name)}`);
    from += ` LEFT JOIN ${names.table(table)} AS t${i + 1} ON ${left.map((one, k) => `${one} = ${right[k]}`).join(' AND ')}`;
    if (must) sure.push(`(${right[0]} IS NOT NULL OR ${left.map((one) => `${one} IS NULL`).join(' OR ')})`);
  }
  return `SELECT t${joins.length}.${quote(column)}::text AS id, ${sure.join(' AND ')} AS sure FROM ${from}`;
}

/** A scalar subquery: the tags of one kind, separated by spaces, or NULL. Different ids never share an encoding. */
function ofKind(kind: string, sources: readonly Source[], operation: Operation, names: Names): string {
  const rows = sources.map((one) =>
    one.joins.length === 0 ? direct(one, operation) : followed(one, operation, names),
  );
  const encoded = sources.some(({ form }) => form === 'text') ? `${names.of(names.segment)}(v.id)` : 'v.id';
  return `(SELECT CASE WHEN count(*) > ${MOST_IDS} OR bool_or(i.id IS NULL) THEN ${literal(wholeKind(kind))}
      ELSE string_agg(${literal(`${kind}:`)} || i.id, ' ') END
    FROM (SELECT CASE WHEN v.sure THEN ${encoded} END AS id
      FROM (SELECT DISTINCT u.id, u.sure FROM (
        ${rows.join('\n        UNION ALL\n        ')}
      ) AS u WHERE u.id IS NOT NULL OR NOT u.sure LIMIT ${MOST_IDS + 1}) AS v) AS i)`;
}

function concatenated(fixed: string, sources: readonly Source[], operation: Operation, names: Names): string {
  const parts = [...byKind(sources)].map(([kind, rows]) => ofKind(kind, rows, operation, names));
  if (fixed !== '') parts.unshift(literal(fixed));
  return `concat_ws(' ', ${parts.join(',\n    ')})`;
}

/** Assigns the tags of one statement; NULL when it touched no row. */
export function tagsOf(plan: TablePlan, operation: Operation, names: Names): string {
  const lost = operation === 'delete' ? plan.sources.filter(({ inverse }) => inverse).map(({ kind }) => kind) : [];
  const fixed = joined(plan.tags, lost.map(wholeKind));
  const asked = fixed === '*' ? [] : plan.sources.filter(({ kind }) => !lost.includes(kind));
  const some = TABLES[operation].map((table) => `EXISTS (SELECT FROM ${table})`).join(' OR ');
  return `SELECT ${concatenated(fixed, asked, operation, names)} INTO found_tags WHERE ${some};`;
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
  const tags = concatenated(late.tags.join(' '), late.sources, 'insert', names);
  return `SELECT ${tags} INTO late_tags WHERE EXISTS (${some});`;
}
