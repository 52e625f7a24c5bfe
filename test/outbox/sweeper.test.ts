// The sweeper's life: when it sweeps, what it tells, how it fails and ends. Over a Redis and a database in memory.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { Sweeper } from '../../src/outbox/sweeper.js';
import { BATCH_ROWS, MOST_ROWS } from '../../src/outbox/sweep.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { MemoryDatabase, MemoryHistory, type Journal } from './support/memory.js';

const LAMBDA_MS = 3000;
const HOUR_MS = 3_600_000;

let journal: Journal;
let events: CacheEvent[];
let redis: MemoryHistory;
let database: MemoryDatabase;
let clock: FakeClock;
let sweeper: Sweeper;

const sweeps = (): number => journal.filter((step) => step === 'observe').length;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const advance = async (ms: number): Promise<void> => {
  clock.advance(ms);
  redis.now += ms;
  await settled();
};

beforeEach(() => {
  journal = [];
  events = [];
  redis = new MemoryHistory(journal);
  database = new MemoryDatabase(journal);
  clock = new FakeClock();
  sweeper = new Sweeper({
    history: redis,
    database,
    clock,
    lambdaMs: LAMBDA_MS,
    maxTtlMs: () => HOUR_MS,
    random: () => 1,
    emit: (event) => events.push(event),
  });
});

describe('when it sweeps', () => {
  it('at once, again after an adoption, and then every third of lambda', async () => {
    expect(await sweeper.start()).toMatchObject({ outcome: 'complete' });
    expect(events.map(({ kind }) => kind)).toEqual(['adopted']);
    expect(redis.live).toBeDefined();
    const before = sweeps();
    await advance(LAMBDA_MS / 3 - 1);
    expect(sweeps()).toBe(before);
    await advance(1);
    expect(sweeps()).toBe(before + 1);
    await advance(LAMBDA_MS / 3);
    expect(sweeps()).toBe(before + 2);
  });

  it('sooner by chance, so that processes do not march in step', async () => {
    const hasty = new Sweeper({
      history: redis,
      database,
      clock,
      lambdaMs: LAMBDA_MS,
      maxTtlMs: () => HOUR_MS,
      random: () => 0,
      emit: () => undefined,
    });
    await hasty.start();
    const before = sweeps();
    await advance(LAMBDA_MS / 4);
    expect(sweeps()).toBe(before + 1);
  });

  it('until nothing is left, without a pause', async () => {
    await sweeper.start();
    for (let id = 1; id <= 3 * BATCH_ROWS; id += 1) database.commit(id, ['a:1']);
    expect(await sweeper.sweepNow()).toMatchObject({ outcome: 'complete' });
    expect(database.rows).toEqual([]);
  });

  it('one sweep at a time, and once more for what was told while it ran', async () => {
    await sweeper.start();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let running = 0;
    let most = 0;
    database.interfere = async (step) => {
      if (step === 'scan') most = Math.max(most, (running += 1));
      if (step === 'scan') await held;
      if (step === 'swept') running -= 1;
    };
    const before = sweeps();
    const [first, second, third] = [sweeper.sweepNow(), sweeper.sweepNow(), sweeper.sweepNow()];
    release();
    await Promise.all([first, second, third]);
    expect(second).toBe(third);
    expect(sweeps()).toBe(before + 2);
    expect(most).toBe(1);
  });

  it('never again once it is closed between two sweeps', async () => {
    await sweeper.start();
    await sweeper.close();
    expect(clock.waiting).toBe(0);
    expect(await sweeper.sweepNow()).toEqual({ outcome: 'closed' });
  });

  it('never again once it is closed, and lets the running sweep end', async () => {
    await sweeper.start();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    database.commit(1, ['a:1']);
    redis.interfere = (step) => (step === 'invalidate' ? held : undefined);
    const running = sweeper.sweepNow();
    const next = sweeper.sweepNow();
    let closed = false;
    const closing = sweeper.close().then(() => (closed = true));
    await settled();
    expect(closed).toBe(false);
    release();
    await closing;
    expect(await running).toMatchObject({ outcome: 'complete', drained: 1 });
    expect(await next).toEqual({ outcome: 'closed' });
    const before = sweeps();
    await advance(HOUR_MS);
    expect(sweeps()).toBe(before);
    expect(clock.waiting).toBe(0);
  });
});

