// Entries on SQLite, where TypeORM has one connection: no transaction of our own, because it would be everybody's.
import { sqlite } from '../../sql/sqlite.js';
import type { Flavour } from './flavour.js';

export const sqliteFlavour: Flavour = {
  sql: sqlite,
  // No server, no replica: what is committed stays.
  incarnation: async () => "''",
  listed: (json) => `(SELECT value AS tag FROM json_each(${json})) j`,
  pairs: (json) =>
    `(SELECT json_extract(value, '$[0]') AS tag, json_extract(value, '$[1]') AS as_of FROM json_each(${json})) j`,
  contains: (text, part) => `instr(${text}, ${part}) > 0`,
  concat: (...parts) => parts.join(' || '),
  replacing: (columns) =>
    `ON CONFLICT (namespace, name) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
  unlessExists: 'ON CONFLICT DO NOTHING',
  /** The tags first: nobody else invalidates here, so the next number is known before anybody can be told of it. */
  async bump(ask, tables, { namespace, tags, everything, now, incarnation }) {
    await sqlite.run(
      ask,
      `INSERT INTO ${tables.tag} (namespace, tag, seq, at)` +
        ` SELECT p.namespace, j.tag, p.seq + 1, $3 FROM ${tables.position} p CROSS JOIN ${this.listed('$2')} WHERE p.namespace = $1` +
        ' ON CONFLICT (namespace, tag) DO UPDATE SET seq = excluded.seq, at = excluded.at',
      [namespace, tags, now],
    );
    await sqlite.run(
      ask,
      `UPDATE ${tables.position} SET seq = seq + 1, floor = CASE WHEN $2 = 1 THEN seq + 1 ELSE floor END WHERE namespace = $1`,
      [namespace, Number(everything)],
    );
    const { rows } = await sqlite.run(
      ask,
      `SELECT epoch, seq, ${incarnation} AS incarnation FROM ${tables.position} WHERE namespace = $1`,
      [namespace],
    );
    return rows[0];
  },
};
