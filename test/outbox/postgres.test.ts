// The outbox on a real PostgreSQL.
import { describe, expect, it } from '@jest/globals';
import { lsnDigits } from '../../src/typeorm/replica-reads.js';
import { openPostgres } from './support/databases.js';
import { sqlOutboxSuite } from './support/sql-suite.js';

describe('the outbox on PostgreSQL', () => {
  sqlOutboxSuite(openPostgres);

  it('spells WAL positions as writers do: they are compared as text', async () => {
    const { source, dialect, close } = await openPostgres();
    const ask = (sql: string): Promise<Record<string, unknown>[]> => source.query(sql);
    const { lsn } = await dialect.facts(ask);
    const [row] = await ask(`SELECT ${lsn.replace('pg_current_wal_insert_lsn()', "'AB/4F00C'::pg_lsn")} AS digits`);
    await close();
    expect(row).toEqual({ digits: lsnDigits('AB/4F00C') });
  });
});