describe('what it tells', () => {
  it('of rows that it drained, and nothing of idle sweeps', async () => {
    await sweeper.start();
    events.length = 0;
    await sweeper.sweepNow();
    expect(events).toEqual([]);
    database.commit(1, ['a:1'], { ageMs: 40 });
    database.commit(2, ['a:1'], { ageMs: 30 });
    await sweeper.sweepNow();
    expect(events).toEqual([{ kind: 'swept', rows: 2, oldestMs: 40, durationMs: 0 }]);
  });

  it('its state, for the health of the process', async () => {
    expect(sweeper.state).toMatchObject({ adoption: 'adopting', lastSuccess: undefined, watermarkAgeMs: undefined });
    await sweeper.start();
    database.commit(1, undefined);
    database.commit(2, ['a:1'], { intent: true, ageMs: 70 });
    await sweeper.sweepNow();
    await advance(500);
    expect(sweeper.state).toEqual({
      adoption: 'adopted',
      lastSuccess: clock.now() - 500,
      watermarkAgeMs: 500,
      waiting: 1,
      oldestMs: 70,
      poison: 1,
      failures: 0,
    });
  });

  it('that a new epoch has no watermark yet', async () => {
    redis.interfere = (step) => (step === 'keepAlive' ? Promise.reject(new Error('down')) : undefined);
    await sweeper.start();
    expect(sweeper.state).toMatchObject({ adoption: 'adopting', watermarkAgeMs: undefined, failures: 1 });
    await sweeper.close();
  });

  it('that the database follows another Redis: once, until that ends', async () => {
    await sweeper.start();
    events.length = 0;
    database.state = { ...database.state, generation: 9, epoch: 'theirs', silentMs: 0 };
    await sweeper.sweepNow();
    await sweeper.sweepNow();
    expect(events).toEqual([{ kind: 'fenced', generation: 1 }]);
    expect(sweeper.state.adoption).toBe('fenced');
    expect(sweeper.state.watermarkAgeMs).toBeGreaterThan(0);
    database.state = { ...database.state, silentMs: 2 * LAMBDA_MS + 1 };
    await sweeper.sweepNow();
    expect(sweeper.state.adoption).toBe('adopted');
  });
});

