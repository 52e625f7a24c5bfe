// Migrations are only ever added: one that was released has run somewhere and will not run again.
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { dialectOf, outboxMigrations } from '../../src/outbox/migrations.js';
import { persistMigrations } from '../../src/stores/database/migrations.js';

/** Names and SQL of what was released. Add a line for a new migration; never change one that is there. */
const RELEASED = [
  ['ReportCacheOutbox1767225600000', 'postgres', '074d9fb449e84bd7'],
  ['ReportCacheOutbox1767225600000', 'mysql', 'e6bad216407d13ac'],
  ['ReportCachePersist1767225700000', 'postgres', '989c2c38ecb06fc1'],
  ['ReportCachePersist1767225700000', 'mysql', 'ff6b6c0d24471e07'],
  ['ReportCachePersist1767225700000', 'sqljs', '04a81c51cc943fe0'],
];

async function sqlOf(Migration: (typeof outboxMigrations)[number], type: string): Promise<string[]> {
  const statements: string[] = [];
  const runner = {
    connection: { options: { type, schema: 'reports' } },
    query: async (sql: string) => void statements.push(sql),
  };
  const migration = new Migration();
  await migration.up(runner);
  await migration.down(runner);
  return statements;
}

describe('the migrations', () => {
  it('that were released are what they were', async () => {
    const now: string[][] = [];
    const all = [
      ...outboxMigrations.map((Migration) => [Migration, ['postgres', 'mysql']] as const),
      ...persistMigrations.map((Migration) => [Migration, ['postgres', 'mysql', 'sqljs']] as const),
    ];
    for (const [Migration, types] of all)
      for (const type of types) {
        const hash = createHash('sha256')
          .update((await sqlOf(Migration, type)).join('\n'))
          .digest('hex');
        now.push([new Migration().name, type, hash.slice(0, 16)]);
      }
    expect(now).toEqual(RELEASED);
  });

  it('have names by which TypeORM orders them, each later than the one before', () => {
    const times = [...outboxMigrations, ...persistMigrations].map((Migration) =>
      Number(new Migration().name.slice(-13)),
    );
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.every((time) => time > 1_700_000_000_000)).toBe(true);
  });

  it('name the schema of the DataSource', async () => {
    const [Migration] = outboxMigrations;
    const [first] = await sqlOf(Migration as never, 'postgres');
    expect(first).toMatch(/^CREATE TABLE "reports"\.report_cache_outbox /);
  });

  it('refuse a database that cannot hold the outbox', async () => {
    const [Migration] = outboxMigrations;
    await expect(sqlOf(Migration as never, 'sqljs')).rejects.toThrow('"sqljs" cannot hold the outbox');
  });

  it('refuse a database that cannot hold persisted reports', async () => {
    const [Migration] = persistMigrations;
    await expect(sqlOf(Migration as never, 'mongodb')).rejects.toThrow('"mongodb" cannot hold persisted reports');
  });

  it.each([
    ['postgres', 'postgres'],
    ['aurora-postgres', undefined],
    ['mysql', 'mysql'],
    ['mariadb', 'mysql'],
    ['cockroachdb', undefined],
    ['sqlite', undefined],
  ])('know what %s speaks', (type, name) => {
    expect(dialectOf(type)?.name).toBe(name);
  });
});
