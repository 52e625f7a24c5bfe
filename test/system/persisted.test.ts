// Reports that outlive everything but the database: no process, no Redis has to remember them, and none brings an old one back.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { outboxMigrations, persistMigrations } from '../../src/index.js';
import { gate } from '../support/gate.js';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';
import { Grade, School, type Process } from './school.js';

const types = { student_progress: { ttl: 'forever', persist: true } } as const;

let redis: PrivateRedis;
let school: School;
beforeEach(async () => {
  redis = await startPrivateRedis();
});
afterEach(async () => {
  await school.close();
  await redis.stop();
});

async function get({ app }: Process, path = '/students/1') {
  const answer = await request(app).get(path).set('x-user', 'u1');
  return {
    label: answer.get('x-cache'),
    layer: /detail=(\w+)/.exec(answer.get('cache-status') ?? '')?.[1],
    scores: (answer.body as { score: number }[]).map(({ score }) => score),
  };
}

async function grade({ dataSource }: Process, id: number, score: number) {
  const row = await dataSource.getRepository(Grade).findOneByOrFail({ id });
  await dataSource.getRepository(Grade).save({ ...row, score });
}

const SET_UPS = [
  ['Redis and the outbox', true, [...outboxMigrations, ...persistMigrations]],
  ['Redis without the outbox', true, persistMigrations],
  ['memory alone', false, persistMigrations],
] as const;

describe.each(SET_UPS)('persisted reports behind %s', (_name, shared, migrations) => {
  const start = (options = {}) =>
    school.process({ types, shared: shared && redis.url, client: { retryStrategy: () => 20 } as never, ...options });
  /** Every process ends and Redis forgets everything. */
  const loseEverything = async (...processes: Process[]) => {
    for (const process of processes) await process.end();
    await redis.restart();
  };
  beforeEach(async () => {
    school = await School.open(migrations);
  });

  it('are served by a new process over an empty Redis, without being computed again', async () => {
    const a = await start();
    expect(await get(a)).toMatchObject({ label: 'MISS', scores: [50] });
    await loseEverything(a);
    const b = await start();
    expect(await get(b)).toEqual({ label: 'HIT', layer: 'database', scores: [50] });
    expect(await get(b)).toEqual({ label: 'HIT', layer: 'memory', scores: [50] });
    expect(b.computed()).toBe(0);
  });

  it('are served by no layer after a change, and not brought back by the next restart', async () => {
    const a = await start();
    await get(a);
    await grade(a, 1, 77);
    expect(await get(a)).toMatchObject({ label: 'MISS', scores: [77] });
    await grade(a, 1, 78);
    await loseEverything(a);
    const b = await start();
    expect(await get(b)).toMatchObject({ label: 'MISS', scores: [78] });
    await loseEverything(b);
    const c = await start();
    expect(await get(c)).toEqual({ label: 'HIT', layer: 'database', scores: [78] });
    await grade(c, 1, 79);
    expect(await get(c)).toMatchObject({ label: 'MISS', scores: [79] });
  });

  it('are found again after memory was dropped', async () => {
    const a = await start();
    await get(a);
    // Its reader has his answer before it is stored.
    while (!a.events.some(({ kind }) => kind === 'stored')) await new Promise((resolve) => setImmediate(resolve));
    a.reports.evict();
    expect(await get(a)).toEqual({ label: 'HIT', layer: shared ? 'redis' : 'database', scores: [50] });
  });

  it('that were not asked to be are not', async () => {
    const a = await start({ types: {} });
    await get(a);
    const [row] = await a.dataSource.query(`SELECT count(*) AS held FROM "${school.schema}".report_cache_entry`);
    expect(row).toEqual({ held: '0' });
  });
});

