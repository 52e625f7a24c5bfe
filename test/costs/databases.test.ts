// The ledger in real databases: added up over processes, kept over restarts, and missing where its migration is.
import { afterEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import type { CacheEvent } from '../../src/contract/events.js';
import type { CountRow } from '../../src/costs/counts.js';
import { NOTHING } from '../../src/costs/counts.js';
import { costDialectOf } from '../../src/costs/migrations.js';
import { SqlCosts } from '../../src/costs/sql-costs.js';
import { costMigrations, createReportCache } from '../../src/index.js';
import { databaseUrl, ownNamespace, ownSchema } from '../support/isolation.js';
import { queryMysql } from '../support/mysql-service.mjs';
import { query } from '../support/postgres-service.mjs';

const mysqlUrl = process.env['MYSQL_URL'];
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openPostgres(migrated = true): Promise<DataSource> {
  const schema = ownSchema();
  await query(databaseUrl(), `CREATE SCHEMA ${schema}`);
  closing.push(() => query(databaseUrl(), `DROP SCHEMA ${schema} CASCADE`));
  return initialize(
    new DataSource({
      type: 'postgres',
      url: databaseUrl(),
      schema,
      migrations: [...costMigrations],
      migrationsTableName: 'applied',
    }),
    migrated,
  );
}

async function openMysql(migrated = true): Promise<DataSource> {
  const name = ownSchema();
  const server = String(mysqlUrl);
  await queryMysql(server, `CREATE DATABASE ${name}`);
  closing.push(() => queryMysql(server, `DROP DATABASE ${name}`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  return initialize(
    new DataSource({ type: 'mysql', url: url.href, migrations: [...costMigrations], migrationsTableName: 'applied' }),
    migrated,
  );
}

async function initialize(source: DataSource, migrated: boolean): Promise<DataSource> {
  await source.initialize();
  closing.push(() => source.destroy());
  if (migrated) await source.runMigrations();
  return source;
}

const prices = [{ model: 'small', from: '2026-01-01', inputPerMillion: 1, outputPerMillion: 2, currency: 'USD' }];
const request = { type: 'custom', report: 'insight', identity: { user: 7 } } as const;

async function start(source: DataSource, namespace: string) {
  const events: CacheEvent[] = [];
  const reports = createReportCache({
    identify: () => null,
    namespace,
    costs: { prices, flush: '1h' },
    onEvent: (event) => void events.push(event),
  });
  await reports.connect(source);
  closing.push(() => reports.close());
  /** One run and one hit of it. */
  const work = async () => {
    const load = () =>
      reports.getOrLoad(request, (run) => (run.cost({ model: 'small', inputTokens: 100, outputTokens: 50 }), 'text'));
    await load();
    await load();
  };
  return { reports, events, work };
}

const row = (more: Partial<CountRow> = {}): CountRow => ({
  ...NOTHING,
  day: '2026-01-05',
  type: 'insight',
  currency: 'USD',
  source: 'run',
  times: 1,
  ...more,
});

const servers: [string, (migrated?: boolean) => Promise<DataSource>][] = [['PostgreSQL', openPostgres]];
if (mysqlUrl !== undefined) servers.push(['MySQL or MariaDB', openMysql]);

describe.each(servers)('the ledger on %s', (_server, open) => {
  const tableOn = (source: DataSource, namespace: string) => {
    const { type, schema } = source.options as { type: string; schema?: string };
    const dialect = costDialectOf(type);
    if (dialect === undefined) throw new Error('no dialect');
    return new SqlCosts({ dialect, ask: (sql, parameters) => source.query(sql, parameters), namespace, schema });
  };

  it('adds what processes have counted to the same row, and tells each of them all of it', async () => {
    const source = await open();
    const namespace = ownNamespace();
    const [one, other] = [await start(source, namespace), await start(source, namespace)];
    await Promise.all([one.work(), other.work()]);
    await one.reports.costs();
    const days = await other.reports.costs();
    expect(days).toMatchObject([
      {
        type: 'custom',
        currency: 'USD',
        spent: { runs: 2, failed: 0, inputTokens: 200, outputTokens: 100, money: 0.000_4 },
        avoided: { memory: { times: 2, inputTokens: 200, outputTokens: 100, money: 0.000_4 } },
        hits: { times: 2 },
      },
    ]);
    expect(await one.reports.costs()).toEqual(days);
    expect(one.events.filter(({ kind }) => kind === 'costsFailed' || kind === 'rawWrite')).toEqual([]);
  });

  it('keeps it when the process closes, and the next one goes on', async () => {
    const source = await open();
    const namespace = ownNamespace();
    const first = await start(source, namespace);
    await first.work();
    await first.reports.close();
    const next = await start(source, namespace);
    await next.work();
    expect(await next.reports.costs()).toMatchObject([{ spent: { runs: 2 } }]);
    expect(await (await start(source, ownNamespace())).reports.costs()).toEqual([]);
  });

  it('counts before connect() go there, too; another DataSource changes nothing', async () => {
    const [source, second] = [await open(), await open()];
    const reports = createReportCache({ identify: () => null, costs: {} });
    closing.push(() => reports.close());
    await reports.getOrLoad(request, () => 'text');
    await reports.connect(source);
    await reports.connect(second);
    expect(await reports.costs()).toMatchObject([{ spent: { runs: 1 } }]);
    await reports.disconnect(source);
    expect(await reports.costs()).toEqual([]);
  });

  it('without the table counts are this process’s, and that is said once', async () => {
    const source = await open(false);
    const { reports, events, work } = await start(source, ownNamespace());
    await reports.connect(await open(false));
    await work();
    expect(await reports.costs()).toMatchObject([{ spent: { runs: 1 } }]);
    expect(events.filter(({ kind }) => kind === 'advice')).toEqual([
      expect.objectContaining({ code: 'costs-memory', message: expect.stringContaining('costMigrations') }),
    ]);
  });

  it('RACE many add to the same rows at once: each sum is exact, nobody is refused', async () => {
    const source = await open();
    const table = tableOn(source, ownNamespace());
    const rows = ['failed', 'joined', 'memory', 'redis', 'run'].map((name) =>
      row({ source: name as CountRow['source'], nanos: 3, inputTokens: 2 ** 33 }),
    );
    await Promise.all(Array.from({ length: 40 }, () => table.add(rows)));
    const found = await table.read('2026-01-05', '2026-01-05');
    expect(found).toHaveLength(5);
    for (const one of found) expect(one).toMatchObject({ times: 40, nanos: 120, inputTokens: 40 * 2 ** 33 });
  });

  it('reads the days of a range, both ends included, of its own namespace', async () => {
    const source = await open();
    const [mine, theirs] = [tableOn(source, ownNamespace()), tableOn(source, ownNamespace())];
    await mine.add(['2026-01-04', '2026-01-05', '2026-01-06', '2026-01-07'].map((day) => row({ day })));
    await theirs.add([row()]);
    const days = (await mine.read('2026-01-05', '2026-01-06')).map(({ day }) => day);
    expect(days.sort()).toEqual(['2026-01-05', '2026-01-06']);
  });

  it('FAULT the table goes and comes back: nothing is lost, and that it failed is told', async () => {
    const source = await open();
    const { reports, events, work } = await start(source, ownNamespace());
    await work();
    await source.undoLastMigration();
    await expect(reports.costs()).rejects.toThrow();
    expect(events).toContainEqual(expect.objectContaining({ kind: 'costsFailed', rows: 2 }));
    await source.runMigrations();
    expect(await reports.costs()).toMatchObject([{ spent: { runs: 1 }, hits: { times: 1 } }]);
  });
});

it('refuses a database that cannot hold it', async () => {
  const [Migration] = costMigrations;
  if (Migration === undefined) throw new Error('no migration');
  const runner = { connection: { options: { type: 'sqljs' } }, query: () => Promise.reject(new Error('asked')) };
  await expect(new Migration().up(runner)).rejects.toThrow('cannot hold the costs');
});
