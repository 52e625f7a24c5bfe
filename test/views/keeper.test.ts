// The keeper of a view against a clock that the test holds: when it refreshes, rests, tells and looks.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Position } from '../../src/contract/entry.js';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Attempt, Refreshed, RefreshParts, ViewDatabase } from '../../src/views/database.js';
import { LOOK_MS, ViewKeeper } from '../../src/views/keeper.js';
import { dueAt, merged, noted, restMs } from '../../src/views/schedule.js';
import { Turns } from '../../src/views/turns.js';
import { FakeClock } from '../fakes/fake-clock.js';

describe('the schedule', () => {
  const delays = { delayMs: 10, maxDelayMs: 100 };

  it('waits for a pause, and not for ever', () => {
    let notice = noted(undefined, 0);
    for (let now = 0; now <= 500; now += 5) notice = noted(notice, now);
    expect(dueAt(noted(undefined, 7), delays)).toBe(17);
    expect(dueAt(notice, delays)).toBe(100);
  });

  it('gives back what an attempt took with it: the first change stays the first', () => {
    expect(merged({ first: 1, last: 2 }, { first: 5, last: 9 })).toEqual({ first: 1, last: 9 });
    expect(merged(undefined, { first: 5, last: 9 })).toEqual({ first: 5, last: 9 });
    expect(merged({ first: 1, last: 2 }, undefined)).toEqual({ first: 1, last: 2 });
  });

  it('rests twice as long after each failure, a minute at most', () => {
    expect([1, 2, 3, 6, 7, 2000].map(restMs)).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000]);
  });
});

/** The database's side of a view, as the keeper sees it: one row, and a lock that somebody else may hold. */
class Row implements ViewDatabase {
  state: Refreshed | undefined;
  locked = false;
  failing = false;
  began = 0;
  hold: Promise<void> | undefined;
  now = 0;

  async find() {
    return 'materialised' as const;
  }
  async isInstalled() {
    return true;
  }
  async read() {
    if (this.failing) throw Object.assign(new Error('of student 5'), { code: '57P01' });
    return new Map(this.state ? [['v', this.state]] : []);
  }
  async refresh(_view: unknown, { position, isCurrent }: RefreshParts): Promise<Attempt> {
    this.began += 1;
    if (this.failing) throw Object.assign(new TypeError('of student 5'), { code: '57P01' });
    if (this.locked) return { outcome: 'busy' };
    if (this.state && (await isCurrent(this.state))) return { outcome: 'current', state: this.state };
    const captured = await position();
    await this.hold;
    this.state = { position: captured, asOf: new Date(this.now), number: (this.state?.number ?? 0) + 1, told: false };
    return { outcome: 'done', state: this.state, concurrently: true };
  }
  async told(_name: string, number: number) {
    if (this.state?.number === number) this.state = { ...this.state, told: true };
  }
  async moveOn(_name: string, _number: number, position: Position) {
    if (this.state) this.state = { ...this.state, position };
  }
  abort() {}
}

let clock: FakeClock;
let row: Row;
let events: CacheEvent[];
let told: string[];
/** The truth: what has been invalidated of the sources, and the latest number of all. */
let truth: { changed: number; seq: number; away: boolean; refuses: boolean };
let keeper: ViewKeeper;

beforeEach(() => {
  clock = new FakeClock();
  row = new Row();
  events = [];
  told = [];
  truth = { changed: 0, seq: 0, away: false, refuses: false };
  keeper = new ViewKeeper({
    view: { name: 'v', relation: '"v"' },
    sources: ['table:grade'],
    delayMs: 100,
    maxDelayMs: 1000,
    timeoutMs: 60_000,
    database: row,
    changes: {
      position: async () => (truth.away ? { epoch: '', seq: 0 } : { epoch: 'e', seq: truth.seq }),
      since: async (_name, _tags, { epoch, seq }) =>
        truth.away ? 'unknown' : epoch === 'e' && truth.changed <= seq ? 'none' : 'some',
    },
    invalidator: {
      invalidate: async (tags) => {
        told.push(...tags);
        return truth.refuses ? undefined : { epoch: 'e', seq: ++truth.seq };
      },
    },
    turns: new Turns(1),
    connected: () => true,
    clock,
    emit: (event) => events.push(event),
  });
});

