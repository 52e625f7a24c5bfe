// Writes past the application: psql-like statements and COPY over connections that the library never sees.
import { setTimeout as pause } from 'node:timers/promises';
import { idOf, isGrade } from './world.mjs';

/** Share of the updates that are committed late. */
const LATE = 0.15;

/** @param {import('pg').Pool} database */
export function createForeign(database) {
  return {
    /** @param {import('./writes.mjs').Write} write */
    async carryOut({ path, rows, versions, places }) {
      const row = /** @type {number} */ (rows[0]);
      const table = isGrade(row) ? 'grade' : 'student';
      const place = isGrade(row) ? 'studentId' : 'classId';
      switch (path) {
        case 'foreignUpdate':
          await update(database, `UPDATE ${table} SET version = $1 WHERE id = $2`, [versions[0], idOf(row)]);
          return;
        case 'foreignMove': {
          const values = [versions[0], (places[0] ?? 0) + 1, idOf(row)];
          await database.query(`UPDATE ${table} SET version = $1, "${place}" = $2 WHERE id = $3`, values);
          return;
        }
        case 'foreignRemove':
          await database.query(`DELETE FROM grade WHERE id = $1`, [idOf(row)]);
          return;
        case 'foreignCopy': {
          const lines = rows.map((one, at) => [idOf(one), versions[at], (places[at] ?? 0) + 1].join('\t'));
          await copyIn(database, 'COPY grade (id, version, "studentId") FROM STDIN', `${lines.join('\n')}\n`);
          return;
        }
        default:
          throw new Error(`There is no foreign way "${path}" to write.`);
      }
    },
  };
}

/**
 * Now and then in a transaction that stays open for a while: its row in the outbox is older than those that were
 * committed before it.
 * @param {import('pg').Pool} database @param {string} sql @param {unknown[]} values
 */
async function update(database, sql, values) {
  if (Math.random() >= LATE) return void (await database.query(sql, values));
  const client = await database.connect();
  try {
    await client.query('BEGIN');
    await client.query(sql, values);
    await pause(1_500 * Math.random());
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

/**
 * COPY … FROM STDIN with the protocol messages that `pg` offers to what is submitted to it.
 * @param {import('pg').Pool} database @param {string} sql @param {string} data
 */
async function copyIn(database, sql, data) {
  const client = await database.connect();
  try {
    await new Promise((resolve, reject) => {
      /** @type {Error | undefined} */
      let failure;
      client.query(
        /** @type {any} */ ({
          submit: (/** @type {any} */ connection) => connection.query(sql),
          handleCopyInResponse(/** @type {any} */ connection) {
            connection.sendCopyFromChunk(Buffer.from(data));
            connection.endCopyFrom();
          },
          handleCommandComplete: () => undefined,
          handleError: (/** @type {Error} */ error) => (failure = error),
          handleReadyForQuery: () => (failure ? reject(failure) : resolve(undefined)),
        }),
      );
    });
  } finally {
    client.release();
  }
}
