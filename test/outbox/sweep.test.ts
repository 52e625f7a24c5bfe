// One sweep at a time over a Redis and a database in memory: what is claimed, what is removed, who is believed.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import {
  BATCH_ROWS,
  boundOutbox,
  INTENT_MS,
  MOST_ROWS,
  sweep,
  SweepFailure,
  type Sweep,
} from '../../src/outbox/sweep.js';
import { LateRows } from '../../src/outbox/late-rows.js';
import { MemoryDatabase, MemoryHistory, type Journal } from './support/memory.js';

const LAMBDA_MS = 2000;

let journal: Journal;
let events: CacheEvent[];
let redis: MemoryHistory;
let database: MemoryDatabase;
let lateRows: LateRows;

const once = (history = redis): Promise<Sweep> =>
  sweep({ history, database, lateRows, lambdaMs: LAMBDA_MS, emit: (event) => events.push(event) });
const outcome = async (history = redis): Promise<string> => (await once(history)).outcome;
/** Does something before the first such step. */
const before = (target: { interfere: (step: string) => void }, step: string, act: () => Promise<void> | void): void => {
  let done = false;
  target.interfere = (name) => {
    if (name !== step || done) return;
    done = true;
    return act() as void;
  };
};

beforeEach(async () => {
  journal = [];
  events = [];
  redis = new MemoryHistory(journal);
  database = new MemoryDatabase(journal);
  lateRows = new LateRows();
  await once();
  await once();
  journal.length = 0;
  events.length = 0;
});

describe('a sweep', () => {
  it('observes, scans, invalidates, removes, notes, and only then claims, in this order', async () => {
    database.commit(1, ['a:1', 'b:1']);
    database.commit(2, ['a:1']);
    expect(await outcome()).toBe('complete');
    expect(journal).toEqual([
      'observe',
      'scan',
      'invalidate a:1 b:1',
      'remove 1 2',
      `swept ${redis.seq}`,
      expect.stringMatching(/^keepAlive /),
    ]);
    expect(database.rows).toEqual([]);
  });

  it('claims the moment before the scan, whatever time the rest takes', async () => {
    let asked = 0;
    before(database, 'scan', () => {
      asked = redis.now;
      redis.now += 60_000;
    });
    await once();
    expect(redis.live).toBe(asked);
  });

  it('does not claim what is committed while it scans: the row is there for the next one', async () => {
    before(redis, 'keepAlive', () => database.commit(7, ['a:7']));
    await once();
    expect(database.rows).toHaveLength(1);
    expect(await once()).toMatchObject({ outcome: 'complete', drained: 1 });
  });

  it('finds a row with a lower id that is committed after higher ones were swept', async () => {
    database.commit(5, ['a:5']);
    await once();
    database.commit(3, ['a:3']);
    await once();
    expect(journal).toContain('invalidate a:3');
    expect(database.rows).toEqual([]);
  });

  it('claims nothing while the batch is full', async () => {
    const live = redis.live;
    for (let id = 1; id <= BATCH_ROWS + 1; id += 1) database.commit(id, ['a:1']);
    expect(await outcome()).toBe('more');
    expect(redis.live).toBe(live);
    expect(await outcome()).toBe('complete');
    expect(redis.live).toBeGreaterThan(live as number);
  });

  it('claims nothing and removes nothing when the invalidation fails', async () => {
    const live = redis.live;
    database.commit(1, ['a:1']);
    before(redis, 'invalidate', () => Promise.reject(new Error('READONLY')));
    await expect(once()).rejects.toMatchObject({ step: 'invalidate', message: 'READONLY' });
    await expect(Promise.reject(new SweepFailure('scan', 'text'))).rejects.toThrow('text');
    expect(database.rows).toHaveLength(1);
    expect(redis.live).toBe(live);
  });

  it('tells which WAL position shows its rows', async () => {
    database.lsn = '00000000000000ff';
    database.commit(1, ['a:1']);
    await once();
    expect(journal).toContain('invalidate a:1 00000000000000ff');
    expect(redis.shown).toEqual({ seq: redis.seq, lsn: '00000000000000ff' });
  });

  it('does not say that of a write that came between the scan and the invalidation', async () => {
    database.lsn = '00000000000000ff';
    database.commit(1, ['a:1']);
    const { seq } = redis;
    before(redis, 'invalidate', () => void (redis.seq += 1));
    await once();
    expect(redis.shown).toEqual({ seq, lsn: '00000000000000ff' });
  });

  it('with very many tags means everything', async () => {
    for (let id = 0; id < 6; id += 1)
      database.commit(
        id,
        Array.from({ length: 1000 }, (_, number) => `a:${id}-${number}`),
      );
    await once();
    expect(journal).toContain('invalidate *');
  });
});

