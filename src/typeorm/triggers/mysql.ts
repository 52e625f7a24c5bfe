// MySQL and MariaDB: row triggers that write what stands in the row itself, and whole kinds for everything else.
import { createHash } from 'node:crypto';
import type { Ask } from '../../contract/outbox.js';
import { wholeKind } from '../../entry/tags.js';
import { isObject } from '../rows.js';
import type { Schema } from '../schema.js';
import { TagBag } from '../tag-bag.js';
import type { DriverLike } from '../typeorm-like.js';
import { joined, type TablePlan } from './plan.js';
import { digest } from './postgres-names.js';
import type { Source } from './source.js';

const quote = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const literal = (text: string): string => `'${text.replace(/['\\]/g, (found) => `\\${found}`)}'`;
const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

interface RowTrigger {
  readonly name: string;
  readonly schema: string | undefined;
  readonly table: string;
  readonly body: string;
  readonly create: string;
  readonly drop: string;
}

export interface RowTriggers {
  readonly up: readonly string[];
  readonly down: readonly string[];
  readonly driftQuery: string;
  /** Triggers of the namespace that nobody asks for any more. */
  leftOver(ask: Ask): Promise<string[]>;
}

const OPERATIONS = { insert: ['NEW'], update: ['OLD', 'NEW'], delete: ['OLD'] } as const;
type Operation = keyof typeof OPERATIONS;

/** The tag for one column of one version of the row; the whole kind for text that has to be encoded. */
function tagOf({ kind, column, form }: Source, version: string): string {
  const value = `${version}.${quote(column)}`;
  const id = (text: string): string => `CONCAT(${literal(`${kind}:`)}, ${text})`;
  if (form === 'boolean') return `IF(${value} IS NULL, NULL, ${id(`IF(${value}, 'true', 'false')`)})`;
  const text = `CONVERT(${value} USING utf8mb4) COLLATE utf8mb4_bin`;
  // Not anchored: an end of line would slip through in front of a "$".
  const plain = `CHAR_LENGTH(${value}) BETWEEN 1 AND 120 AND ${text} NOT REGEXP '[^A-Za-z0-9._-]'`;
  return `IF(${value} IS NULL, NULL, IF(${plain}, ${id(text)}, ${literal(wholeKind(kind))}))`;
}

/** What foreign keys do to other tables fires no trigger there, so it is told here. */
function reached(plan: TablePlan, schema: Schema, verb: 'update' | 'delete'): string[] {
  const bag = new TagBag();
  schema.addReach(plan.metadata, verb, bag);
  return bag.tags();
}

/** True in a row trigger when a column that others may refer to has a new value. */
function keyChanged(plan: TablePlan, schema: Schema): string {
  const columns = plan.metadata.columns.filter((column) =>
    schema.passesOn(plan.metadata, new Set([column.databaseName])),
  );
  const same = columns.map(({ databaseName }) => {
    const [before, after] = ['OLD', 'NEW'].map((version) => `CAST(${version}.${quote(databaseName)} AS BINARY)`);
    return `${before} <=> ${after}`;
  });
  return same.length === 0 ? 'FALSE' : `NOT (${same.join(' AND ')})`;
}

/**
 * A path is not followed: the usual isolation would show the trigger its transaction's old snapshot of the tables on the
 * way, and an owner that somebody else has changed meanwhile would be missed.
 */
function bodyFor(plan: TablePlan, schema: Schema, operation: Operation, outbox: string, namespace: string): string {
  const far = plan.sources.filter(({ joins }) => joins.length > 0).map(({ kind }) => kind);
  const near = plan.sources.filter(({ kind }) => !far.includes(kind));
  const fixed = joined(plan.tags, far.map(wholeKind), operation === 'delete' ? reached(plan, schema, 'delete') : []);
  const parts = [literal(fixed)];
  if (fixed !== '*') for (const version of OPERATIONS[operation]) parts.push(...near.map((one) => tagOf(one, version)));
  const passed = operation === 'update' ? joined(reached(plan, schema, 'update')) : '';
  if (passed !== '') parts.push(`IF(${keyChanged(plan, schema)}, ${literal(passed)}, NULL)`);
  // 1146 and 1142: the outbox is gone or refused. Nothing can be told then, and the write is not to blame.
  return `BEGIN
  DECLARE found_tags LONGTEXT CHARACTER SET utf8mb4 DEFAULT '*';
  BEGIN
    DECLARE EXIT HANDLER FOR SQLEXCEPTION SET found_tags = '*';
    SET found_tags = CONCAT_WS(' ', ${parts.join(',\n      ')});
  END;
  BEGIN
    DECLARE EXIT HANDLER FOR 1142, 1143, 1146, 1054 BEGIN END;
    INSERT INTO ${outbox} (namespace, tags, pid, source) VALUES (${literal(namespace)}, found_tags, CONNECTION_ID(), 'trigger');
  END;
END`;
}

