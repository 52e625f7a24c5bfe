// The composed cache without a server: what callers of its functions may get wrong.
import { AsyncResource } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/contract/clock.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { compose } from '../../src/create-report-cache.js';
import { tag } from '../../src/entry/tags.js';
import type { ReportCacheOptions } from '../../src/options/options.js';
import { FakeClock } from '../fakes/fake-clock.js';

/** Where no computation is running: made before the first one. */
const outside = new AsyncResource('outside');
const detached = (task: () => Promise<void>) => outside.runInAsyncScope(task);

function setUp() {
  const events: CacheEvent[] = [];
  const reports = compose({ identify: () => null, onEvent: (event) => events.push(event) }, new FakeClock());
  let runs = 0;
  /** How often the value has been computed after asking for it once more. */
  const count = async (tags: readonly string[], report = 'r') => {
    const identity = { user: 7 };
    await reports.getOrLoad({ type: 'custom', report, identity, tags }, async () => {
      runs += 1;
      return runs;
    });
    return runs;
  };
  return { reports, events, count };
}

describe('invalidate', () => {
  it('refuses what is no tag: it would look as if something had been invalidated', async () => {
    const { reports } = setUp();
    for (const bad of ['student', 'student:Ann Lee', '', 'no kind:1', 5 as never]) {
      await expect(reports.invalidate([tag('student', 1), bad])).rejects.toMatchObject({ code: 'ERC_TAG' });
    }
    await reports.invalidate('*');
  });

  it('more keys than may be named at once still reach their entries', async () => {
    const { reports, events, count } = setUp();
    await count([]);
    const key = events.find((event) => event.kind === 'stored')?.key ?? '';
    await reports.invalidate([...Array.from({ length: 80 }, (_, index) => `key:report:${index}:7:x`), `key:${key}`]);
    expect(await count([])).toBe(2);
  });
});

describe('getOrLoad', () => {
  it('without anybody identified still gives the report around it what it depends on', async () => {
    const { reports } = setUp();
    const outer = async (value: number) =>
      reports.getOrLoad({ type: 'custom', report: 'outer', share: 'everyone' }, () =>
        reports.getOrLoad({ type: 'custom', report: 'inner', tags: [tag('class', 1)] }, (run) => {
          run.addTags([tag('student', 5)]);
          return value;
        }),
      );
    expect(await outer(1)).toBe(1);
    expect(await outer(2)).toBe(1);
    await reports.invalidate(tag('student', 5));
    expect(await outer(3)).toBe(3);
    await reports.invalidate(tag('class', 1));
    expect(await outer(4)).toBe(4);
  });

  it('takes a null tenant for none, as databases say it', async () => {
    const { reports } = setUp();
    const ask = async (value: number) =>
      reports.getOrLoad(
        { type: 'custom', report: 'r', identity: { user: 7, tenant: null as never, role: null as never } },
        () => value,
      );
    expect(await ask(1)).toBe(1);
    expect(await ask(2)).toBe(1);
  });
});

describe('limits of one process', () => {
  const limited = (options: object) =>
    compose({ identify: () => null, ...options } as ReportCacheOptions, new FakeClock());
  const share = 'everyone';

  it('more values than may be computed at once are refused, and what one computes inside itself is a part of it', async () => {
    const reports = limited({ maxComputing: 1 });
    const inner = () => reports.getOrLoad({ type: 'custom', report: 'inner', share }, () => 1);
    let refused: unknown;
    const outer = await reports.getOrLoad({ type: 'custom', report: 'outer', share }, async () => {
      const value = await inner();
      await detached(async () => {
        refused = await reports.getOrLoad({ type: 'custom', report: 'other', share }, () => 1).catch((error) => error);
      });
      return value + 1;
    });
    expect(outer).toBe(2);
    expect(refused).toMatchObject({ code: 'ERC_OVERLOADED' });
    // Whatever it ended in, its place is free again.
    const failing = reports.getOrLoad({ type: 'custom', report: 'other', share }, () => Promise.reject(new Error('x')));
    await expect(failing).rejects.toThrow('x');
    expect(await reports.getOrLoad({ type: 'custom', report: 'other', share }, () => 3)).toBe(3);
  });

  it.each(['refuse', 'compute'] as const)('more readers than may wait: %s', async (overload) => {
    const reports = limited({ maxWaiting: 1, overload });
    let finish: (value: number) => void = () => undefined;
    const slow = new Promise<number>((resolve) => (finish = resolve));
    const ask = (value: number | Promise<number>) =>
      reports.getOrLoad({ type: 'custom', report: 'r', share }, () => value);
    const leading = ask(slow);
    const waiting = ask(2);
    const third = ask(3);
    if (overload === 'refuse') await expect(third).rejects.toMatchObject({ code: 'ERC_OVERLOADED' });
    else expect(await third).toBe(3);
    finish(1);
    // What the third has stored was begun later than the first, and takes its place.
    expect(await Promise.all([leading, waiting])).toEqual([1, overload === 'compute' ? 3 : 1]);
  });
});

describe('what the application hands in', () => {
  it('an async onEvent that fails is nobody else’s failure', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const onEvent = (async () => {
      throw new Error('listener');
    }) as never;
    await compose({ identify: () => null, onEvent }, new FakeClock()).clear();
    await new Promise<void>((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('a time limit of months is not over at once', async () => {
    const fired: string[] = [];
    const long = systemClock.after(2 ** 40, () => fired.push('months'));
    await new Promise<void>((resolve) => systemClock.after(5, () => (fired.push('5 ms'), resolve())));
    long.cancel();
    expect(fired).toEqual(['5 ms']);
  });
});
