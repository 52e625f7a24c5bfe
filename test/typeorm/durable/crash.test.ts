// A process that dies between COMMIT and its invalidation: another one finds its row, or nothing is served any more.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { Grade, Lab, warm, type Node } from './support/lab.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open('durable_crash');
});
afterAll(() => lab.close());
beforeEach(() => lab.reset());
afterEach(() => lab.closeNodes());

/** It dies as far as Redis can tell: neither invalidates nor sweeps from here on. */
function die({ redis }: Node) {
  const bump = redis.hold('bump');
  const observe = redis.hold('observe');
  return {
    arrived: bump.arrived,
    revive: () => {
      observe.open();
      bump.open();
    },
  };
}

const write = ({ db }: Node) => db.manager.save(Grade, { id: 1, studentId: 1, score: 99 });

it('RACE crash before the invalidation: another process brings it into force, and the writer hears of that', async () => {
  // Its own hold is longer than this test.
  const dying = await lab.node({ cache: { redisDeadline: '50ms', lambda: '60s' } });
  const other = await lab.node({ cache: { lambda: '900ms' } });
  await warm(dying, other);
  const { arrived, revive } = die(dying);
  const started = performance.now();
  const writing = write(dying);
  await arrived;
  expect(await lab.score()).toBe(99);
  await eventually('the new report', async () => (await other.read()).scores[0] === 99);
  // The row goes after its tags are in force.
  await eventually('the sweep', async () => other.eventsOf('swept').length > 0);
  expect(other.eventsOf('swept')).toMatchObject([{ rows: 1 }]);
  await writing;
  expect(dying.eventsOf('released')).toEqual([]);
  // Long before its own lambda, a minute, whatever else this machine does.
  expect(performance.now() - started).toBeLessThan(20_000);
  expect(await lab.rows()).toEqual([]);
  revive();
});

it('RACE crash of the last sweeper: after lambda nothing is served, by anybody, until somebody sweeps', async () => {
  const dying = await lab.node({ cache: { redisDeadline: '50ms', lambda: '600ms' } });
  const reader = await lab.node({ connect: { durable: false }, cache: { lambda: '600ms' } });
  await warm(dying, reader);
  const { arrived, revive } = die(dying);
  const writing = write(dying);
  await arrived;
  await eventually('a dead watermark', async () => !(await reader.read()).hit);
  expect(reader.eventsOf('bypass').at(-1)).toMatchObject({ reason: 'unavailable', detail: 'watermark' });
  expect(reader.eventsOf('watermark').at(-1)).toMatchObject({ state: 'dead' });
  expect(await reader.reports.health()).toMatchObject({ state: 'down', reasons: ['watermark-dead'] });
  expect(await reader.read()).toEqual({ scores: [99], hit: false });
  expect(await reader.read()).toEqual({ scores: [99], hit: false });
  expect(await lab.rows()).toHaveLength(1);
  await writing;
  revive();
  await warm(reader);
  expect((await reader.read()).scores).toEqual([99]);
  await eventually('an empty outbox', async () => (await lab.rows()).length === 0);
});

it('RACE memory under a lease: no older than lambda and a lease either', async () => {
  const types = { student_progress: { consistency: 'lease' as const } };
  const dying = await lab.node({ cache: { redisDeadline: '50ms', lambda: '600ms', types } });
  const reader = await lab.node({ connect: { durable: false }, cache: { types } });
  await warm(dying, reader);
  const { arrived, revive } = die(dying);
  const writing = write(dying);
  await arrived;
  await eventually('an end of the lease', async () => !(await reader.read()).hit);
  expect(await reader.read()).toEqual({ scores: [99], hit: false });
  await writing;
  revive();
});

it('a writer whose invalidation nobody takes is answered after lambda and a lease', async () => {
  const alone = await lab.node({ cache: { redisDeadline: '50ms', lambda: '600ms' } });
  await warm(alone);
  const { arrived, revive } = die(alone);
  const started = performance.now();
  const writing = write(alone);
  await arrived;
  await writing;
  expect(performance.now() - started).toBeGreaterThanOrEqual(700);
  expect(alone.eventsOf('released')).toHaveLength(1);
  // Here nothing of it is served even now.
  expect(await alone.read()).toEqual({ scores: [99], hit: false });
  revive();
});
