// Writes that announce themselves before their COMMIT: held here at once, shared with the others, ended in every case.
import { describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { NoticeBoard } from '../fakes/notice-board.js';
import { SharedHub } from '../fakes/shared-hub.js';
import { plainWriters } from '../support/plain-writers.js';
import { tick } from './set-up.js';

const TTL_MS = 5000;

function setUp({ onMarkError = 'proceed' as 'proceed' | 'abort', marks = true, shared = true } = {}) {
  const clock = new FakeClock();
  const hub = new SharedHub(clock);
  const client = hub.client();
  const board = new NoticeBoard();
  const events: CacheEvent[] = [];
  const options = { ...plainWriters(), marks, markTtlMs: TTL_MS, onMarkError };
  const invalidations = new Invalidations(client, shared ? board : undefined, options, clock, (event) =>
    events.push(event),
  );
  const touched = () => invalidations.touches(['student:1']);
  return { clock, hub, client, board, events, invalidations, touched };
}

describe('a mark', () => {
  it('holds its tags here before the store has answered, and is shared with its time to live', async () => {
    const { board, invalidations, touched } = setUp();
    const marking = invalidations.mark(['student:1']);
    expect(touched()).toBe(true);
    const mark = await marking;
    expect([...board.open]).toEqual([[mark?.id, ['student:1']]]);
    expect(board.ttls).toEqual([TTL_MS]);
  });

  it('ends with the invalidation that names it', async () => {
    const { board, client, clock, invalidations, touched } = setUp();
    const mark = await invalidations.mark(['student:1']);
    await invalidations.invalidate(['student:1'], 'commit', { mark: mark! });
    expect(client.asked).toEqual([{ tags: ['student:1'], options: { mark: mark?.id } }]);
    expect([touched(), invalidations.pending, clock.waiting]).toEqual([false, 0, 0]);
    // The store has ended it with the invalidation.
    expect(board.open.size).toBe(1);
  });

  it('ends with a rollback, which invalidates nothing', async () => {
    const { board, client, clock, invalidations, touched } = setUp();
    const mark = await invalidations.mark(['student:1']);
    await invalidations.unmark(mark!);
    await invalidations.unmark(mark!);
    expect(board.open.size).toBe(0);
    expect(client.calls.invalidate).toBe(0);
    expect([touched(), invalidations.pending, clock.waiting]).toEqual([false, 0, 0]);
  });

  it('of a write that turns out to touch nothing ends like a rollback', async () => {
    const { board, clock, invalidations, touched } = setUp();
    const mark = await invalidations.mark(['student:1']);
    await invalidations.invalidate([], 'commit', { mark: mark! });
    expect([board.open.size, touched(), clock.waiting]).toEqual([0, false, 0]);
  });

  it('of two writers on one tag holds it until both have ended', async () => {
    const { invalidations, touched } = setUp();
    const one = await invalidations.mark(['student:1']);
    const two = await invalidations.mark(['student:1']);
    expect(one?.id).not.toBe(two?.id);
    await invalidations.unmark(one!);
    expect(touched()).toBe(true);
    await invalidations.invalidate(['student:1'], 'commit', { mark: two! });
    expect(touched()).toBe(false);
  });

  it('past its time is invalidated, because its writer may have committed', async () => {
    const { client, clock, events, invalidations, touched } = setUp();
    const mark = await invalidations.mark(['student:1']);
    clock.advance(TTL_MS - 1);
    await tick();
    expect([touched(), client.calls.invalidate]).toEqual([true, 0]);
    clock.advance(1);
    await tick();
    expect(client.asked).toEqual([{ tags: ['student:1'], options: { mark: mark?.id } }]);
    expect(events).toMatchObject([{ kind: 'invalidate', cause: 'mark' }]);
    expect([touched(), clock.waiting]).toEqual([false, 0]);
    // The writer comes back after all.
    await invalidations.invalidate(['student:1'], 'commit', { mark: mark! });
    expect([client.calls.invalidate, invalidations.pending, clock.waiting]).toEqual([2, 0, 0]);
  });

  it('past its time stays held while the store does not take its invalidation', async () => {
    const { client, clock, invalidations, touched } = setUp();
    await invalidations.mark(['student:1']);
    client.broken = true;
    clock.advance(TTL_MS);
    await tick();
    expect(touched()).toBe(true);
    client.broken = false;
    clock.advance(2000);
    await tick();
    expect([touched(), client.asked.length, clock.waiting]).toEqual([false, 1, 0]);
  });

  it('whose invalidation fails is ended everywhere by the retry that succeeds, not by its deadline', async () => {
    const { board, client, clock, invalidations } = setUp();
    const mark = await invalidations.mark(['student:1']);
    client.broken = true;
    const writing = invalidations.invalidate(['student:1'], 'commit', { mark: mark! });
    await tick();
    expect(board.open.size).toBe(1);
    client.broken = false;
    clock.advance(20);
    expect(await writing).toMatchObject({ seq: 1 });
    await tick();
    expect([board.open.size, invalidations.pending, clock.waiting]).toEqual([0, 0, 0]);
  });

  it('whose invalidation fails stays held until a retry is in force, and no longer', async () => {
    const { client, clock, invalidations, touched } = setUp();
    const mark = await invalidations.mark(['student:1', 'class:2']);
    client.broken = true;
    const writing = invalidations.invalidate(['student:1'], 'commit', { mark: mark! });
    await tick();
    expect([touched(), invalidations.touches(['class:2'])]).toEqual([true, false]);
    client.broken = false;
    clock.advance(20);
    await writing;
    expect([touched(), invalidations.pending, clock.waiting]).toEqual([false, 0, 0]);
  });

  it('of many tags of a kind means the whole kind', async () => {
    const { board, invalidations } = setUp();
    await invalidations.mark(Array.from({ length: 65 }, (_, index) => `student:${index}`));
    expect([...board.open.values()]).toEqual([['student:*']]);
    expect(invalidations.touches(['student:1', 'student:*'])).toBe(true);
  });

  it('is not made where marks are off, or there is nothing to mark', async () => {
    const off = setUp({ marks: false });
    expect(await off.invalidations.mark(['student:1'])).toBeUndefined();
    const on = setUp();
    expect(await on.invalidations.mark([])).toBeUndefined();
    expect([off.touched(), off.clock.waiting, on.clock.waiting, on.board.open.size]).toEqual([false, 0, 0, 0]);
  });

  it('of a process that is alone holds here', async () => {
    const { invalidations, touched } = setUp({ shared: false });
    const mark = await invalidations.mark(['student:1']);
    expect(touched()).toBe(true);
    await invalidations.unmark(mark!);
    expect(touched()).toBe(false);
  });
});

describe('a mark that the store does not take', () => {
  it('`proceed`: the write goes on, held here all the same', async () => {
    const { board, client, events, invalidations, touched } = setUp();
    board.broken = true;
    const mark = await invalidations.mark(['student:1']);
    expect(events).toEqual([{ kind: 'markFailed', tags: ['student:1'], aborted: false, error: 'broken by the test' }]);
    expect(touched()).toBe(true);
    await invalidations.invalidate(['student:1'], 'commit', { mark: mark! });
    expect([touched(), client.calls.invalidate]).toEqual([false, 1]);
  });

  it('`abort`: the write is refused with a code, and nothing stays held or marked', async () => {
    const { board, clock, events, invalidations, touched } = setUp({ onMarkError: 'abort' });
    board.answerLost = true;
    await expect(invalidations.mark(['student:1'])).rejects.toMatchObject({ code: 'ERC_MARK' });
    await tick();
    expect(events).toMatchObject([{ kind: 'markFailed', aborted: true }]);
    expect([touched(), board.open.size, invalidations.pending, clock.waiting]).toEqual([false, 0, 0, 0]);
  });

  it('a rollback that the store does not hear of is nobody else’s error', async () => {
    const { board, invalidations, touched } = setUp();
    const mark = await invalidations.mark(['student:1']);
    board.broken = true;
    await invalidations.unmark(mark!);
    expect(touched()).toBe(false);
  });
});

describe('close()', () => {
  it('leaves no timer of a mark, and none is begun after it', async () => {
    const { board, client, clock, invalidations } = setUp();
    await invalidations.mark(['student:1']);
    await invalidations.mark(['student:2']);
    invalidations.close();
    expect(clock.waiting).toBe(0);
    expect(await invalidations.mark(['student:3'])).toBeUndefined();
    clock.advance(TTL_MS);
    await tick();
    expect([clock.waiting, client.calls.invalidate, board.open.size]).toEqual([0, 0, 2]);
  });
});