describe('how it fails', () => {
  it('with a result and an event, and tries again at its period', async () => {
    await sweeper.start();
    events.length = 0;
    redis.interfere = (step) => (step === 'observe' ? Promise.reject(new Error('down')) : undefined);
    expect(await sweeper.sweepNow()).toMatchObject({ outcome: 'failed', error: { step: 'observe' } });
    await advance(LAMBDA_MS / 3);
    await advance(LAMBDA_MS / 3);
    expect(events).toEqual([{ kind: 'sweepFailed', step: 'observe', error: 'down', failures: 1 }]);
    expect(sweeper.state.failures).toBe(3);
    redis.interfere = () => undefined;
    await advance(LAMBDA_MS / 3);
    expect(sweeper.state.failures).toBe(0);
  });

  it('tries again soon while it has never swept: after 25 ms, doubled up to its period', async () => {
    redis.interfere = (step) => (step === 'observe' ? Promise.reject(new Error('down')) : undefined);
    await sweeper.start();
    for (const pause of [25, 50, 100, 200, 400, 800, LAMBDA_MS / 3, LAMBDA_MS / 3]) {
      const before = sweeps();
      await advance(pause - 1);
      expect(sweeps()).toBe(before);
      await advance(1);
      expect(sweeps()).toBe(before + 1);
    }
  });

  it('and reminds of a failure that goes on once a minute', async () => {
    await sweeper.start();
    events.length = 0;
    database.interfere = () => Promise.reject(new Error('down'));
    for (let second = 0; second < 121; second += 1) await advance(LAMBDA_MS / 3);
    expect(events.map((event) => event.kind === 'sweepFailed' && event.failures)).toEqual([1, 61, 121]);
  });

  it('and still bounds the table while Redis is away', async () => {
    await sweeper.start();
    for (let id = 0; id <= MOST_ROWS; id += 1) database.commit(id, ['a:1']);
    redis.interfere = () => Promise.reject(new Error('down'));
    await sweeper.sweepNow();
    expect(database.rows).toHaveLength(1);
  });

  it('a sweep without an answer is given up, and another one tried', async () => {
    await sweeper.start();
    let hanging = true;
    database.interfere = () => (hanging ? new Promise(() => undefined) : undefined);
    const stuck = sweeper.sweepNow();
    await settled();
    await advance(5 * LAMBDA_MS);
    await advance(5 * LAMBDA_MS);
    expect(await stuck).toMatchObject({ outcome: 'failed', error: { step: 'deadline' } });
    hanging = false;
  });

  it('at most two hang at a time', async () => {
    await sweeper.start();
    const scans = (): number => journal.filter((step) => step === 'scan').length;
    const before = scans();
    const releases: (() => void)[] = [];
    database.interfere = () => new Promise<void>((resolve) => releases.push(resolve));
    for (let round = 0; round < 40; round += 1) await advance(LAMBDA_MS);
    expect(scans() - before).toBe(2);
    database.interfere = () => undefined;
    for (const release of releases) release();
    await settled();
    await advance(LAMBDA_MS);
    expect(sweeper.state.failures).toBe(0);
  });

  it('what hangs for ever is taken for lost, and does not stop the sweeper for ever', async () => {
    await sweeper.start();
    database.interfere = () => new Promise(() => undefined);
    for (let round = 0; round < 20; round += 1) await advance(LAMBDA_MS);
    database.interfere = () => undefined;
    await advance(LAMBDA_MS);
    expect(sweeper.state.failures).toBeGreaterThan(0);
    for (let round = 0; round < 100; round += 1) await advance(LAMBDA_MS);
    expect(sweeper.state.failures).toBe(0);
  });
});

describe('what it prunes', () => {
  it('invalidations older than any entry, once a minute', async () => {
    await sweeper.start();
    const reached: number[] = [];
    for (let minute = 0; minute < 65; minute += 1) {
      database.commit(minute, ['a:1']);
      await advance(60_000);
      await sweeper.sweepNow();
      reached.push(redis.seq);
    }
    expect(redis.pruned.length).toBeGreaterThan(0);
    // One hour of life and one minute of margin before the last sweep.
    expect(redis.pruned.at(-1)).toBeLessThanOrEqual(reached.at(-62) as number);
    expect(redis.pruned.at(-1)).toBeGreaterThanOrEqual(reached.at(-64) as number);
  });

  it('nothing that another epoch counted', async () => {
    await sweeper.start();
    for (let minute = 0; minute < 60; minute += 1) await advance(60_000);
    redis.lose();
    redis.seq = 1;
    for (let minute = 0; minute < 60; minute += 1) await advance(60_000);
    expect(redis.pruned).toEqual([]);
  });

  it('and a failure of that is told, but does not undo the sweep', async () => {
    await sweeper.start();
    redis.interfere = (step) => (step === 'prune' ? Promise.reject(new Error('down')) : undefined);
    for (let minute = 0; minute < 63; minute += 1) await advance(60_000);
    expect(events.at(-1)).toMatchObject({ kind: 'sweepFailed', step: 'prune' });
    expect(await sweeper.sweepNow()).toMatchObject({ outcome: 'complete' });
  });
});