describe('persisted reports in trouble', () => {
  const start = (options = {}) =>
    school.process({ types, shared: redis.url, client: { retryStrategy: () => 20 } as never, ...options });
  const table = (name: string) => `"${school.schema}".report_cache_${name}`;
  const eventually = async (test: () => boolean | Promise<boolean>) => {
    while (!(await test())) await new Promise((resolve) => setImmediate(resolve));
  };
  beforeEach(async () => {
    school = await School.open([...outboxMigrations, ...persistMigrations]);
  });

  it('are served, and stored, while Redis is away', async () => {
    const a = await start();
    await get(a);
    await redis.kill();
    expect(await get(a)).toEqual({ label: 'HIT', layer: 'database', scores: [50] });
    expect(await get(a, '/students/2')).toMatchObject({ label: 'MISS', scores: [60] });
    expect(await get(a, '/students/2')).toEqual({ label: 'HIT', layer: 'database', scores: [60] });
    await redis.restart();
  });

  it('RACE: computed while Redis was restarted they are kept; not if something has changed', async () => {
    const a = await start();
    for (const [student, change] of [
      [1, false],
      [2, true],
    ] as const) {
      const [reached, passed] = [gate(), gate()];
      a.pause = () => (reached.open(), passed.opened);
      const reading = get(a, `/students/${student}`);
      await reached.opened;
      await redis.restart();
      if (change) await grade(await start(), student, 77);
      passed.open();
      await reading;
    }
    a.pause = async () => undefined;
    await a.end();
    await redis.restart();
    const next = await start();
    expect(await get(next, '/students/1')).toEqual({ label: 'HIT', layer: 'database', scores: [50] });
    expect(await get(next, '/students/2')).toMatchObject({ label: 'MISS', scores: [77] });
  });

  it('are old to nobody while the database does not take the invalidation, and the writer waits', async () => {
    const a = await start({ databaseDeadline: '200ms', hold: '1m', lambda: '20s' });
    const b = await start({ databaseDeadline: '200ms', lambda: '20s' });
    await get(a);
    const locker = b.dataSource.createQueryRunner();
    await locker.startTransaction();
    await locker.query(`SELECT seq FROM ${table('position')} WHERE namespace = '${school.namespace}' FOR UPDATE`);
    let answered = false;
    const writing = grade(a, 1, 77).then(() => (answered = true));
    await eventually(() => a.events.some(({ kind }) => kind === 'invalidateFailed'));
    // In Redis it is in force already; the database still has the old row, and a row of the outbox that says so.
    expect(await get(b)).toMatchObject({ label: 'MISS', scores: [77] });
    expect(await get(a)).toMatchObject({ scores: [77] });
    expect(answered).toBe(false);
    await locker.rollbackTransaction();
    await locker.release();
    await writing;
    expect(await get(b)).toMatchObject({ scores: [77] });
  });

  it.each([
    ['with Redis', true],
    ['without it', false],
  ])(
    'of a writer that died between his COMMIT and the invalidation are served to nobody (%s)',
    async (_name, shared) => {
      const a = await start({ shared: shared && redis.url });
      await get(a);
      await a.end();
      await redis.restart();
      // What such a writer leaves: the change and the row, and nobody has been told.
      await a.dataSource.transaction(async (manager) => {
        await manager.query(`UPDATE "${school.schema}"."grade" SET score = 77 WHERE id = 1`);
        await manager.query(
          `INSERT INTO ${table('outbox')} (namespace, tags) VALUES ('${school.namespace}', 'student:1 table:grade')`,
        );
      });
      const b = await start({ shared: shared && redis.url });
      expect(await get(b)).toMatchObject({ label: 'MISS', scores: [77] });
      const waiting = async () => {
        const [row] = await b.dataSource.query(`SELECT count(*) AS left FROM ${table('outbox')}`);
        return Number(row.left);
      };
      await eventually(async () => (await waiting()) === 0);
      const [entry] = await b.dataSource.query(`SELECT count(*) AS tags FROM ${table('tag')} WHERE tag = 'student:1'`);
      expect(entry).toEqual({ tags: '1' });
      expect(await get(b)).toMatchObject({ scores: [77] });
    },
  );

  it('find a way while every connection of the pool is held', async () => {
    const a = await start({ pool: 2, databaseDeadline: '200ms' });
    await get(a);
    a.reports.evict();
    await redis.restart();
    const held = [a.dataSource.createQueryRunner(), a.dataSource.createQueryRunner()];
    for (const one of held) await one.connect();
    // No place in the pool for the look-up: it is given up, and the report computed as soon as there is one.
    const reading = get(a);
    await eventually(() => a.events.some((event) => event.kind === 'layerFailed' && event.layer === 'database'));
    for (const one of held) await one.release();
    expect((await reading).scores).toEqual([50]);
    await eventually(async () => (await get(a)).label === 'HIT');
  });

  it('are pruned when that is asked for', async () => {
    const a = await start();
    await get(a);
    await get(a, '/students/2');
    await grade(a, 2, 61);
    expect(await a.reports.prune()).toEqual({ student_progress: 1 });
    expect(await a.reports.prune()).toEqual({});
  });

  it('are demanded where the tables are missing: an error; hoped for: an advice', async () => {
    await school.close();
    school = await School.open();
    const a = await start();
    expect(a.events).toContainEqual(expect.objectContaining({ kind: 'advice', code: 'persist-off' }));
    await expect(a.reports.connect(a.dataSource, { persist: true })).rejects.toMatchObject({ code: 'ERC_PERSIST' });
    expect(await get(a)).toMatchObject({ label: 'MISS' });
    expect(await a.reports.prune()).toEqual({});
  });
});
