// The doctor against real databases: an outbox that nobody sweeps, rows that nobody can read, triggers that do not fire.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { versionMigrations } from '../../src/versions/migrations.js';
import { mysqlUrl, openMysql, openPostgres, type Database } from '../outbox/support/databases.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { NAMESPACE, openOutbox } from '../typeorm/triggers/support.js';
import { run } from './support.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function examined(...args: string[]) {
  const { code, json, err } = await run(['doctor', '--json', ...args]);
  const findings = (json?.findings ?? []) as { code: string; severity: string; what: string; meaning?: string }[];
  const bad = findings.filter(({ severity }) => severity !== 'ok').map((one) => `${one.severity} ${one.code}`);
  return { code, bad, findings, err };
}

const urlOf = ({ source }: Database) => String(Reflect.get(source.options, 'url'));

const opening: [string, () => Promise<Database>][] = [['postgres', () => openPostgres()]];
if (mysqlUrl) opening.push(['mysql', () => openMysql()]);

describe.each(opening)('an outbox in %s', (kind, open) => {
  async function opened() {
    const database = await open();
    closing.push(() => database.close());
    const namespace = ownNamespace();
    const schema = database.schema === undefined ? [] : ['--schema', database.schema];
    const look = (...more: string[]) =>
      examined('--database', urlOf(database), ...schema, '--namespace', namespace, ...more);
    const insert = (ageS: number, aside = false) => {
      const at =
        kind === 'postgres'
          ? `clock_timestamp() - interval '${ageS} seconds'`
          : `UTC_TIMESTAMP(6) - INTERVAL ${ageS} SECOND`;
      return database.ask(
        `INSERT INTO ${database.table('outbox')} (namespace, tags, at, set_aside) VALUES ('${namespace}', 'student:1', ${at}, ${aside ? "'unreadable'" : 'NULL'})`,
      );
    };
    const sweep = (ageS: number, epoch = 'e') => {
      const at =
        kind === 'postgres'
          ? `clock_timestamp() - interval '${ageS} seconds'`
          : `UTC_TIMESTAMP(6) - INTERVAL ${ageS} SECOND`;
      return database.ask(
        `INSERT INTO ${database.table('state')} (namespace, generation, epoch, seq, incarnation, swept_at) VALUES ('${namespace}', 3, '${epoch}', 1, 'i', ${at})`,
      );
    };
    return { look, insert, sweep, namespace };
  }
  const ofOutbox = (bad: readonly string[]) => bad.filter((one) => /outbox|sweeps/.test(one));

  it('that is well', async () => {
    const { look, insert, sweep } = await opened();
    await insert(1);
    await sweep(1);
    const { code, bad, findings } = await look();
    expect([code, ofOutbox(bad)]).toEqual([0, []]);
    expect(findings.find(({ code: one }) => one === 'outbox-backlog')?.what).toBe('1 row waits in the outbox.');
    expect(findings.map(({ code: one }) => one)).toEqual(expect.arrayContaining(['typeorm-version', 'sweeps']));
  });

  it('with a backlog, a row set aside, and no sweeper', async () => {
    const { look, insert } = await opened();
    await insert(60);
    await insert(1);
    await insert(90, true);
    const { code, bad, findings } = await look();
    expect([code, ofOutbox(bad)]).toEqual([1, ['error outbox-backlog', 'warning outbox-set-aside', 'warning sweeps']]);
    expect(findings.find(({ code: one }) => one === 'outbox-backlog')?.what).toMatch(
      /^2 rows wait in the outbox, the oldest for 60 s/,
    );
  });

  it('that was not swept for long', async () => {
    const { look, sweep } = await opened();
    await sweep(300);
    expect(ofOutbox((await look()).bad)).toEqual(['error sweeps']);
  });

  it('that follows another history than Redis has', async () => {
    const { look, sweep, namespace } = await opened();
    await sweep(1);
    // A Redis without the namespace says nothing of it.
    expect(ofOutbox((await look('--redis', redisUrl())).bad)).toEqual([]);
    const redis = new Redis(redisUrl());
    closing.push(() => redis.quit());
    await redis.hset(`{${namespace}}:t`, '!ep', 'f');
    expect(ofOutbox((await look('--redis', redisUrl())).bad)).toEqual(['warning sweeps']);
    await redis.hset(`{${namespace}}:t`, '!ep', 'e');
    expect(ofOutbox((await look('--redis', redisUrl())).bad)).toEqual([]);
  });
});

it('a database without any tables of the cache, in a schema of its own', async () => {
  const database = await openPostgres();
  closing.push(() => database.close());
  const { code, bad } = await examined('--database', urlOf(database), '--schema', 'nowhere');
  expect([code, bad]).toEqual([0, ['advice outbox', 'advice triggers']]);
});

it('versions of results are counted', async () => {
  const database = await openPostgres();
  closing.push(() => database.close());
  const source = await new DataSource({
    type: 'postgres',
    url: urlOf(database),
    schema: String(database.schema),
    migrations: [...versionMigrations],
    migrationsTableName: 'applied_versions',
  }).initialize();
  closing.push(() => source.destroy());
  await source.runMigrations();
  const { findings } = await examined('--database', urlOf(database), '--schema', String(database.schema));
  expect(findings.find(({ code }) => code === 'versions')?.what).toBe('0 versions of results are kept.');
});

it('triggers: all fire, one is disabled, the owner may not write', async () => {
  const outbox = await openOutbox('doctor');
  closing.push(() => outbox.close());
  const look = async () => {
    const { findings } = await examined('--database', outbox.url, '--namespace', NAMESPACE);
    return findings.find(({ code }) => code === 'triggers');
  };
  expect(await look()).toMatchObject({ severity: 'ok' });
  await outbox.dataSource.query('ALTER TABLE grade DISABLE TRIGGER USER');
  expect(await look()).toMatchObject({ severity: 'error', what: 'Triggers do not always fire on grade.' });
  await outbox.dataSource.query('DROP TABLE grade CASCADE');
  expect(await look()).toMatchObject({ severity: 'ok' });
  await outbox.triggers.uninstall();
  expect(await look()).toMatchObject({ severity: 'advice' });
});

it('commits that do not wait for the disk', async () => {
  const database = await openPostgres();
  closing.push(() => database.close());
  const url = new URL(urlOf(database));
  url.searchParams.set('options', '-c synchronous_commit=off');
  const { bad } = await examined('--database', url.href, '--schema', String(database.schema));
  expect(bad).toContain('advice database-durability');
});

it('what cannot be reached is a finding where there is something else to look at', async () => {
  const database = await openPostgres();
  closing.push(() => database.close());
  const nowhere = await examined('--redis', 'redis://127.0.0.1:9', '--database', urlOf(database), '--namespace', 'n');
  expect([nowhere.code, nowhere.bad.includes('error redis-unreachable')]).toEqual([1, true]);
  const { code, bad } = await examined('--redis', redisUrl(), '--database', 'postgres://u:s3cret@127.0.0.1:9/d');
  expect([code, bad.includes('error database-unreachable')]).toEqual([1, true]);
});
