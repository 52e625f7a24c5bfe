// A real process that is killed loses what it has counted since its last flush, and nothing else. Needs `npm run build`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { costMigrations } from '../../src/index.js';
import { databaseUrl, ownNamespace, ownSchema } from '../support/isolation.js';
import { query } from '../support/postgres-service.mjs';
import { eventually } from '../support/eventually.js';

const SCRIPT = fileURLToPath(new URL('killed-process.mjs', import.meta.url));

it('FAULT killed: what was flushed is there, exactly; what came after the last flush is lost', async () => {
  const [schema, namespace] = [ownSchema(), ownNamespace()];
  await query(databaseUrl(), `CREATE SCHEMA ${schema}`);
  const db = await new DataSource({
    type: 'postgres',
    url: databaseUrl(),
    schema,
    migrations: [...costMigrations],
    migrationsTableName: 'applied',
  }).initialize();
  await db.runMigrations();
  const counted = async () => {
    const rows = await db.query(
      `SELECT times::int, input_tokens::int AS tokens FROM ${schema}.report_cache_costs WHERE source = 'run' AND namespace = $1`,
      [namespace],
    );
    return rows[0];
  };
  const env = { ...process.env, COSTS_URL: databaseUrl(), COSTS_SCHEMA: schema, COSTS_NAMESPACE: namespace };
  const child = fork(SCRIPT, { env });
  try {
    await once(child, 'message');
    child.send({ runs: 7 });
    await once(child, 'message');
    // One interval later, by itself.
    await eventually('a flush', async () => (await counted())?.times === 7);
    child.send({ runs: 5, hang: true });
    const [{ made }] = (await once(child, 'message')) as [{ made: number }];
    expect(made).toBe(12);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await counted()).toEqual({ times: 7, tokens: 70 });
  } finally {
    child.kill('SIGKILL');
    await db.destroy();
    await query(databaseUrl(), `DROP SCHEMA ${schema} CASCADE`);
  }
});
