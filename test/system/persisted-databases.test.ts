// Values that outlive their process, through the DataSource of each kind of database.
import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { createReportCache, tag, type ReportCache } from '../../src/index.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';
import { PersistedDatabase, type Kind } from '../stores/support/persisted.js';

@Entity('mark')
class Mark {
  @PrimaryColumn('int') id!: number;
  @Column('int') student!: number;
  @Column('int') score!: number;
}

const SET_UPS: readonly (readonly [Kind, boolean])[] = [
  ['postgres', false],
  ['mysql', true],
  ['mysql', false],
  ['sqljs', true],
  ['sqljs', false],
];

describe.each(SET_UPS)('%s, with Redis: %s', (kind, shared) => {
  if (kind === 'mysql' && !process.env['MYSQL_URL']) {
    it.todo('needs MYSQL_URL or a server on 127.0.0.1:3306');
    return;
  }
  let database: PersistedDatabase;
  const running: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    database = await PersistedDatabase.open(kind, { entities: [Mark] });
  });
  afterEach(async () => {
    for (const end of running.splice(0)) await end();
  });
  afterAll(() => database.close());

  /** A process; a Redis that came back empty is another version of it. */
  const start = async (namespace: string, redisNumber: string) => {
    const redis = shared ? new Redis(redisUrl(), { keyPrefix: `${redisNumber}:` }) : undefined;
    if (redis) await redis.ping();
    const reports: ReportCache = createReportCache({
      ...(redis && { redis }),
      namespace,
      identify: () => ({ user: 'u' }),
      redisDeadline: '5s',
      databaseDeadline: '5s',
      types: { insight: { persist: true, ttl: 'forever' } },
    });
    reports.cascade(Mark, { student: 'student' });
    await reports.connect(database.source, { persist: true });
    let computed = 0;
    const read = async () =>
      reports.getOrLoad({ type: 'insight', report: 'sum', share: 'everyone', tags: [tag('student', 1)] }, async () => {
        computed += 1;
        const marks = await database.source.manager.find(Mark, { where: { student: 1 } });
        return { sum: marks.reduce((sum, { score }) => sum + score, 0), at: new Date(0) };
      });
    let ended: Promise<void> | undefined;
    const end = () => {
      ended ??= (async () => {
        await reports.close();
        reports.disconnect(database.source).catch(() => undefined);
        redis?.disconnect();
      })();
      return ended;
    };
    running.push(end);
    return { reports, read, end, computed: () => computed };
  };

  it('a value comes back in the next process, and never an old one', async () => {
    const namespace = ownNamespace();
    await database.source.manager.clear(Mark);
    await database.source.manager.insert(Mark, { id: 1, student: 1, score: 5 });
    const a = await start(namespace, 'a');
    expect((await a.read()).sum).toBe(5);
    await a.end();
    const b = await start(namespace, 'b');
    expect(await b.read()).toEqual({ sum: 5, at: new Date(0) });
    expect(b.computed()).toBe(0);
    await database.source.transaction((manager) => manager.save(Mark, { id: 1, student: 1, score: 7 }));
    await b.end();
    const c = await start(namespace, 'c');
    expect((await c.read()).sum).toBe(7);
    expect(c.computed()).toBe(1);
    await c.reports.deleteReport('sum');
    expect((await c.reports.prune())['insight']).toBe(1);
    expect((await c.read()).sum).toBe(7);
    expect(c.computed()).toBe(2);
  });
});
