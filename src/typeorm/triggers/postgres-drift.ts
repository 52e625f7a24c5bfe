// One question to PostgreSQL's catalogue: which triggers are missing, different, disabled or left over.
import { createHash } from 'node:crypto';
import { SUFFIXES, treeOf, type Definition, type TableTriggers } from './postgres.js';
import { literal, type Names } from './postgres-names.js';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** `(name, mark, body)` of the functions as they have to be. */
function definitions(all: readonly Definition[]): string {
  const rows = all.map(({ name, mark, body }) => `(${literal(name)}, ${literal(mark)}, ${literal(md5(body))})`);
  return `SELECT * FROM (VALUES ${rows.join(', ')}) AS d(fn, mark, body)`;
}

/**
 * The comment tells from which definition a function was made, its body that nobody has edited it since. A trigger of
 * a partition that was added later is missing like any other.
 */
export function driftQuery(tables: readonly TableTriggers[], segment: Definition, names: Names): string {
  const wanted = tables.map(
    ({ table, definition }) => `(to_regclass(${literal(table)})::oid, ${literal(definition.name)}, ${literal(table)})`,
  );
  const listed =
    wanted.length === 0
      ? 'SELECT NULL::oid AS rel, NULL::text AS fn, NULL::text AS place WHERE false'
      : `SELECT * FROM (VALUES ${wanted.join(', ')}) AS w(rel, fn, place)`;
  const suffixes = SUFFIXES.map((suffix) => `(${literal(suffix)})`).join(', ');
  const mark = `obj_description(p.oid, 'pg_proc')`;
  return `${treeOf(`SELECT l.rel, l.fn FROM (${listed}) AS l WHERE l.rel IS NOT NULL`)},
  definitions AS (${definitions([segment, ...tables.map(({ definition }) => definition)])}),
  functions AS (
    SELECT p.oid, p.proname::text AS name, p.proowner AS owner,
      d.fn IS NOT NULL AND ${mark} IS NOT DISTINCT FROM d.mark AND md5(p.prosrc) = d.body AS same
    FROM pg_catalog.pg_proc AS p LEFT JOIN definitions AS d ON d.fn = p.proname
    WHERE starts_with(p.proname, ${literal(names.prefix)})),
  triggers AS (
    SELECT g.tgrelid AS rel, g.tgname::text AS name, g.tgenabled AS enabled, f.name AS fn, f.same,
      has_table_privilege(f.owner, to_regclass(${literal(names.outbox)})::oid, 'INSERT') AS able
    FROM pg_catalog.pg_trigger AS g JOIN functions AS f ON f.oid = g.tgfoid)
  SELECT t.rel::regclass::text AS "table", CASE
      WHEN g.name IS NULL THEN 'missing' WHEN NOT g.same OR g.fn <> t.fn THEN 'different'
      WHEN g.enabled <> 'A' OR NOT coalesce(g.able, true) THEN 'disabled' END AS problem
    FROM tree AS t CROSS JOIN (VALUES ${suffixes}) AS s(suffix)
    LEFT JOIN triggers AS g ON g.rel = t.rel AND g.name = t.fn || '_' || s.suffix
  UNION ALL SELECT l.place, 'missing' FROM (${listed}) AS l WHERE l.rel IS NULL
  UNION ALL SELECT g.rel::regclass::text, 'left over' FROM triggers AS g
    WHERE NOT EXISTS (SELECT FROM tree AS t WHERE t.rel = g.rel AND t.fn = g.fn)
  UNION ALL SELECT ${literal(names.of(segment.name))}, CASE WHEN bool_and(f.same) IS NULL THEN 'missing' ELSE 'different' END
    FROM functions AS f WHERE f.name = ${literal(segment.name)} HAVING bool_and(f.same) IS NOT TRUE
  UNION ALL SELECT ${literal(names.outbox)}, 'missing' WHERE to_regclass(${literal(names.outbox)}) IS NULL`;
}
