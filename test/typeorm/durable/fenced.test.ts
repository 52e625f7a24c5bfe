// Fenced answers: a writer goes on only when the database confirms which Redis was told.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open('durable_fenced');
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());
afterEach(() => lab.closeNodes());

const fenced = { fencedAnswers: true };
const write = ({ db }: Node) => db.manager.save(Grade, { id: 1, studentId: 1, score: 99 });
/** lambda and the lease of these tests. */
const SETTLE_MS = 500;
const quick = { lambda: '400ms' } as const;
/** Older than that, an epoch leaves nobody behind. */
const oldEpoch = async (node: Node) => {
  await warm(node);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
};

it('is answered when its row is gone under the fence, and not before', async () => {
  const node = await lab.node({ connect: fenced, cache: quick });
  await oldEpoch(node);
  const bump = node.redis.hold('bump');
  const writing = write(node);
  await bump.arrived;
  const holder = lab.outside.createQueryRunner();
  await holder.startTransaction();
  await holder.query(`SELECT 1 FROM report_cache_outbox WHERE namespace = '${lab.namespace}' FOR UPDATE`);
  bump.open();
  let answered = false;
  void writing.then(() => (answered = true));
  await eventually('a DELETE that waits', async () => {
    const rows = (await lab.outside.query(
      `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%DELETE FROM report_cache_outbox%' AND datname = current_database()`,
    )) as unknown[];
    return rows.length > 0;
  });
  expect(answered).toBe(false);
  await holder.commitTransaction();
  await holder.release();
  await writing;
  expect(await lab.rows()).toEqual([]);
});

it('RACE fenced out: the database follows another history, so the writer waits for lambda and a lease, and the row stays', async () => {
  const node = await lab.node({ connect: fenced, cache: quick });
  await oldEpoch(node);
  node.redis.hold('observe');
  await lab.outside.query(
    `UPDATE report_cache_state SET epoch = 'another', generation = generation + 1 WHERE namespace = '${lab.namespace}'`,
  );
  const started = performance.now();
  await write(node);
  expect(performance.now() - started).toBeGreaterThanOrEqual(SETTLE_MS);
  expect(await lab.rows()).toHaveLength(1);
});

it('RACE the same without a row, which could not be written', async () => {
  const node = await lab.node({ connect: fenced, cache: quick });
  await oldEpoch(node);
  node.redis.hold('observe');
  await lab.outside.query(
    `UPDATE report_cache_state SET epoch = 'another', generation = generation + 1 WHERE namespace = '${lab.namespace}'`,
  );
  await lab.outside.query('ALTER TABLE report_cache_outbox RENAME TO hidden');
  const started = performance.now();
  await write(node);
  const took = performance.now() - started;
  await lab.outside.query('ALTER TABLE hidden RENAME TO report_cache_outbox');
  expect(took).toBeGreaterThanOrEqual(SETTLE_MS);
});

it('RACE a young epoch: what the one before it may still serve must have ended', async () => {
  const started = performance.now();
  const node = await lab.node({ connect: fenced, cache: quick });
  await write(node);
  expect(performance.now() - started).toBeGreaterThanOrEqual(SETTLE_MS);
});

it('RACE drained by another process: that it is gone says nothing about how old that epoch is', async () => {
  const node = await lab.node({ connect: fenced, cache: { ...quick, redisDeadline: '50ms' } });
  await oldEpoch(node);
  const bump = node.redis.hold('bump');
  node.redis.hold('observe');
  const started = performance.now();
  const writing = write(node);
  await bump.arrived;
  await lab.outside.query(`DELETE FROM report_cache_outbox WHERE namespace = '${lab.namespace}'`);
  await writing;
  expect(performance.now() - started).toBeGreaterThanOrEqual(SETTLE_MS);
});

it('statements outside transactions are fenced too', async () => {
  const node = await lab.node({ connect: fenced, cache: quick });
  await oldEpoch(node);
  await node.db.manager.update(Grade, { id: 1 }, { score: 99 });
  expect(await lab.rows()).toEqual([]);
  expect((await node.read()).scores).toEqual([99]);
});
