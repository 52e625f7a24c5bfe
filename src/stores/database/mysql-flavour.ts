// Entries on MySQL 8 and MariaDB 10.6 and later: an invalidation is a short transaction behind the lock on the position.
import { mysql } from '../../sql/mysql.js';
import type { Flavour } from './flavour.js';

export const mysqlFlavour: Flavour = {
  sql: mysql,
  incarnation: async (ask) => (await mysql.facts(ask)).incarnation,
  listed: (json) =>
    `JSON_TABLE(${json}, '$[*]' COLUMNS (tag varchar(190) CHARACTER SET ascii COLLATE ascii_bin PATH '$')) j`,
  pairs: (json) =>
    `JSON_TABLE(${json}, '$[*]' COLUMNS (tag varchar(190) CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]', as_of bigint PATH '$[1]')) j`,
  contains: (text, part) => `INSTR(${text}, ${part}) > 0`,
  concat: (...parts) => `CONCAT(${parts.join(', ')})`,
  replacing: (columns) =>
    `ON DUPLICATE KEY UPDATE ${columns.map((column) => `${column} = VALUES(${column})`).join(', ')}`,
  unlessExists: 'ON DUPLICATE KEY UPDATE namespace = namespace',
  async bump(ask, tables, { namespace, tags, everything, now, incarnation }) {
    const run = async (sql: string, ...parameters: unknown[]) =>
      (await mysql.run(ask, sql, [namespace, ...parameters])).rows;
    await ask('START TRANSACTION');
    await run(
      `UPDATE ${tables.position} SET floor = IF($2 = 1, seq + 1, floor), seq = seq + 1 WHERE namespace = $1`,
      Number(everything),
    );
    const [reached] = await run(
      `SELECT epoch, seq, (${incarnation}) AS incarnation FROM ${tables.position} WHERE namespace = $1`,
    );
    if (reached !== undefined)
      await run(
        `INSERT INTO ${tables.tag} (namespace, tag, seq, at) SELECT $1, j.tag, $3, $4 FROM ${this.listed('$2')}` +
          ' ON DUPLICATE KEY UPDATE seq = VALUES(seq), at = VALUES(at)',
        tags,
        Number(reached['seq']),
        now,
      );
    await ask('COMMIT');
    return reached;
  },
};