describe('announcements of statements outside transactions', () => {
  it('are brought into force again by every sweep and kept, so long as the statement may be running', async () => {
    database.commit(1, ['a:1'], { intent: true, ageMs: INTENT_MS });
    expect(await outcome()).toBe('complete');
    expect(await outcome()).toBe('complete');
    expect(journal.filter((step) => step === 'invalidate a:1')).toHaveLength(2);
    expect(database.rows).toHaveLength(1);
  });

  it('are removed when they are old', async () => {
    database.commit(1, ['a:1'], { intent: true, ageMs: INTENT_MS + 1 });
    await once();
    expect(journal).toContain('invalidate a:1');
    expect(database.rows).toEqual([]);
  });

  it('that fill the batch do not hide what comes behind them', async () => {
    for (let id = 1; id <= BATCH_ROWS; id += 1) database.commit(id, ['a:1'], { intent: true });
    database.commit(5000, ['b:1']);
    expect(await outcome()).toBe('more');
    expect(await outcome()).toBe('complete');
    expect(journal).toContain('invalidate *');
    expect(database.rows).toEqual([expect.objectContaining({ tags: ['*'], intent: true })]);
  });
});

describe('rows that are too bad or too many', () => {
  it('unreadable: everything is invalidated, they are set aside and told', async () => {
    database.commit(1, undefined);
    database.commit(2, ['a:2']);
    expect(await once()).toMatchObject({ outcome: 'complete', poison: 1, drained: 1 });
    expect(journal).toContain('invalidate *');
    expect(database.aside).toEqual(['1']);
    expect(events).toEqual([{ kind: 'setAside', ids: ['1'] }]);
  });

  it('more than the bound: collapsed into one that means everything', async () => {
    for (let id = 0; id <= MOST_ROWS; id += 1) database.commit(id, ['a:1']);
    expect(await outcome()).toBe('more');
    expect(await outcome()).toBe('complete');
    expect(events).toEqual([{ kind: 'collapsed', rows: MOST_ROWS + 1 }]);
    expect(journal).toContain('invalidate *');
  });

  it('are bounded while Redis is away', async () => {
    const emit = (event: CacheEvent): void => void events.push(event);
    const parts = { database, emit };
    database.commit(0, ['a:1']);
    await boundOutbox(parts);
    expect(database.rows).toEqual([expect.objectContaining({ tags: ['a:1'] })]);
    for (let id = 1; id <= MOST_ROWS; id += 1) database.commit(id, ['a:1']);
    await boundOutbox(parts);
    expect(database.rows).toEqual([expect.objectContaining({ tags: ['*'] })]);
  });
});

describe('the fence', () => {
  it('epoch changed between scan and removal: the rows stay, nothing is claimed', async () => {
    database.commit(1, ['a:1']);
    const live = redis.live;
    before(database, 'remove', () => {
      database.state = { ...database.state, generation: 2, epoch: 'theirs' };
    });
    expect(await outcome()).toBe('overtaken');
    expect(database.rows).toHaveLength(1);
    expect(redis.live).toBe(live);
  });

  it('Redis failed over between observation and invalidation: the rows stay', async () => {
    database.commit(1, ['a:1']);
    before(redis, 'invalidate', () => redis.lose());
    expect(await outcome()).toBe('overtaken');
    expect(database.rows).toHaveLength(1);
    expect(redis.live).toBeUndefined();
  });
});

