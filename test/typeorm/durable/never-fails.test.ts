// A write never fails because of the cache, and waits for it no longer than it says.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startPrivateRedis } from '../../support/private-redis.js';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';

let lab: Lab;
let undo: (() => Promise<unknown>) | undefined;
const role = `erc_limited_${process.pid}`;
beforeAll(async () => {
  lab = await Lab.open('durable_faults');
  await lab.outside.query(`CREATE ROLE ${role} LOGIN`);
  await lab.outside.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
});
afterAll(async () => {
  await lab.closeNodes();
  await lab.outside.query(`DROP OWNED BY ${role}`);
  await lab.outside.query(`DROP ROLE ${role}`);
  await lab.close();
});
beforeEach(() => lab.reset());
afterEach(async () => {
  await undo?.();
  undo = undefined;
  await lab.closeNodes();
});

const outside = (sql: string) => lab.outside.query(sql) as Promise<unknown>;

/** A transaction that writes one grade, and a statement that writes the other. */
async function writeBoth({ db }: Node): Promise<void> {
  await db.transaction(async (manager) => {
    await manager.save(Grade, { id: 1, studentId: 1, score: 98 });
    await manager.query('SELECT 1');
  });
  await db.manager.update(Grade, { id: 2 }, { score: 99 });
}

async function assertWritten(node: Node): Promise<void> {
  expect([await lab.score(1), await lab.score(2)]).toEqual([98, 99]);
  expect((await node.read(1)).scores).toEqual([98]);
  expect((await node.read(2)).scores).toEqual([99]);
}

/** Announcements of statements stay while they are young. */
const drained = () => eventually('a drained outbox', async () => (await lab.rows()).every(({ intent }) => intent));

describe('the outbox cannot be written: the transaction commits all the same, and the cache is told', () => {
  const limited = () => {
    const url = new URL((lab.options as { url: string }).url);
    url.username = role;
    return url.href;
  };

  it.each([
    [
      'its table is gone',
      () => outside('ALTER TABLE report_cache_outbox RENAME TO hidden'),
      () => outside('ALTER TABLE hidden RENAME TO report_cache_outbox'),
      /does not exist/,
    ],
    [
      'its permission was taken away',
      () => outside(`REVOKE INSERT ON report_cache_outbox FROM ${role}`),
      () => outside(`GRANT INSERT ON report_cache_outbox TO ${role}`),
      /permission denied/,
    ],
    [
      'the insert raises an error',
      async () => {
        await outside(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'refused by a trigger'; END $$`);
        await outside('CREATE TRIGGER refuse BEFORE INSERT ON report_cache_outbox EXECUTE FUNCTION refuse()');
      },
      () => outside('DROP TRIGGER refuse ON report_cache_outbox'),
      /refused by a trigger/,
    ],
  ])('%s', async (_name, cause, restore, message) => {
    const node = await lab.node({ source: { url: limited() } as object });
    await warm(node);
    await cause();
    undo = restore;
    await writeBoth(node);
    await assertWritten(node);
    const failures = node.eventsOf('outboxFailed').filter(({ operation }) => operation === 'write');
    expect(failures).toHaveLength(2);
    expect(failures[0]?.error).toMatch(message);
  });

  it('the state cannot be read: sweeps fail and are told of, and the watermark dies', async () => {
    const node = await lab.node({ source: { url: limited() } as object, cache: { lambda: '600ms' } });
    await warm(node);
    await outside(`REVOKE SELECT ON report_cache_state FROM ${role}`);
    undo = () => outside(`GRANT SELECT ON report_cache_state TO ${role}`);
    await writeBoth(node);
    await assertWritten(node);
    await eventually('a dead watermark', async () => (await node.reports.health()).state === 'down');
    const told = node.eventsOf('sweepFailed');
    expect(told[0]).toMatchObject({ step: 'scan', error: expect.stringMatching(/permission denied/) });
    // Each reason once: on a busy machine a sweep may be too late, besides.
    expect(new Set(told.map(({ error }) => error)).size).toBe(told.length);
    expect((await node.reports.health()).reasons).toEqual(['watermark-dead', 'sweeps-failing']);
    expect((await node.read()).hit).toBe(false);
    await undo();
    undo = undefined;
    await warm(node);
    expect((await node.reports.health()).state).toBe('ready');
    await drained();
  });

  it('every connection of the process was cut: the next write finds a new one, and sweeps go on', async () => {
    const node = await lab.node({ cache: { lambda: '600ms' } });
    await warm(node);
    await outside(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await eventually('a write', () => writeBoth(node).then(() => true, () => false)); // prettier-ignore
    await assertWritten(node);
    await warm(node);
  });
});

describe('Redis', () => {
  it('is down: writers are answered after lambda and a lease, and nothing old is served when it is back', async () => {
    const redis = await startPrivateRedis();
    const node = await lab.node({ redis: redis.url, cache: { redisDeadline: '50ms', lambda: '400ms' } });
    try {
      await warm(node);
      await redis.stop();
      const started = performance.now();
      await writeBoth(node);
      // Two writes; each waits for lambda, the lease and its margin.
      expect(performance.now() - started).toBeGreaterThanOrEqual(2 * 500);
      expect(node.eventsOf('released')).toHaveLength(2);
      await assertWritten(node);
      expect((await node.reports.health()).reasons).toEqual(
        expect.arrayContaining(['store-unreachable', 'invalidations-late', 'sweeps-failing']),
      );
      expect(await lab.rows()).toHaveLength(2);
      await redis.restart();
      await warm(node);
      await assertWritten(node);
      // The announcement of the statement too, although it is young: its statement is done.
      await eventually('an empty outbox', async () => (await lab.rows()).length === 0);
      await eventually('good health', async () => (await node.reports.health()).state === 'ready');
    } finally {
      await node.close();
      await redis.stop();
    }
  });

  it('hangs, marks and all: the same', async () => {
    const node = await lab.node({ cache: { redisDeadline: '50ms', lambda: '400ms', mark: true, markTtl: '1s' } });
    await warm(node);
    for (const script of ['mark', 'bump', 'clear', 'observe'] as const) node.redis.hold(script);
    await writeBoth(node);
    expect(node.eventsOf('released')).toHaveLength(2);
    await assertWritten(node);
    node.redis.open();
    await warm(node);
    await assertWritten(node);
  });

  it('answers `answer`: the writer does not wait', async () => {
    const node = await lab.node({ cache: { redisDeadline: '50ms', lambda: '60s', onInvalidateError: 'answer' } });
    await warm(node);
    node.redis.refuse('bump');
    await writeBoth(node);
    expect(node.eventsOf('released')).toHaveLength(2);
    await assertWritten(node);
  });
});
