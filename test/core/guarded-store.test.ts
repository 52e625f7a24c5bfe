// A store that fails or hangs: readers are told "unavailable" in time, writers are told the failure.
import { describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Marks, Store } from '../../src/contract/store.js';
import { GuardedStore } from '../../src/core/guarded-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { memoryOn, tick } from './set-up.js';

const POSITION = { epoch: 'epoch-1', seq: 0 };
const fail = () => Promise.reject(new Error('broken'));
const hang = () => new Promise<never>(() => undefined);

/** A store for one process has no marks to share. */
function withMarks(store: Store): Store & Marks {
  return Object.assign(store, { mark: fail, unmark: fail });
}

/** Every operation does the same. */
function storeThat(operation: () => Promise<never>): Store & Marks {
  return {
    name: 'redis',
    lookup: operation,
    put: operation,
    keepForm: operation,
    invalidate: operation,
    mark: operation,
    unmark: operation,
    position: operation,
    evict: () => undefined,
    close: () => undefined,
  };
}

function guard(inner: Store & Marks, clock = new FakeClock()) {
  const events: CacheEvent[] = [];
  return { clock, events, store: new GuardedStore(inner, 250, clock, (event) => events.push(event)) };
}

const operations = (store: Store & Marks, clock: FakeClock) =>
  ({
    lookup: () => store.lookup('k'),
    put: () => store.put('k', makeEntry(POSITION, clock.now())),
    invalidate: () => store.invalidate(['student:1']),
    position: () => store.position(),
    mark: () => store.mark(['student:1'], 'm1', 5000),
    unmark: () => store.unmark('m1'),
  }) as const;

describe.each([
  ['fails', fail, 0, 'broken'],
  ['hangs', hang, 250, 'No answer within 250 ms.'],
] as const)('a store that %s', (_name, operation, ms, error) => {
  const begin = async (name: 'lookup' | 'put' | 'invalidate' | 'position') => {
    const set = guard(storeThat(operation));
    const outcome = Promise.resolve(operations(set.store, set.clock)[name]()).then(
      (value) => value,
      (reason: Error) => `rejected: ${reason.message}`,
    );
    await tick();
    set.clock.advance(ms);
    return { ...set, outcome: await outcome };
  };

  it('is unavailable to readers: nothing is served, nothing counts as stored', async () => {
    expect((await begin('lookup')).outcome).toEqual({ outcome: 'unavailable', reason: error });
    expect((await begin('put')).outcome).toBe('unavailable');
  });

  it('is an error to who must know: an invalidation or a position is never made up', async () => {
    expect((await begin('invalidate')).outcome).toBe(`rejected: ${error}`);
    expect((await begin('position')).outcome).toBe(`rejected: ${error}`);
  });

  it.each(['lookup', 'put', 'invalidate', 'position'] as const)(
    'says so once (%s) and leaves no timer',
    async (name) => {
      const { events, clock } = await begin(name);
      // The one timer of all deadlines may still run; when it has, nothing more comes of it.
      clock.advance(10_000);
      expect(events).toEqual([{ kind: 'layerFailed', layer: 'redis', operation: name, error }]);
      expect(clock.waiting).toBe(0);
    },
  );
});

describe('a store that answers', () => {
  it('is passed on, without events or timers left', async () => {
    const clock = new FakeClock();
    const { store, events } = guard(withMarks(memoryOn(clock)), clock);
    expect(await store.lookup('k')).toEqual({ outcome: 'miss', reason: 'absent', position: POSITION });
    expect(await store.put('k', makeEntry(POSITION, clock.now()))).toBe('stored');
    expect(await store.lookup('k')).toMatchObject({ outcome: 'hit' });
    expect(await store.invalidate(['student:1'])).toEqual({ epoch: 'epoch-1', seq: 1 });
    expect(await store.position()).toEqual({ epoch: 'epoch-1', seq: 1 });
    clock.advance(10_000);
    expect([events, clock.waiting]).toEqual([[], 0]);
  });

  it('leaves nothing running when it is closed', async () => {
    const clock = new FakeClock();
    const { store } = guard(withMarks(memoryOn(clock)), clock);
    await store.lookup('k');
    await store.close();
    expect(clock.waiting).toBe(0);
  });
});
