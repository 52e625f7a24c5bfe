// A session that fails leaves nobody in its transaction, and no place of the pool taken.
import { describe, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { systemClock } from '../../src/contract/clock.js';
import { OwnConnection, type OwnRunner } from '../../src/sql/own-connection.js';
import { databaseUrl } from '../support/isolation.js';

const POOLS: readonly (readonly [string, DataSourceOptions | undefined])[] = [
  ['postgres', { type: 'postgres', url: databaseUrl(), extra: { max: 1 } }],
  [
    'mysql',
    process.env['MYSQL_URL'] === undefined
      ? undefined
      : { type: 'mysql', url: process.env['MYSQL_URL'], extra: { connectionLimit: 1 } },
  ],
];

describe.each(POOLS)('the only connection of a pool of %s', (kind, options) => {
  if (options === undefined) {
    it.todo('needs MYSQL_URL or a server on 127.0.0.1:3306');
    return;
  }
  const runners: object[] = [];
  const isClosed = (runner: unknown): boolean => {
    const { databaseConnection } = runner as { databaseConnection: { connection: { stream: { closed: boolean } } } };
    return databaseConnection.connection.stream.closed;
  };
  const me = kind === 'postgres' ? 'pg_backend_pid()' : 'CONNECTION_ID()';
  const within = async (task: (own: OwnConnection, source: DataSource) => Promise<void>) => {
    const source = await new DataSource(options).initialize();
    const createRunner = () => {
      const runner = source.createQueryRunner('master');
      runners.push(runner);
      return runner as OwnRunner;
    };
    const own = new OwnConnection({ createRunner, patienceMs: 20_000, clock: systemClock });
    await task(own, source);
    await own.close();
    await source.destroy();
  };
  const idOn = async (source: Pick<DataSource, 'query'>) => {
    const [row] = (await source.query(`SELECT ${me} AS id`)) as { id: number }[];
    return Number(row?.id);
  };

  it('is another one after a session that failed in a transaction', () =>
    within(async (own, source) => {
      const before = await idOn(source);
      const failing = own.session(async (ask) => {
        await ask('START TRANSACTION');
        await ask('SELECT nothing FROM nowhere');
      });
      await expect(failing).rejects.toThrow(/nowhere/);
      expect(await idOn(source)).not.toBe(before);
    }));

  it('is free again after the server has ended it', () =>
    within(async (own, source) => {
      const killer = await new DataSource(options).initialize();
      const failing = own.session(async (ask) => {
        const id = await idOn({ query: ask } as Pick<DataSource, 'query'>);
        await killer.query(kind === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`);
        await ask('SELECT 1').catch(() => undefined);
        // On PostgreSQL its end is known only from the socket, which says so once.
        while (kind === 'postgres' && !isClosed(runners.at(-1))) await new Promise((resolve) => setImmediate(resolve));
        await ask('SELECT 1');
      });
      await expect(failing).rejects.toThrow();
      expect(await idOn(source)).toBeGreaterThan(0);
      await killer.destroy();
    }));
});
