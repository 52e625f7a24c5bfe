// The statements of a refresh on a real PostgreSQL: what is in it, what it says of itself, and what it leaves behind.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { viewHostOf } from '../../src/connect-views.js';
import type { Clock } from '../../src/contract/clock.js';
import type { RefreshParts, ViewDatabase } from '../../src/views/database.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { Grade, Lab } from './support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

const opened: DataSource[] = [];
beforeEach(() => lab.reset());
afterEach(async () => {
  for (const source of opened.splice(0)) await source.destroy();
});

const view = { name: 'class_stats', relation: '"class_stats"' };

async function open(poolSize = 5, clock: Clock = new FakeClock()): Promise<ViewDatabase & { pool: DataSource }> {
  const pool = await new DataSource({ type: 'postgres', url: lab.url, entities: [Grade], poolSize }).initialize();
  opened.push(pool);
  const { database } = viewHostOf(pool as never, lab.namespace, clock);
  return Object.assign(database as ViewDatabase, { pool });
}

const parts = (more: Partial<RefreshParts> = {}): RefreshParts => ({
  position: async () => ({ epoch: 'e', seq: 5 }),
  isCurrent: async () => false,
  timeoutMs: 60_000,
  ...more,
});

const grade = (score: number) => lab.outside.query('UPDATE grade SET score = $1', [score]);

describe('a refresh', () => {
  it('RACE contains what was committed before its position was captured and its time taken', async () => {
    const database = await open();
    const attempt = await database.refresh(
      view,
      parts({
        position: async () => {
          await grade(77);
          return { epoch: 'e', seq: 5 };
        },
      }),
    );
    expect(attempt).toMatchObject({
      outcome: 'done',
      state: { position: { epoch: 'e', seq: 5 }, number: 1, told: false },
    });
    expect(await lab.average()).toBe(77);
  });

  it('RACE does so where transactions read from one snapshot by default', async () => {
    const name = new URL(lab.url).pathname.slice(1);
    await lab.outside.query(`ALTER DATABASE ${name} SET default_transaction_isolation = 'repeatable read'`);
    try {
      const database = await open();
      const position = async () => {
        await grade(78);
        return { epoch: 'e', seq: 5 };
      };
      await database.refresh(view, parts({ position }));
      expect(await lab.average()).toBe(78);
    } finally {
      await lab.outside.query(`ALTER DATABASE ${name} RESET default_transaction_isolation`);
    }
  });

  it('is of one process at a time, and another view is none of its business', async () => {
    await lab.outside.query('CREATE MATERIALIZED VIEW second AS SELECT 1 AS one');
    const [one, other] = [await open(), await open()];
    const seen: string[] = [];
    const attempt = await one.refresh(
      view,
      parts({
        position: async () => {
          seen.push((await other.refresh(view, parts())).outcome);
          seen.push((await other.refresh({ name: 'second', relation: '"second"' }, parts())).outcome);
          return { epoch: 'e', seq: 5 };
        },
      }),
    );
    expect([...seen, attempt.outcome]).toEqual(['busy', 'done', 'done']);
    expect((await other.refresh(view, parts())).outcome).toBe('done');
    await lab.outside.query('DROP MATERIALIZED VIEW second');
  });

  it('is left out where somebody else has done it: asked under the lock, of what he has left', async () => {
    const [one, other] = [await open(), await open()];
    await one.refresh(view, parts({ position: async () => ({ epoch: 'e', seq: 9 }) }));
    await grade(99);
    const attempt = await other.refresh(view, parts({ isCurrent: async ({ position }) => position.seq === 9 }));
    expect(attempt).toMatchObject({ outcome: 'current', state: { number: 1 } });
    expect(await lab.average()).toBe(10);
  });

  it('that fails leaves its connection to others as it was', async () => {
    const database = await open(1);
    const broken = parts({ position: () => Promise.reject(new Error('broken')) });
    await expect(database.refresh(view, broken)).rejects.toThrow('broken');
    await lab.outside.query('ALTER TABLE grade RENAME COLUMN score TO points');
    await lab.outside.query('DROP MATERIALIZED VIEW class_stats');
    await expect(database.refresh(view, parts())).rejects.toThrow();
    await lab.outside.query('ALTER TABLE grade RENAME COLUMN points TO score');
    // No transaction is open on it, and none has failed.
    await database.pool.query('SELECT 1');
    expect(await database.pool.query('SELECT pg_current_xact_id_if_assigned() AS xid')).toEqual([{ xid: null }]);
    expect(await database.read()).toEqual(new Map());
  });

  it('without an answer is given up after its time, and its connection with it', async () => {
    const clock = new FakeClock();
    const database = await open(1, clock);
    const held = await lab.holdRefreshes();
    const attempt = database.refresh(view, parts());
    attempt.catch(() => undefined);
    await held.arrived();
    clock.advance(65_000);
    await expect(attempt).rejects.toThrow(/terminated/);
    await held.release();
    expect((await database.refresh(view, parts())).outcome).toBe('done');
  });

  it('can be broken off', async () => {
    const database = await open();
    const held = await lab.holdRefreshes();
    const attempt = database.refresh(view, parts());
    attempt.catch(() => undefined);
    await held.arrived();
    database.abort();
    await expect(attempt).rejects.toThrow(/terminated/);
    await held.release();
    expect(await database.read()).toEqual(new Map());
  });
});

describe('what is kept of it', () => {
  it('counts refreshes, and knows of each whether it was told of', async () => {
    const database = await open();
    await database.refresh(view, parts());
    await database.refresh(view, parts());
    await database.told('class_stats', 1);
    expect((await database.read()).get('class_stats')).toMatchObject({ number: 2, told: false });
    await database.told('class_stats', 2);
    expect((await database.read()).get('class_stats')?.told).toBe(true);
  });

  it('moves on, but never back, nor to another history, nor that of another refresh', async () => {
    const database = await open();
    await database.refresh(view, parts());
    const seq = async () => (await database.read()).get('class_stats')?.position.seq;
    await database.moveOn('class_stats', 1, { epoch: 'e', seq: 3 });
    await database.moveOn('class_stats', 1, { epoch: 'f', seq: 8 });
    await database.moveOn('class_stats', 2, { epoch: 'e', seq: 8 });
    expect(await seq()).toBe(5);
    await database.moveOn('class_stats', 1, { epoch: 'e', seq: 8 });
    expect(await seq()).toBe(8);
  });

  it('finds a view, and tells it from what is none', async () => {
    const database = await open();
    expect(await database.find('"class_stats"')).toBe('materialised');
    expect(await database.find('"grade"')).toBe('plain');
    expect(await database.find('"nothing"')).toBe('absent');
    expect(await database.isInstalled()).toBe(true);
  });
});