describe('adoption', () => {
  it('of a new Redis: the database first, a cold epoch, and the watermark with the next sweep', async () => {
    redis.lose();
    expect(await outcome()).toBe('adopted');
    expect(journal.slice(-2)).toEqual(['database.adopt', 'history.adopt']);
    expect(redis).toMatchObject({ generation: 2, epoch: database.state.epoch, live: undefined });
    expect(events).toEqual([{ kind: 'adopted', generation: 2, reason: 'new' }]);
    expect(await outcome()).toBe('complete');
    expect(redis.live).toBeDefined();
  });

  it.each([
    [
      'restored',
      'the database was restored to an older generation',
      () => (database.state = { ...database.state, generation: 0, epoch: 'old' }),
    ],
    [
      'restored',
      'the database has another history of the same length',
      () => (database.state = { ...database.state, epoch: 'other' }),
    ],
    ['incarnation', 'the database was restarted', () => (database.incarnation = 'server 2')],
    ['sequence', 'Redis has lost its latest part', () => (database.state = { ...database.state, seq: redis.seq + 1 })],
  ])('%s: %s', async (reason, _, happen) => {
    const known = Math.max(database.state.generation, redis.generation ?? 0);
    happen();
    expect(await outcome()).toBe('adopted');
    expect(events).toEqual([{ kind: 'adopted', generation: known + 1, reason }]);
    expect(redis).toMatchObject({ generation: known + 1, epoch: database.state.epoch, live: undefined });
    expect(await outcome()).toBe('complete');
  });

  it('two sweepers at once: one generation, one epoch', async () => {
    redis.lose();
    const outcomes = await Promise.all([outcome(), outcome(), outcome()]);
    expect(outcomes.filter((one) => one === 'adopted')).toHaveLength(1);
    expect(redis).toMatchObject({ generation: 2, epoch: database.state.epoch });
    expect(await outcome()).toBe('complete');
  });

  it('is not named by whoever came second in the database', async () => {
    redis.lose();
    const { epoch } = redis;
    before(database, 'database.adopt', () => {
      database.state = { ...database.state, generation: 2, epoch: 'theirs' };
    });
    expect(await outcome()).toBe('overtaken');
    expect(redis.epoch).toBe(epoch);
    expect(database.state.epoch).toBe('theirs');
  });

  it('by another sweeper between observation and scan is no reason to adopt again', async () => {
    redis.lose();
    before(database, 'scan', async () => {
      await once();
    });
    expect(await outcome()).toBe('overtaken');
    expect(database.state.generation).toBe(2);
    expect(await outcome()).toBe('complete');
  });

  it('another sweeper that counted on between observation and scan has lost nothing', async () => {
    database.commit(1, ['a:1']);
    before(database, 'scan', async () => {
      await once();
    });
    expect(await outcome()).toBe('overtaken');
    expect(database.state.generation).toBe(1);
    expect(events.map(({ kind }) => kind)).toEqual([]);
  });

  it('whoever won an earlier generation names it late: the later one stands', async () => {
    redis.lose();
    before(redis, 'history.adopt', () => {
      // The first winner's ADOPT arrives just before that of the second.
      Object.assign(redis, { epoch: 'e2', generation: 1, seq: redis.seq + 1 });
    });
    expect(await outcome()).toBe('adopted');
    expect(redis).toMatchObject({ generation: 2, epoch: database.state.epoch });
  });

  it('that the database has won but Redis did not hear of is tried again', async () => {
    redis.lose();
    before(redis, 'history.adopt', () => Promise.reject(new Error('timeout')));
    await expect(once()).rejects.toMatchObject({ step: 'adopt' });
    expect(await outcome()).toBe('adopted');
    expect(redis).toMatchObject({ generation: 3, epoch: database.state.epoch });
  });
});

describe('a split', () => {
  let old: MemoryHistory;
  beforeEach(async () => {
    // The replica is promoted, and forgets the epoch of the master that goes on elsewhere.
    old = redis.copy();
    redis.lose();
    await once();
    await once();
    journal.length = 0;
    events.length = 0;
  });

  it('keeps the old side from claiming, removing and adopting while the true one is swept', async () => {
    const live = old.live;
    database.commit(1, ['a:1']);
    expect(await outcome(old)).toBe('fenced');
    expect(journal).toEqual(['observe', 'scan', 'observe']);
    database.state = { ...database.state, silentMs: 2 * LAMBDA_MS };
    expect(await outcome(old)).toBe('fenced');
    expect(old.live).toBe(live);
    expect(database.rows).toHaveLength(1);
    expect(await outcome()).toBe('complete');
  });

  it('is taken over by the old side after silence, and fences the other', async () => {
    database.state = { ...database.state, silentMs: 2 * LAMBDA_MS + 1 };
    expect(await outcome(old)).toBe('adopted');
    expect(events).toEqual([{ kind: 'adopted', generation: 3, reason: 'silence' }]);
    expect(old.live).toBeUndefined();
    expect(await outcome(old)).toBe('complete');
    expect(await outcome(redis)).toBe('fenced');
  });
});

describe('rows that give new ends to paths', () => {
  const late = { intent: true, late: true };
  const at = (oldest: bigint, next: bigint): void => void (database.transactions = { oldest, next });

  it('are brought into force by each sweep until every transaction of their time has ended, and once after that', async () => {
    database.commit(1, ['tutor:2'], late);
    for (const [oldest, next, left] of [
      [7n, 10n, 1], // first seen: up to 9 may have followed the path as it was
      [9n, 12n, 1],
      [10n, 13n, 0],
    ] as const) {
      at(oldest, next);
      journal.length = 0;
      expect(await outcome()).toBe('complete');
      expect(journal).toContain('invalidate tutor:2');
      expect(database.rows).toHaveLength(left);
    }
  });

  it('are not over at the first sweep that sees them, although nobody is open then', async () => {
    at(10n, 10n);
    database.commit(1, ['tutor:2'], late);
    await once();
    expect(database.rows).toHaveLength(1);
    await once();
    expect(database.rows).toEqual([]);
  });

  it('stay for a minute where the database does not number its transactions', async () => {
    database.commit(1, ['tutor:2'], late);
    await once();
    await once();
    expect(database.rows).toHaveLength(1);
    database.rows = database.rows.map((row) => ({ ...row, ageMs: INTENT_MS + 1 }));
    await once();
    expect(database.rows).toEqual([]);
  });

  it('stay beyond that as long as such a transaction is open', async () => {
    at(7n, 10n);
    database.commit(1, ['tutor:2'], { ...late, ageMs: INTENT_MS + 1 });
    await once();
    await once();
    expect(database.rows).toHaveLength(1);
    at(10n, 11n);
    await once();
    expect(database.rows).toEqual([]);
  });
});
