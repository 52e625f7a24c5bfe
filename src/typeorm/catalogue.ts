// What PostgreSQL itself knows and the entities do not say: harmless functions, real foreign keys, views, partitions.
import type { ForeignKey } from './foreign-keys.js';
import { isObject } from './rows.js';

export interface Catalogue {
  /** Functions that cannot write. */
  readonly functions: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
  /** A write to a view is a write to tables that nobody names. */
  readonly views: ReadonlySet<string>;
  /** Partition or child table → tables whose rows are its rows. */
  readonly parents: ReadonlyMap<string, readonly string[]>;
}

/**
 * PostgreSQL refuses writes inside functions that are not VOLATILE. A name is safe only when every function of that
 * name is; aggregates outside the system catalogue call functions of their own, so they do not count.
 */
const FUNCTIONS = `SELECT p.proname AS name FROM pg_catalog.pg_proc p GROUP BY p.proname
  HAVING bool_and(p.provolatile <> 'v' AND (p.prokind <> 'a' OR p.pronamespace = 'pg_catalog'::regnamespace))`;

const FOREIGN_KEYS = `SELECT lower(c.relname) AS child, lower(r.relname) AS parent, k.confdeltype AS del, k.confupdtype AS upd,
  ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = ANY(k.confkey)) AS columns
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_class r ON r.oid = k.confrelid WHERE k.contype = 'f'`;

const RELATIONS = `SELECT lower(c.relname) AS name, lower(p.relname) AS parent FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
  WHERE (c.relkind = 'v' AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))
  OR (i.inhrelid IS NOT NULL AND c.relkind IN ('r', 'p', 'f'))`;

const ACTION: Readonly<Record<string, string>> = { c: 'CASCADE', n: 'SET NULL', d: 'SET DEFAULT' };

async function rowsOf(query: (sql: string) => Promise<unknown>, sql: string): Promise<object[]> {
  const rows = await query(sql);
  return Array.isArray(rows) ? rows.filter(isObject) : [];
}

const text = (row: object, name: string): string => String(Reflect.get(row, name));

export async function readCatalogue(query: (sql: string) => Promise<unknown>): Promise<Catalogue> {
  const functions = (await rowsOf(query, FUNCTIONS)).map((row) => text(row, 'name'));
  const foreignKeys = (await rowsOf(query, FOREIGN_KEYS)).map((row): ForeignKey => {
    const columns: unknown = Reflect.get(row, 'columns');
    return {
      from: text(row, 'child'),
      to: text(row, 'parent'),
      onDelete: ACTION[text(row, 'del')],
      onUpdate: ACTION[text(row, 'upd')],
      referencedColumns: Array.isArray(columns) ? columns.map(String) : [],
    };
  });
  const views = new Set<string>();
  const parents = new Map<string, string[]>();
  for (const row of await rowsOf(query, RELATIONS)) {
    const name = text(row, 'name');
    const parent: unknown = Reflect.get(row, 'parent');
    if (typeof parent === 'string') parents.set(name, [...(parents.get(name) ?? []), parent]);
    else views.add(name);
  }
  return { functions, foreignKeys, views, parents };
}
