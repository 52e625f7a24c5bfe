// What is known of the triggers while rules change faster than the database answers.
import { describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { TriggerCover } from '../../src/typeorm/trigger-cover.js';

interface Drift {
  readonly table: string;
  readonly problem: 'missing' | 'different';
}

function set() {
  const events: CacheEvent[] = [];
  const looks: ((drift: Drift[]) => void)[] = [];
  const check = () => new Promise<Drift[]>((resolve) => looks.push(resolve));
  const cover = new TriggerCover(
    () => ({ tables: ['grade', 'student'], check }),
    (event) => events.push(event),
  );
  return { cover, looks, events };
}

/** Lets what has been answered be worked through. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('looking at the triggers', () => {
  it('covers nothing before the answer, and what has not drifted after it', async () => {
    const { cover, looks, events } = set();
    const looked = cover.look();
    expect([cover.any, cover.covers(['table:grade'])]).toEqual([false, false]);
    looks[0]?.([{ table: 'student', problem: 'different' }]);
    await looked;
    expect([cover.any, cover.covers(['table:grade']), cover.covers(['table:student'])]).toEqual([true, true, false]);
    expect(events).toMatchObject([{ code: 'trigger-drift' }]);
  });

  it('RACE rules change while the database is asked: the answer is not believed, and it is asked once more', async () => {
    const { cover, looks } = set();
    const all = [cover.look(), cover.look(), cover.look()];
    expect(looks).toHaveLength(1);
    looks[0]?.([]);
    await turn();
    expect(looks).toHaveLength(2);
    expect(cover.covers(['table:grade'])).toBe(false);
    looks[1]?.([{ table: 'grade', problem: 'different' }]);
    await Promise.all(all);
    expect(looks).toHaveLength(2);
    expect([cover.covers(['table:grade']), cover.covers(['table:student'])]).toEqual([false, true]);
  });

  it('a database that refuses is told of, and covers nothing', async () => {
    const events: CacheEvent[] = [];
    const wanted = () => {
      throw new Error('destroyed');
    };
    const cover = new TriggerCover(wanted, (event) => events.push(event));
    await cover.look();
    expect([cover.any, cover.covers(['table:grade'])]).toEqual([true, false]);
    expect(events).toMatchObject([{ code: 'trigger-check', message: expect.stringContaining('destroyed') }]);
  });
});