export function rowTriggers(
  plans: readonly TablePlan[],
  schema: Schema,
  driver: DriverLike,
  namespace: string,
): RowTriggers {
  const home = driver.database;
  const qualified = (name: string, database = home): string =>
    database === undefined ? quote(name) : `${quote(database)}.${quote(name)}`;
  const outbox = qualified('report_cache_outbox');
  const prefix = `report_cache_${digest(namespace, 8)}_`;
  const triggers = plans.flatMap((plan): RowTrigger[] => {
    const { tableName: table, tablePath } = plan.metadata;
    const database = tablePath.includes('.') ? tablePath.slice(0, tablePath.indexOf('.')) : home;
    const readable = table
      .replace(/[^A-Za-z0-9]+/g, '_')
      .toLowerCase()
      .slice(0, 20);
    return (Object.keys(OPERATIONS) as Operation[]).map((operation) => {
      const name = `${prefix}${readable}_${digest(tablePath, 8)}_${operation}`;
      const body = bodyFor(plan, schema, operation, outbox, namespace);
      const head = `CREATE TRIGGER ${qualified(name, database)} AFTER ${operation.toUpperCase()} ON ${qualified(table, database)}`;
      const drop = `DROP TRIGGER IF EXISTS ${qualified(name, database)}`;
      return { name, schema: database, table, body, create: `${head} FOR EACH ROW ${body}`, drop };
    });
  });
  // Between DROP and CREATE nothing is heard.
  const told = `INSERT INTO ${outbox} (namespace, tags, pid, source) VALUES (${literal(namespace)}, '*', CONNECTION_ID(), 'trigger')`;
  return {
    up: [...triggers.flatMap(({ create, drop }) => [drop, create]), told],
    down: triggers.map(({ drop }) => drop),
    driftQuery: driftQuery(triggers, prefix),
    leftOver: async (ask) => {
      const found: unknown = await ask(`SELECT TRIGGER_NAME AS name ${ofNamespace(triggers, prefix)}`);
      const names = Array.isArray(found) ? found.filter(isObject).map((row) => String(Reflect.get(row, 'name'))) : [];
      return names.map((name) => `DROP TRIGGER IF EXISTS ${qualified(name)}`);
    },
  };
}

function ofNamespace(triggers: readonly RowTrigger[], prefix: string): string {
  const wanted = triggers.map(({ name }) => literal(name)).join(', ');
  const others = wanted === '' ? '' : ` AND TRIGGER_NAME NOT IN (${wanted})`;
  const pattern = literal(`${prefix.replaceAll('_', '\\_')}%`);
  return `FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE ${pattern}${others}`;
}

/** The server keeps the text of a trigger as it was given. */
function driftQuery(triggers: readonly RowTrigger[], prefix: string): string {
  const wanted = triggers.map(({ name, schema, table, body }) => {
    const database = schema === undefined ? 'DATABASE()' : literal(schema);
    return `SELECT ${literal(name)} AS name, ${database} AS home, ${literal(table)} AS place, ${literal(md5(body))} AS body`;
  });
  const each =
    wanted.length === 0
      ? []
      : [
          `SELECT w.place AS \`table\`, CASE WHEN t.TRIGGER_NAME IS NULL THEN 'missing'
             WHEN MD5(t.ACTION_STATEMENT) <> w.body THEN 'different' END AS problem
           FROM (${wanted.join(' UNION ALL ')}) AS w
           LEFT JOIN information_schema.TRIGGERS AS t ON t.TRIGGER_SCHEMA = w.home AND t.TRIGGER_NAME = w.name`,
        ];
  return [
    ...each,
    `SELECT EVENT_OBJECT_TABLE AS \`table\`, 'left over' AS problem ${ofNamespace(triggers, prefix)}`,
    `SELECT 'report_cache_outbox', 'missing' FROM (SELECT 1) AS one WHERE NOT EXISTS (SELECT 1 FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'report_cache_outbox')`,
  ].join(' UNION ALL ');
}
