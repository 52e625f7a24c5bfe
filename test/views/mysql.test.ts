// Views where the database has no materialised ones: MariaDB or MySQL, and SQLite. Their sources invalidate the reports.
import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Column, DataSource, Entity, PrimaryColumn, type DataSourceOptions } from 'typeorm';
import { createReportCache, viewMigrations } from '../../src/index.js';
import { ownNamespace, ownSchema } from '../support/isolation.js';
import { queryMysql } from '../support/mysql-service.mjs';

@Entity('grade')
class Grade {
  @PrimaryColumn('int') id!: number;
  @Column('int') classId!: number;
  @Column('int') score!: number;
}

const STATS = 'SELECT classId AS class_id, avg(score) AS average FROM grade GROUP BY classId';

async function followed(options: DataSourceOptions, query: string | undefined) {
  const db = await new DataSource({
    ...options,
    entities: [Grade],
    synchronize: true,
    migrations: [...viewMigrations],
  } as DataSourceOptions).initialize();
  await db.runMigrations();
  if (query === undefined) await db.query(`CREATE VIEW class_stats AS ${STATS}`);
  const reports = createReportCache({ namespace: ownNamespace(), identify: () => ({ user: 'u' }) });
  const stats = reports.view('class_stats', { sources: [Grade], ...(query !== undefined && { query }) });
  await reports.connect(db);
  let computed = 0;
  const average = () =>
    reports.getOrLoad({ type: 'analytics', report: 'a', share: 'everyone', views: ['class_stats'] }, async () => {
      computed += 1;
      const rows = (await db.query(`SELECT average FROM ${stats.relation} s WHERE class_id = 1`)) as {
        average: string;
      }[];
      return Number(rows[0]?.average);
    });
  const write = (id: number, score: number) => db.manager.save(Grade, { id, classId: 1, score });
  return {
    db,
    reports,
    stats,
    average,
    write,
    computed: () => computed,
    close: async () => {
      await reports.close();
      await db.destroy();
    },
  };
}

/** What readers see: of one grade, of the same again, and of two. */
async function seen(options: DataSourceOptions, query: string | undefined) {
  const one = await followed(options, query);
  try {
    await one.write(1, 10);
    const averages = [await one.average(), await one.average()];
    await one.write(2, 30);
    averages.push(await one.average());
    const { views } = await one.reports.health();
    return { averages, computed: one.computed(), asOf: await one.stats.asOf(), views };
  } finally {
    await one.close();
  }
}

/** Each change is seen at once, and nothing is as of anything but now, because nobody keeps it. */
const AT_ONCE = { averages: [10, 10, 20], computed: 2, asOf: undefined, views: undefined };

const mysqlUrl = process.env['MYSQL_URL'];

describe('on MySQL and MariaDB', () => {
  if (mysqlUrl === undefined) {
    it.todo('needs a server');
    return;
  }
  const onMysql = async (query: string | undefined) => {
    const name = ownSchema();
    await queryMysql(mysqlUrl, `CREATE DATABASE ${name}`);
    const url = new URL(mysqlUrl);
    url.pathname = `/${name}`;
    try {
      return await seen({ type: 'mysql', url: url.href }, query);
    } finally {
      await queryMysql(mysqlUrl, `DROP DATABASE ${name}`);
    }
  };

  it('the query of the declaration stands in its place', async () => {
    expect(await onMysql(STATS)).toEqual(AT_ONCE);
  });
  it('an ordinary view of the same name does, too', async () => {
    expect(await onMysql(undefined)).toEqual(AT_ONCE);
  });
});

describe('on SQLite', () => {
  it('the query stands in its place', async () => {
    expect(await seen({ type: 'sqljs' }, STATS)).toEqual(AT_ONCE);
  });
});