/** Lets everything happen that needs no time. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const pass = async (ms: number) => {
  clock.advance(ms);
  await settle();
};
const change = (proved = true) => {
  if (proved) truth.changed = ++truth.seq;
  keeper.heard(['table:grade', 'student:5'], proved);
};
/** Begun, with the first refresh behind it. */
const begin = async () => {
  keeper.start();
  await settle();
  await pass(100);
  expect(row.state).toMatchObject({ number: 1, told: true });
};

describe('a keeper', () => {
  it('refreshes a view that never was, and leaves it alone while nothing changes', async () => {
    await begin();
    for (let look = 0; look < 10; look += 1) await pass(LOOK_MS);
    expect(row.began).toBe(1);
    expect(told).toEqual(['view:v']);
    await keeper.close();
  });

  it('refreshes at once when it is asked to, and only what is behind', async () => {
    await begin();
    const current = keeper.refresh();
    await settle();
    expect(await current).toBe('current');
    expect(row.state?.number).toBe(1);
    change();
    const refreshed = keeper.refresh();
    await settle();
    expect(await refreshed).toBe('refreshed');
    expect(row.state?.number).toBe(2);
    await keeper.close();
    await expect(keeper.refresh()).rejects.toThrow('no longer kept');
  });

  it('tells who has asked what hinders it, and lets him wait for whoever refreshes it elsewhere', async () => {
    await begin();
    row.failing = true;
    const why = (error: Error) => error.message;
    const failed = keeper.refresh().catch(why);
    await settle();
    expect(await failed).toBe('of student 5');
    row.failing = false;
    row.locked = true;
    let over = false;
    const waiting = keeper.refresh().then(() => (over = true));
    for (let second = 0; second < 5; second += 1) await pass(1000);
    expect(over).toBe(false);
    row.locked = false;
    await pass(1000);
    await waiting;
    row.locked = true;
    const left = keeper.refresh().catch(why);
    await settle();
    await keeper.close();
    expect(await left).toContain('no longer kept');
  });

  it('refreshes after a pause of the writes, once for all of them', async () => {
    await begin();
    for (let count = 0; count < 5; count += 1) {
      change();
      await pass(99);
    }
    expect(row.began).toBe(1);
    await pass(1);
    expect(row.began).toBe(2);
    await keeper.close();
  });

  it('is not starved by writes that never pause', async () => {
    await begin();
    for (let count = 0; count < 30; count += 1) {
      change();
      await pass(50);
    }
    expect(row.began).toBe(2);
    await keeper.close();
  });

  it('does not hear what is not its own', async () => {
    await begin();
    keeper.heard(['table:student', 'view:v', 'student:5'], true);
    expect(keeper.health.due).toBe(false);
    for (const tags of [['table:grade'], ['table:*'], ['*']]) {
      keeper.heard(tags, true);
      expect(keeper.health.due).toBe(true);
      await pass(100);
    }
    await keeper.close();
  });

  it('RACE a change while it refreshes: it refreshes again', async () => {
    await begin();
    let release = () => undefined as void;
    row.hold = new Promise((resolve) => (release = resolve));
    change();
    await pass(100);
    expect(row.began).toBe(2);
    change();
    await pass(500);
    release();
    row.hold = undefined;
    await settle();
    await pass(100);
    expect(row.state).toMatchObject({ number: 3, told: true });
    expect(row.state?.position.seq).toBeGreaterThanOrEqual(truth.changed);
    await keeper.close();
  });

  it('RACE a change that nobody has told it of: found by looking', async () => {
    await begin();
    truth.changed = ++truth.seq;
    await pass(LOOK_MS);
    expect(keeper.health.due).toBe(true);
    await pass(100);
    expect(row.began).toBe(2);
    await keeper.close();
  });

  it('RACE somebody else refreshes it: waits, and looks whether its change is in it', async () => {
    await begin();
    row.locked = true;
    change();
    await pass(100);
    expect(row.began).toBe(2);
    expect(keeper.health).toMatchObject({ due: true, refreshing: false, failures: 0 });
    // Begun before the change, so it does not contain it.
    row.state = { position: { epoch: 'e', seq: truth.changed - 1 }, asOf: new Date(5), number: 2, told: true };
    row.locked = false;
    await pass(1000);
    expect(row.state).toMatchObject({ number: 3, told: true });
    await keeper.close();
  });

  it('RACE somebody else has refreshed it since: does nothing', async () => {
    await begin();
    row.locked = true;
    change();
    await pass(100);
    row.state = { position: { epoch: 'e', seq: truth.changed }, asOf: new Date(5), number: 2, told: true };
    row.locked = false;
    await pass(1000);
    expect(row.state.number).toBe(2);
    expect(keeper.health).toMatchObject({ due: false, asOf: new Date(5) });
    await keeper.close();
  });

  it('RACE a change that the store has not taken: refreshes whatever the store says', async () => {
    await begin();
    change(false);
    await pass(100);
    expect(row.state).toMatchObject({ number: 2 });
    await keeper.close();
  });

  it('RACE the same while it refreshes: it refreshes again, although the store says that there is no need', async () => {
    await begin();
    let release = () => undefined as void;
    row.hold = new Promise((resolve) => (release = resolve));
    change();
    await pass(100);
    change(false);
    release();
    await settle();
    expect(keeper.health.due).toBe(true);
    await pass(100);
    expect(row.state).toMatchObject({ number: 3 });
    await keeper.close();
  });

  it('goes on while the store is away, and refreshes once more when it is back', async () => {
    await begin();
    truth.away = true;
    change(false);
    await pass(100);
    expect(row.state).toMatchObject({ number: 2, position: { epoch: '', seq: 0 } });
    for (let look = 0; look < 5; look += 1) await pass(LOOK_MS);
    expect(row.began).toBe(2);
    truth.away = false;
    await pass(LOOK_MS);
    await pass(100);
    expect(row.state).toMatchObject({ number: 3, position: { epoch: 'e' } });
    await keeper.close();
  });

  it('RACE the store does not take what it tells: tells again until it does', async () => {
    await begin();
    truth.refuses = true;
    change();
    await pass(100);
    expect(row.state).toMatchObject({ number: 2, told: false });
    const before = told.length;
    await pass(LOOK_MS);
    expect(told).toHaveLength(before + 1);
    truth.refuses = false;
    await pass(LOOK_MS);
    expect(row.state?.told).toBe(true);
    await keeper.close();
  });

  it('rests after failures, longer each time, and says so without what the database quotes', async () => {
    await begin();
    const asOf = keeper.health.asOf;
    row.failing = true;
    change();
    await pass(100);
    await pass(999);
    expect(events.filter(({ kind }) => kind === 'viewFailed')).toEqual([
      { kind: 'viewFailed', view: 'v', step: 'refresh', error: 'TypeError 57P01', failures: 1, retryMs: 1000 },
    ]);
    expect(keeper.health).toMatchObject({ due: true, refreshing: false, failures: 1, asOf });
    await pass(1);
    expect(keeper.health.failures).toBe(2);
    change();
    await pass(1999);
    expect(row.began).toBe(3);
    row.failing = false;
    await pass(1);
    expect(keeper.health).toMatchObject({ due: false, failures: 0 });
    await keeper.close();
  });

  it('moves its position on while nothing happens, long before numbers of its age are forgotten', async () => {
    await begin();
    truth.seq = 900;
    for (let look = 0; look < 121; look += 1) await pass(LOOK_MS);
    expect(row.state).toMatchObject({ number: 1, position: { epoch: 'e', seq: 900 } });
    await keeper.close();
  });

  it('ends when it is closed, and begins nothing more', async () => {
    await begin();
    change();
    await keeper.close();
    change();
    await pass(10_000);
    expect(row.began).toBe(1);
    expect(clock.waiting).toBe(0);
  });
});

it('turns: so many at once, in order, also after a failure', async () => {
  const turns = new Turns(1);
  const order: number[] = [];
  const first = turns.run(async () => {
    await settle();
    order.push(1);
    throw new Error('first');
  });
  const second = turns.run(async () => void order.push(2));
  await expect(first).rejects.toThrow('first');
  await second;
  await turns.run(async () => void order.push(3));
  expect(order).toEqual([1, 2, 3]);
});
