// SQL as MySQL 8 and MariaDB 10.5 and later speak it.
import type { Ask } from '../contract/outbox.js';
import type { Dialect, Outcome, Row, ServerFacts } from './dialect.js';

/**
 * When the server was started, in whole seconds and yet without rounding: uptime is counted by the server from the time
 * of the statement, which UNIX_TIMESTAMP() is as well.
 */
const startedBy = (statusTable: string): string =>
  `UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM ${statusTable} WHERE VARIABLE_NAME = 'UPTIME')`;
const SERVER = `@@hostname, @@port, @@server_id`;

export const mysql: Dialect = {
  name: 'mysql',
  quote: (identifier) => `\`${identifier.replaceAll('`', '``')}\``,
  run: async (ask, sql, parameters) => {
    const used: unknown[] = [];
    const positional = sql.replaceAll(/\$(\d+)/g, (_, number: string) => {
      used.push(parameters[Number(number) - 1]);
      return '?';
    });
    return outcomeOf(await ask(positional, used));
  },
  facts,
  now: 'UTC_TIMESTAMP(6)',
  msSince: (time) => `(TIMESTAMPDIFF(MICROSECOND, ${time}, UTC_TIMESTAMP(6)) / 1000)`,
  true: 'TRUE',
  false: 'FALSE',
  connectionId: 'CONNECTION_ID()',
  transactions: 'NULL AS oldest, NULL AS next',
  noTransaction: undefined,
  unlessExists: 'ON DUPLICATE KEY UPDATE namespace = namespace',
  // The driver tells it by itself; there is no NOTIFY.
  returningId: () => '',
  columns: (schema) =>
    `SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_NAME = $1 AND TABLE_SCHEMA = ${
      schema === undefined ? 'DATABASE()' : '$2'
    }`,
};

/** The two families keep the same things in different places; TypeORM's `type` does not tell which one answers. */
async function facts(ask: Ask): Promise<ServerFacts> {
  const { rows } = outcomeOf(await ask('SELECT VERSION() AS version'));
  const incarnation = /mariadb/i.test(String(rows[0]?.['version']))
    ? `CONCAT_WS('/', ${SERVER}, ${startedBy('information_schema.GLOBAL_STATUS')})`
    : `CONCAT_WS('/', @@server_uuid, ${SERVER}, ${startedBy('performance_schema.global_status')})`;
  return { incarnation, lsn: 'NULL' };
}

function outcomeOf(raw: unknown): Outcome {
  if (Array.isArray(raw)) return { rows: raw as readonly Row[], affected: 0, id: undefined };
  const { affectedRows, insertId } = (raw ?? {}) as {
    readonly affectedRows?: number;
    readonly insertId?: string | number;
  };
  return { rows: [], affected: Number(affectedRows ?? 0), id: insertId === undefined ? undefined : String(insertId) };
}
