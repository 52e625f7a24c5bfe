// Schedulers of several processes over one real Redis: each due time once, takeover, retries, time limits, missed ones, the end.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../fakes/fake-clock.js';
import { gate } from '../support/gate.js';
import { LEASE_MS, Scene, turn } from './support.js';

const MINUTE = 60_000;
let scene: Scene;
beforeEach(async () => {
  // Half a minute after a due time.
  scene = new Scene(Date.UTC(2026, 0, 5, 8, 0, 30));
  await scene.redis.ping();
});
afterEach(() => scene.close());

/** A task that runs until it is let, each time. */
function gated() {
  const begun: { signal: AbortSignal; end: (error?: unknown) => void }[] = [];
  const waiting: (() => void)[] = [];
  const run = (signal: AbortSignal) =>
    new Promise((resolve, reject) => {
      begun.push({ signal, end: (error) => (error === undefined ? resolve({ ok: true }) : reject(error as Error)) });
      for (const wake of waiting.splice(0)) wake();
    });
  const nth = async (count: number) => {
    while (begun.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    return begun[count - 1]!;
  };
  return { run, nth, begun };
}

describe('exactly once', () => {
  it('two processes: each due time is run by one of them', async () => {
    const runs: number[] = [];
    const task = scene.task(() => void runs.push(scene.clock.now()));
    const [one, other] = [scene.member(task), scene.member(task)];
    await Promise.all([one.answered('past'), other.answered('past')]);
    for (let minute = 1; minute <= 5; minute += 1) {
      scene.clock.advance(MINUTE);
      while ((await one.scheduler.runs('mine')).length < minute) await turn();
    }
    await scene.pass(LEASE_MS);
    expect(runs).toHaveLength(5);
    const { tasks, complete } = await one.scheduler.status();
    expect(complete).toBe(true);
    expect(tasks[0]).toMatchObject({
      name: 'mine',
      running: undefined,
      missed: 0,
      last: { outcome: 'done', attempts: 1 },
    });
    expect(tasks[0]?.nextAt).toEqual(new Date(Date.UTC(2026, 0, 5, 8, 6)));
    expect((await other.scheduler.runs('mine')).map(({ due }) => due?.getUTCMinutes())).toEqual([5, 4, 3, 2, 1]);
  });

  it('a process whose clock is seconds behind does not run again what was run', async () => {
    const runs: string[] = [];
    const behind = new FakeClock(scene.clock.now() - 5000);
    const one = scene.member(scene.task(() => void runs.push('one')));
    const late = scene.member(
      scene.task(() => void runs.push('late')),
      { clock: behind },
    );
    await Promise.all([one.answered('past'), late.answered('past')]);
    scene.clock.advance(30_000);
    await one.told('done');
    await one.answered('past');
    behind.advance(35_000);
    await late.answered('past');
    expect(runs).toEqual(['one']);
    await late.scheduler.stop();
  });

  it('a process whose clock is ahead waits until Redis, too, says that it is due', async () => {
    const ahead = new FakeClock(Math.floor(Date.now() / MINUTE) * MINUTE + 2 * MINUTE + 59_000);
    const runs: number[] = [];
    const one = scene.member(
      scene.task(() => void runs.push(1), { catchUpMs: 600_000 }),
      { clock: ahead },
    );
    await one.answered('past');
    ahead.advance(1000);
    const early = await one.answered('early');
    expect(early).toMatchObject({ askAgainMs: expect.any(Number) });
    expect(runs).toEqual([]);
    await one.scheduler.stop();
  });

  it('what somebody has asked for runs now, in one process at a time', async () => {
    const { run, nth } = gated();
    const task = scene.task(run);
    const [one, other] = [scene.member(task), scene.member(task)];
    const { ended } = await one.scheduler.begin('mine');
    await expect(other.scheduler.begin('mine')).rejects.toMatchObject({ code: 'ERC_TASK_RUNNING' });
    await expect(one.scheduler.begin('mine')).rejects.toMatchObject({ code: 'ERC_TASK_RUNNING' });
    await expect(one.scheduler.begin('other')).rejects.toMatchObject({ code: 'ERC_OPTION' });
    expect((await other.scheduler.status()).tasks[0]?.running).toMatchObject({ process: 'host:1', attempt: 1 });
    (await nth(1)).end();
    expect(await ended).toMatchObject({ outcome: 'done', result: { ok: true } });
    expect(await ended).not.toHaveProperty('due');
  });

  it('that it has ended is told when it can be looked up', async () => {
    const { run, nth } = gated();
    const one = scene.member(scene.task(run));
    const recording = gate();
    one.line.recording = recording.opened;
    const { ended } = await one.scheduler.begin('mine');
    (await nth(1)).end();
    await turn();
    expect(one.events.all).toEqual([expect.objectContaining({ kind: 'task', state: 'begun' })]);
    const looked = one.told('done').then(() => one.scheduler.status());
    recording.open();
    expect((await looked).tasks[0]).toMatchObject({ running: undefined, last: { outcome: 'done' } });
    await ended;
  });

  it('a due time that comes while the task runs waits for its end, and is missed where that is late', async () => {
    const { run, nth, begun } = gated();
    const one = scene.member(scene.task(run));
    await one.answered('past');
    scene.clock.advance(30_000);
    const first = await nth(1);
    scene.clock.advance(3 * MINUTE + 30_000);
    first.end();
    // 8:02 and 8:03 are over; 8:04 is half a minute old.
    const second = await nth(2);
    expect(await one.told('missed')).toMatchObject({ count: 2 });
    expect(begun).toHaveLength(2);
    second.end();
    await one.answered('past');
    expect((await one.scheduler.status()).tasks[0]?.missed).toBe(2);
  });

  it('alone, without Redis', async () => {
    const runs: number[] = [];
    const one = scene.member(
      scene.task(() => void runs.push(1)),
      { alone: true },
    );
    await one.answered('past');
    for (let minute = 0; minute < 3; minute += 1) {
      scene.clock.advance(MINUTE);
      await one.told('done');
      await one.answered('past');
    }
    expect(runs).toHaveLength(3);
    expect(await one.scheduler.runs('mine')).toHaveLength(3);
  });

  it('of many runs twenty are kept', async () => {
    const one = scene.member(scene.task(() => 'x'));
    await one.answered('past');
    for (let run = 0; run < 22; run += 1) await (await one.scheduler.begin('mine')).ended;
    expect(await one.scheduler.runs('mine')).toHaveLength(20);
  });
});

describe('takeover', () => {
  it('another process goes on with what a dead one has begun when its lease is over, and counts the attempt', async () => {
    const first = gated();
    const second = gated();
    const one = scene.member(scene.task(first.run));
    await one.answered('past');
    scene.clock.advance(30_000);
    await first.nth(1);
    // It hears and says nothing any more.
    one.line.cut = true;
    const other = scene.member(scene.task(second.run));
    await other.answered('held');
    expect(second.begun).toHaveLength(0);
    await scene.endLease();
    scene.clock.advance(LEASE_MS);
    // Its own clock says that the lease is over: it is told to stop.
    expect((await first.nth(1)).signal.aborted).toBe(true);
    const taken = await second.nth(1);
    expect(await other.told('begun')).toMatchObject({ attempt: 2, due: new Date(Date.UTC(2026, 0, 5, 8, 1)) });
    taken.end();
    await other.answered('past');
    expect((await other.scheduler.runs('mine'))[0]).toMatchObject({ outcome: 'done', attempts: 2, process: 'host:2' });
    (await first.nth(1)).end();
  });

  it('an ended lease is doubted: who was cut off together with all others comes back first', async () => {
    const first = gated();
    const one = scene.member(scene.task(first.run), { doubtMs: 60_000 });
    await one.answered('past');
    scene.clock.advance(30_000);
    const run = await first.nth(1);
    const other = scene.member(
      scene.task(() => 'again'),
      { doubtMs: 60_000 },
    );
    await other.answered('held');
    one.line.cut = true;
    await scene.endLease();
    run.end();
    await one.events.next(({ kind }) => kind === 'layerFailed');
    await turn();
    // Redis is back; the other one asks first.
    scene.clock.advance(LEASE_MS);
    await other.answered('held');
    // And once more, before it would be too late.
    scene.clock.advance(50_000);
    await other.answered('held');
    one.line.cut = false;
    scene.clock.advance(500);
    (await first.nth(2)).end();
    await one.answered('past');
    const runs = await other.scheduler.runs('mine');
    expect(runs.map(({ due, attempts }) => [due?.getUTCMinutes(), attempts])).toEqual([
      [2, 1],
      [1, 1],
    ]);
  });

  it('a lease is renewed while the task runs', async () => {
    const { run, nth } = gated();
    const one = scene.member(scene.task(run));
    await one.answered('past');
    scene.clock.advance(30_000);
    const { signal, end } = await nth(1);
    for (let third = 0; third < 12; third += 1) {
      const before = await scene.redis.hget(scene.keys.task('mine'), 'until');
      await scene.redis.hset(scene.keys.task('mine'), 'until', Number(before) - 1);
      scene.clock.advance(LEASE_MS / 3 + 1);
      // Behind the renewal on the same connection.
      while ((await scene.redis.hget(scene.keys.task('mine'), 'until')) === String(Number(before) - 1)) await turn();
      await turn();
    }
    expect(signal.aborted).toBe(false);
    end();
  });

  it('after three processes that have died with it, it is given up', async () => {
    const task = scene.task(() => 'never', { retry: { retries: 0, firstMs: 1, longestMs: 1 } });
    const slot = Date.UTC(2026, 0, 5, 8, 1);
    await scene.redis.hset(scene.keys.task('mine'), {
      slot: slot - MINUTE,
      by: 'dead',
      run: slot,
      attempt: 3,
      since: slot,
      process: 'host:0',
      until: Date.now() - 1,
      doubt: 0,
    });
    scene.clock.advance(30_000);
    const one = scene.member(task);
    await one.answered('past');
    expect(await one.scheduler.runs('mine')).toMatchObject([{ outcome: 'failed', error: 'ProcessDied', attempts: 4 }]);
    const told = one.events.all.filter(({ kind }) => kind === 'task');
    expect(told).toMatchObject([{ state: 'failed', error: 'ProcessDied', attempt: 4 }]);
  });
});

describe('Redis that is away', () => {
  it('nothing is run; it is told once, asked again, and run when Redis is back', async () => {
    const runs: number[] = [];
    const one = scene.member(scene.task(() => void runs.push(1)));
    await one.answered('past');
    one.line.cut = true;
    scene.clock.advance(30_000);
    for (let time = 0; time < 5; time += 1) {
      await one.answered('away');
      await turn();
      scene.clock.advance(500);
    }
    expect(runs).toEqual([]);
    expect(one.events.all).toMatchObject([{ kind: 'layerFailed', operation: 'schedule' }]);
    expect((await one.scheduler.status()).complete).toBe(false);
    one.line.cut = false;
    await one.answered('away');
    await turn();
    scene.clock.advance(500);
    await one.told('done');
    await one.answered('past');
    expect(runs).toEqual([1]);
  });

  it('an answer that was lost is no second claim', async () => {
    const { slots, request } = claims();
    const first = await slots.claim(request);
    expect(first).toMatchObject({ state: 'taken', attempt: 1 });
    expect(await slots.claim(request)).toMatchObject({ state: 'taken', attempt: 1, slot: request.slot });
    expect(await slots.claim({ ...request, token: 'other' })).toMatchObject({ state: 'held' });
  });
});

function claims() {
  const { scheduler, line } = scene.member(scene.task(() => 'x', { cron: '0 0 1 1 *' }));
  void scheduler;
  const slot = Date.UTC(2026, 0, 5, 9);
  return { slots: line, request: { task: 'lone', slot, token: 'mine', since: slot - 1, process: 'host:9' } };
}

describe('failing', () => {
  it('is tried again after an exponential wait, as often as it may, in the same claim', async () => {
    const { run, nth } = gated();
    const one = scene.member(scene.task(run));
    await one.answered('past');
    scene.clock.advance(30_000);
    (await nth(1)).end(new TypeError('secret'));
    expect(await one.told('failed')).toMatchObject({ error: 'TypeError', attempt: 1 });
    expect(await one.told('retry')).toMatchObject({ retryMs: 5000 });
    await scene.pass(5000);
    (await nth(2)).end(new TypeError('secret'));
    expect(await one.told('retry')).toMatchObject({ attempt: 2, retryMs: 10_000 });
    await scene.pass(10_000);
    (await nth(3)).end(new TypeError('secret'));
    await one.answered('past');
    const [last] = await one.scheduler.runs('mine');
    expect(last).toMatchObject({ outcome: 'failed', attempts: 3, error: 'TypeError', ms: 15_000 });
    expect(JSON.stringify(one.events.all)).not.toContain('secret');
  });

  it('at its time limit it is told to end, and keeps its claim until it has', async () => {
    const { run, nth } = gated();
    const one = scene.member(scene.task(run, { timeLimitMs: 20_000 }));
    const other = scene.member(scene.task(() => 'never'));
    await Promise.all([one.answered('past'), other.answered('past')]);
    await other.scheduler.stop();
    scene.clock.advance(30_000);
    const { signal, end } = await nth(1);
    await scene.pass(19_999);
    expect(signal.aborted).toBe(false);
    scene.clock.advance(1);
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
    expect(await one.told('timeout')).toMatchObject({ durationMs: 20_000 });
    expect((await one.scheduler.status()).tasks[0]?.running).toMatchObject({ process: 'host:1' });
    await expect(one.scheduler.begin('mine')).rejects.toMatchObject({ code: 'ERC_TASK_RUNNING' });
    end();
    await one.answered('past');
    expect(await one.scheduler.runs('mine')).toMatchObject([{ outcome: 'timeout', attempts: 1 }]);
  });
});

describe('missed', () => {
  const lastRunAt = (slot: number) => scene.redis.hset(scene.keys.task('mine'), 'slot', slot);

  it('with nobody up: counted once over all processes, and not run late', async () => {
    await lastRunAt(Date.UTC(2026, 0, 5, 5));
    const task = scene.task(() => 'never', { cron: '0 * * * *', catchUpMs: 10_000 });
    const one = scene.member(task);
    await one.answered('past');
    const other = scene.member(task);
    await other.answered('past');
    const missed = [...one.events.all, ...other.events.all];
    expect(missed).toMatchObject([{ kind: 'task', state: 'missed', count: 3 }]);
    expect(await one.scheduler.runs('mine')).toEqual([]);
    expect((await one.scheduler.status()).tasks[0]?.missed).toBe(3);
  });

  it('is made up for where it is wanted, once for all of them', async () => {
    await lastRunAt(Date.UTC(2026, 0, 5, 5));
    const runs: number[] = [];
    const one = scene.member(scene.task(() => void runs.push(1), { cron: '0 * * * *', catchUpMs: 3_600_000 }));
    await one.answered('past');
    expect(runs).toEqual([1]);
    expect(await one.told('missed')).toMatchObject({ count: 2 });
    expect((await one.scheduler.runs('mine'))[0]?.due).toEqual(new Date(Date.UTC(2026, 0, 5, 8)));
  });

  it('not by a first start: what was due before it is nobody’s', async () => {
    const one = scene.member(scene.task(() => 'never', { catchUpMs: 3_600_000 }));
    await one.answered('past');
    expect(one.events.all).toEqual([]);
  });
});

describe('the end', () => {
  it('tells what runs to end, and leaves the slot to another process at once', async () => {
    const first = gated();
    const second = gated();
    const one = scene.member(scene.task(first.run), { doubtMs: 60_000 });
    await one.answered('past');
    scene.clock.advance(30_000);
    const { signal, end } = await first.nth(1);
    const stopped = one.scheduler.stop();
    expect(signal.reason).toMatchObject({ name: 'AbortError' });
    end(signal.reason);
    await stopped;
    const other = scene.member(scene.task(second.run), { doubtMs: 60_000 });
    (await second.nth(1)).end();
    expect(await other.told('begun')).toMatchObject({ attempt: 2 });
    await other.answered('past');
  });

  it('waits no longer than its bound, and does not let go of the claim of what still runs', async () => {
    const { run, nth } = gated();
    const one = scene.member(scene.task(run));
    await one.answered('past');
    scene.clock.advance(30_000);
    const { end } = await nth(1);
    let over = false;
    const stopped = one.scheduler.stop().then(() => (over = true));
    scene.clock.advance(1999);
    await turn();
    expect(over).toBe(false);
    scene.clock.advance(1);
    await stopped;
    expect(scene.clock.waiting).toBe(1);
    expect(await scene.redis.hget(scene.keys.task('mine'), 'by')).not.toBeNull();
    end();
  });

  it('what ended well meanwhile is over, and nothing begins after it', async () => {
    const { run, nth, begun } = gated();
    const one = scene.member(scene.task(run));
    await one.answered('past');
    scene.clock.advance(30_000);
    const { end } = await nth(1);
    const stopped = one.scheduler.stop();
    end();
    await stopped;
    expect(await one.scheduler.runs('mine')).toMatchObject([{ outcome: 'done' }]);
    scene.clock.advance(5 * MINUTE);
    await turn();
    expect(begun).toHaveLength(1);
    await expect(one.scheduler.begin('mine')).rejects.toMatchObject({ code: 'ERC_TASK_RUNNING' });
    expect(scene.clock.waiting).toBe(0);
  });

  it('cuts short the wait before a retry', async () => {
    const one = scene.member(scene.task(() => Promise.reject(new Error('no'))));
    await one.answered('past');
    scene.clock.advance(30_000);
    await one.told('retry');
    await one.scheduler.stop();
    expect(await scene.redis.hget(scene.keys.task('mine'), 'doubt')).toBe('0');
  });
});
