// Entries on PostgreSQL 12 and later: an invalidation is one statement, in the order of the lock on the position.
import { postgres } from '../../sql/postgres.js';
import type { Flavour } from './flavour.js';

export const postgresFlavour: Flavour = {
  sql: postgres,
  incarnation: async (ask) => (await postgres.facts(ask)).incarnation,
  listed: (json) => `jsonb_array_elements_text(${json}::jsonb) AS j (tag)`,
  pairs: (json) =>
    `(SELECT p ->> 0 AS tag, (p ->> 1)::bigint AS as_of FROM jsonb_array_elements(${json}::jsonb) AS x (p)) j`,
  contains: (text, part) => `strpos(${text}, ${part}) > 0`,
  concat: (...parts) => parts.join(' || '),
  replacing: (columns) =>
    `ON CONFLICT (namespace, name) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
  unlessExists: 'ON CONFLICT DO NOTHING',
  async bump(ask, tables, { namespace, tags, everything, now, incarnation }) {
    const { rows } = await postgres.run(
      ask,
      `WITH moved AS (UPDATE ${tables.position} SET seq = seq + 1, floor = CASE WHEN $3::int = 1 THEN seq + 1 ELSE floor END` +
        ` WHERE namespace = $1 RETURNING namespace, epoch, seq),` +
        ` named AS (INSERT INTO ${tables.tag} (namespace, tag, seq, at)` +
        ` SELECT moved.namespace, j.tag, moved.seq, $4::bigint FROM moved CROSS JOIN ${this.listed('$2')}` +
        ` ON CONFLICT (namespace, tag) DO UPDATE SET seq = excluded.seq, at = excluded.at)` +
        ` SELECT epoch, seq, (SELECT ${incarnation}) AS incarnation FROM moved`,
      [namespace, tags, Number(everything), now],
    );
    return rows[0];
  },
};
