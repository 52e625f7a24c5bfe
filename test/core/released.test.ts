// When a writer is answered although the store has not taken his invalidation, and what goes on behind his back.
import { describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';
import { plainWriters } from '../support/plain-writers.js';
import { watch } from './processes.js';
import { tick } from './set-up.js';

const HOLD_MS = 2000;

interface SetUp {
  readonly onError?: 'hold' | 'answer';
  readonly holdMs?: number;
  readonly walPosition?: () => Promise<string>;
}

function setUp({ onError = 'hold', holdMs = HOLD_MS, walPosition }: SetUp = {}) {
  const clock = new FakeClock();
  const hub = new SharedHub(clock);
  const client = hub.client();
  const events: CacheEvent[] = [];
  const options = { ...plainWriters({ holdMs }), onError, ...(walPosition && { walPosition }) };
  const invalidations = new Invalidations(client, undefined, options, clock, (event) => events.push(event));
  const released = () => events.filter(({ kind }) => kind === 'released');
  return { clock, client, events, invalidations, released };
}

describe('a writer whose invalidation the store does not take', () => {
  it('is released after the hold, which is told, and nothing is answered twice', async () => {
    const { clock, client, invalidations, released } = setUp();
    client.broken = true;
    const writing = watch(invalidations.invalidate(['student:1'], 'commit'));
    await tick();
    for (let at = 0; at < HOLD_MS - 1; at += 1) clock.advance(1);
    await tick();
    expect([writing.done, released().length]).toEqual([false, 0]);
    clock.advance(1);
    expect(await writing.promise).toBeUndefined();
    expect(released()).toEqual([{ kind: 'released', tags: ['student:1'], cause: 'commit', heldMs: HOLD_MS }]);
    client.broken = false;
    clock.advance(1000);
    await tick();
    expect(released()).toHaveLength(1);
    expect([invalidations.pending, clock.waiting]).toEqual([0, 0]);
  });

  it('`answer`: is released at the first failure, and it goes on in the background', async () => {
    const { clock, client, invalidations, released } = setUp({ onError: 'answer' });
    client.broken = true;
    expect(await invalidations.invalidate(['student:1'], 'commit')).toBeUndefined();
    expect(released()).toHaveLength(1);
    expect(invalidations.touches(['student:1'])).toBe(true);
    client.broken = false;
    clock.advance(20);
    await tick();
    expect([client.asked.length, invalidations.pending, clock.waiting]).toEqual([1, 0, 0]);
  });

  it('`answer`, held longer than the hold by a store that hangs before it fails, is told once', async () => {
    const { clock, client, events, invalidations, released } = setUp({ onError: 'answer', holdMs: 100 });
    let fail: () => void = () => undefined;
    client.invalidate = () =>
      new Promise((_resolve, reject) => {
        fail = () => reject(new Error('too late'));
      });
    const writing = invalidations.invalidate(['student:1'], 'commit');
    clock.advance(100);
    expect(await writing).toBeUndefined();
    fail();
    await tick();
    expect(events.map(({ kind }) => kind)).toEqual(['released', 'invalidateFailed']);
    expect(released()).toHaveLength(1);
    invalidations.close();
  });

  it('is released early when somebody else has brought it into force; here it stays held', async () => {
    const { clock, client, invalidations, released } = setUp();
    client.broken = true;
    let drained = false;
    const writing = watch(invalidations.invalidate(['student:1'], 'commit', { isDrained: async () => drained }));
    await tick();
    clock.advance(20);
    await tick();
    expect(writing.done).toBe(false);
    drained = true;
    clock.advance(40);
    expect(await writing.promise).toBeUndefined();
    expect(released()).toEqual([]);
    expect(invalidations.touches(['student:1'])).toBe(true);
    client.broken = false;
    clock.advance(1000);
    await tick();
    expect([client.asked.length, invalidations.pending, clock.waiting]).toEqual([1, 0, 0]);
  });

  it('whose question whether somebody else has done it never ends, or fails, does not stop the retries', async () => {
    const { clock, client, invalidations } = setUp();
    client.broken = true;
    let questions = 0;
    const hangs = () => {
      questions += 1;
      return new Promise<boolean>(() => undefined);
    };
    const fails = () => Promise.reject(new Error('the database is away too'));
    const hanging = invalidations.invalidate(['student:1'], 'commit', { isDrained: hangs });
    const failing = invalidations.invalidate(['student:2'], 'commit', { isDrained: fails });
    await tick();
    for (const wait of [20, 40, 80]) {
      clock.advance(wait);
      await tick();
    }
    expect(client.calls.invalidate).toBe(5);
    // One question is enough while it is not answered.
    expect(questions).toBe(1);
    client.broken = false;
    clock.advance(160);
    expect(await hanging).toMatchObject({ seq: 1 });
    expect(await failing).toMatchObject({ seq: 1 });
    expect([invalidations.pending, clock.waiting]).toEqual([0, 0]);
  });

  it('is tried again with the WAL position of then: those of the writers may be older than what Redis has forgotten', async () => {
    const { clock, client, invalidations } = setUp({ walPosition: () => Promise.resolve('00000000000000ff') });
    client.broken = true;
    void invalidations.invalidate(['student:1'], 'commit', { lsn: '000000000000000A' });
    void invalidations.invalidate(['student:2'], 'commit', { lsn: '00000000000000FF' });
    void invalidations.invalidate(['student:3'], 'commit', { lsn: '000000000000000B' });
    await tick();
    client.broken = false;
    clock.advance(20);
    await tick();
    expect(client.asked).toEqual([
      { tags: ['student:1', 'student:2', 'student:3'], options: { lsn: '00000000000000ff', lsnEpoch: '' } },
    ]);
  });

  it('of a cache that is closed meanwhile is answered, and the retries end', async () => {
    const { clock, client, invalidations } = setUp();
    client.broken = true;
    const hangs = () => new Promise<boolean>(() => undefined);
    const writing = watch(invalidations.invalidate(['student:1'], 'commit', { isDrained: hangs }));
    await tick();
    clock.advance(20);
    await tick();
    invalidations.close();
    clock.advance(40);
    await tick();
    expect([writing.done, invalidations.pending, clock.waiting]).toEqual([true, 0, 0]);
    const asked = client.calls.invalidate;
    clock.advance(10_000);
    await tick();
    expect(client.calls.invalidate).toBe(asked);
  });
});
