// PostgreSQL: one function per table and four statement triggers that write the tags into the outbox.
import type { TablePlan } from './plan.js';
import { AFTER, BEFORE, digest, literal, type Names } from './postgres-names.js';
import { SEGMENT_BODY } from './postgres-segment.js';
import { lateTagsOf, tagsOf, type Operation } from './postgres-tags.js';

/** One function as it has to be in the database. */
export interface Definition {
  readonly name: string;
  readonly body: string;
  /** The comment that marks this very definition. */
  readonly mark: string;
  readonly up: readonly string[];
}

/** A table with the function that its triggers, and those of its partitions, have to call. */
export interface TableTriggers {
  readonly table: string;
  readonly definition: Definition;
}

const OPERATIONS = [
  ['insert', `REFERENCING NEW TABLE AS ${AFTER}`],
  ['update', `REFERENCING OLD TABLE AS ${BEFORE} NEW TABLE AS ${AFTER}`],
  ['delete', `REFERENCING OLD TABLE AS ${BEFORE}`],
  ['truncate', ''],
] as const;

/** For the search of the catalogue: the names of a table's triggers are its function's and one of these. */
export const SUFFIXES: readonly string[] = OPERATIONS.map(([operation]) => operation);

/**
 * With more of them waiting, no further ones are written: the sweeper would come to mean everything. Under so many
 * changes of relations a path may miss an end until the next write or the ttl.
 */
const MOST_LATE = 300;

/** Never the schema of somebody who can put a function in the way. */
const SAFE_PATH = 'SET search_path = pg_catalog, pg_temp';

function define(names: Names, name: string, signature: string, rest: string, body: string): Definition {
  const create = `CREATE OR REPLACE FUNCTION ${names.of(name)}${signature} ${rest} ${SAFE_PATH} AS $report_cache$${body}$report_cache$`;
  const types = signature.slice(0, signature.indexOf(')') + 1).replace('id ', '');
  const mark = `express-report-cache ${digest(create, 16)}`;
  return {
    name,
    body,
    mark,
    up: [
      create,
      `REVOKE ALL ON FUNCTION ${names.of(name)}${types} FROM PUBLIC`,
      `COMMENT ON FUNCTION ${names.of(name)}${types} IS ${literal(mark)}`,
    ],
  };
}

export function segmentFunction(names: Names): Definition {
  return define(
    names,
    names.segment,
    '(id text) RETURNS text',
    'LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE',
    SEGMENT_BODY,
  );
}

/**
 * The tags are read in a block of their own, so that an error costs everything cached and never the write. It only
 * reads: a subtransaction that writes would take a transaction id, and more than 64 of those slow a server down.
 * Warnings name the table and the kind of error, no values.
 */
function bodyFor(plan: TablePlan, names: Names): string {
  const table = names.table(plan.metadata);
  const both = (operation: Operation): string =>
    [tagsOf(plan, operation, names), lateTagsOf(plan.late, operation, names)]
      .filter((sql) => sql !== '')
      .join('\n      ');
  const insert = `INSERT INTO ${names.outbox} (namespace, tags, intent, source) VALUES`;
  const namespace = literal(names.namespace);
  return `
DECLARE
  found_tags text;
  late_tags text;
  writable boolean := false;
BEGIN
  BEGIN
    writable := has_table_privilege(to_regclass(${literal(names.outbox)})::oid, 'INSERT');
    IF TG_OP = 'UPDATE' THEN
      ${both('update')}
    ELSIF TG_OP = 'INSERT' THEN
      ${both('insert')}
    ELSIF TG_OP = 'DELETE' THEN
      ${both('delete')}
    ELSE
      found_tags := ${literal(plan.whole.join(' '))};
    END IF;
    IF late_tags <> '' AND (SELECT count(*) >= ${MOST_LATE} FROM (SELECT FROM ${names.outbox} AS o
      WHERE o.namespace = ${namespace} AND o.source = 'trigger-late' LIMIT ${MOST_LATE}) AS late) THEN
      late_tags := NULL;
    END IF;
  EXCEPTION WHEN OTHERS THEN
    found_tags := '*';
    RAISE WARNING 'report cache: the trigger of % failed (%), everything is invalidated', ${literal(table)}, SQLSTATE;
  END;
  IF found_tags IS NULL THEN
    RETURN NULL;
  ELSIF writable THEN
    ${insert} (${namespace}, found_tags, false, 'trigger');
    -- Not the writer's to take away again: see late-plan.ts.
    IF late_tags <> '' THEN
      ${insert} (${namespace}, late_tags, true, 'trigger-late');
    END IF;
  ELSE
    RAISE WARNING 'report cache: the outbox cannot be written, a change of % invalidates nothing', ${literal(table)};
  END IF;
  RETURN NULL;
END
`;
}

export function tableTriggers(plan: TablePlan, names: Names): TableTriggers {
  const name = names.functionOf(plan.metadata);
  const definition = define(
    names,
    name,
    '() RETURNS trigger',
    'LANGUAGE plpgsql SECURITY DEFINER',
    bodyFor(plan, names),
  );
  return { table: names.table(plan.metadata), definition };
}

/** Tables and all partitions and heirs under them: statements may name any of them. Foreign tables take no such trigger. */
export function treeOf(wanted: string): string {
  return `WITH RECURSIVE tree(rel, fn) AS (
    ${wanted}
    UNION SELECT i.inhrelid, t.fn FROM tree AS t JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.rel
      JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p'))`;
}

/** Makes what is missing and touches nothing else, since each touch locks the table. */
export function attach(tables: readonly TableTriggers[], names: Names): string {
  if (tables.length === 0) return 'SELECT 1';
  const wanted = tables.map(
    ({ table, definition }) => `(${literal(table)}::regclass::oid, ${literal(definition.name)})`,
  );
  const operations = OPERATIONS.map(([operation, tables]) => `(${literal(operation)}, ${literal(tables)})`);
  return `DO $report_cache$
DECLARE one record;
BEGIN
  FOR one IN ${treeOf(`SELECT * FROM (VALUES ${wanted.join(', ')}) AS w(rel, fn)`)}
    SELECT t.rel::regclass AS rel, t.fn, t.fn || '_' || o.name AS name, o.name AS operation, o.tables, g.oid IS NULL AS missing
    FROM tree AS t CROSS JOIN (VALUES ${operations.join(', ')}) AS o(name, tables)
    LEFT JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.rel AND g.tgname = t.fn || '_' || o.name
    WHERE g.tgenabled IS DISTINCT FROM 'A'
  LOOP
    IF one.missing THEN
      EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION %s.%I()',
        one.name, upper(one.operation), one.rel, one.tables, ${literal(names.home)}, one.fn);
    END IF;
    -- Also for what a replication role writes.
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', one.rel, one.name);
  END LOOP;
END $report_cache$`;
}

/** Drops the functions of the namespace that are not in `keep`, and the triggers that call them. */
export function sweep(names: Names, keep: readonly string[]): string {
  const kept = keep.length === 0 ? '' : ` AND p.proname NOT IN (${keep.map(literal).join(', ')})`;
  return `DO $report_cache$
DECLARE one record;
BEGIN
  FOR one IN SELECT p.oid::regprocedure AS name FROM pg_catalog.pg_proc AS p
    WHERE starts_with(p.proname, ${literal(names.prefix)})${kept}
  LOOP
    EXECUTE format('DROP FUNCTION %s CASCADE', one.name);
  END LOOP;
END $report_cache$`;
}
