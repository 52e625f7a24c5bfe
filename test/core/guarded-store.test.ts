// A store that fails or hangs: readers are told "unavailable" in time, writers are told the failure.
import { describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import type { Claims, Marks, Store } from '../../src/contract/store.js';
import { Breaker } from '../../src/core/breaker.js';
import { GuardedStore, type GuardOptions } from '../../src/core/guarded-store.js';
import { BREAKER } from '../../src/options/defaults.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { guardOptions } from '../support/guard-options.js';
import { memoryOn, tick } from './set-up.js';

const POSITION = { epoch: 'epoch-1', seq: 0 };
const fail = () => Promise.reject(new Error('broken'));
const hang = () => new Promise<never>(() => undefined);

type Shared = Store & Marks & Claims;

/** A store for one process has no marks and no claims to share. */
function shared(store: Store): Shared {
  return Object.assign(store, { mark: fail, unmark: fail, claim: fail, renewClaim: fail, endClaim: fail });
}

/** Every operation does the same. */
function storeThat(operation: () => Promise<never>): Shared {
  return {
    name: 'redis',
    lookup: operation,
    put: operation,
    keepForm: operation,
    invalidate: operation,
    mark: operation,
    unmark: operation,
    claim: operation,
    renewClaim: operation,
    endClaim: operation,
    position: operation,
    evict: () => undefined,
    close: () => undefined,
  };
}

function guard(inner: Shared, clock = new FakeClock(), options: Partial<GuardOptions> = {}) {
  const events: CacheEvent[] = [];
  const store = new GuardedStore(inner, guardOptions(options), clock, (event) => events.push(event));
  return { clock, events, store };
}

const operations = (store: GuardedStore, clock: FakeClock) =>
  ({
    lookup: () => store.lookup('k'),
    put: () => store.put('k', makeEntry(POSITION, clock.now())),
    invalidate: () => store.invalidate(['student:1']),
    position: () => store.position(),
    mark: () => store.mark(['student:1'], 'm1', 5000),
    unmark: () => store.unmark('m1'),
    claim: () => store.claim('k', 'token', 5000),
    renewClaim: () => store.renewClaim('k', 'token', 5000),
    endClaim: () => store.endClaim('k', 'token', 0),
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
    const { store, events } = guard(shared(memoryOn(clock)), clock);
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
    const { store } = guard(shared(memoryOn(clock)), clock);
    await store.lookup('k');
    await store.close();
    expect(clock.waiting).toBe(0);
  });
});

describe('the breaker before readers', () => {
  /** A store that does as it is told, and counts what reaches it. */
  function trouble() {
    const asked: string[] = [];
    let answers: () => Promise<unknown> = fail;
    const operation = (name: string) => () => {
      asked.push(name);
      return answers() as Promise<never>;
    };
    const inner: Shared = {
      name: 'redis',
      keepForm: operation('keepForm'),
      claim: operation('claim'),
      renewClaim: operation('renewClaim'),
      endClaim: operation('endClaim'),
      lookup: operation('lookup'),
      put: operation('put'),
      invalidate: operation('invalidate'),
      mark: operation('mark'),
      unmark: operation('unmark'),
      position: operation('position'),
      evict: () => undefined,
      close: () => undefined,
    };
    const set = guard(inner);
    const does = operations(set.store, set.clock);
    const states = () => set.events.flatMap((event) => (event.kind === 'breaker' ? [event.state] : []));
    const answer = (how: () => Promise<unknown>) => (answers = how);
    const open = async () => {
      for (let turn = 0; turn < 5; turn += 1) await does.lookup();
      asked.length = 0;
    };
    return { ...set, does, asked, states, answer, open };
  }
  const answered = () => Promise.resolve(POSITION);

  it('after five failures in a row nobody is sent on, nobody waits, and the log is quiet', async () => {
    const { does, asked, states, open, answer, events, clock } = trouble();
    await open();
    answer(hang);
    const told = events.length;
    expect(await does.lookup()).toEqual({
      outcome: 'unavailable',
      reason: 'Not asked, because it failed a moment ago.',
    });
    expect(await does.put()).toBe('unavailable');
    await expect(does.position()).rejects.toThrow('Not asked');
    expect(asked).toEqual([]);
    expect(states()).toEqual(['open']);
    expect(events.length).toBe(told);
    clock.advance(250);
    expect(clock.waiting).toBe(0);
  });

  it('a deadline that passed is a failure', async () => {
    const { does, states, answer, clock } = trouble();
    answer(hang);
    const waiting = Array.from({ length: 5 }, () => does.lookup());
    await tick();
    clock.advance(249);
    await tick();
    expect(states()).toEqual([]);
    clock.advance(1);
    await Promise.all(waiting);
    expect(states()).toEqual(['open']);
  });

  it('invalidations, marks and their ends are never refused', async () => {
    const { does, asked, open } = trouble();
    await open();
    for (const name of ['invalidate', 'mark', 'unmark'] as const) await expect(does[name]()).rejects.toThrow('broken');
    expect(asked).toEqual(['invalidate', 'mark', 'unmark']);
  });

  it('after the cool-off one reader finds out, and the others still do not wait', async () => {
    const { does, asked, states, open, answer, clock } = trouble();
    await open();
    clock.advance(500);
    answer(hang);
    const probe = does.lookup();
    expect(await does.lookup()).toMatchObject({ outcome: 'unavailable' });
    expect(await does.put()).toBe('unavailable');
    expect(asked).toEqual(['lookup']);
    clock.advance(250);
    expect(await probe).toMatchObject({ outcome: 'unavailable' });
    expect(states()).toEqual(['open', 'half-open', 'open']);
    answer(answered);
    clock.advance(1000);
    await does.position();
    await does.lookup();
    expect(states()).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  it('an answer that comes after its deadline is no recovery', async () => {
    const { does, states, open, answer, clock } = trouble();
    await open();
    clock.advance(500);
    let late: (value: unknown) => void = () => undefined;
    answer(() => new Promise((resolve) => (late = resolve)));
    const probe = does.lookup();
    await tick();
    clock.advance(250);
    await probe;
    late(POSITION);
    await tick();
    expect(await does.lookup()).toMatchObject({ outcome: 'unavailable' });
    expect(states()).toEqual(['open', 'half-open', 'open']);
  });

  it.each(['invalidate', 'mark', 'unmark'] as const)('%s that gets through ends the cool-off', async (name) => {
    const { does, states, open, answer, clock } = trouble();
    await open();
    answer(answered);
    await does[name]();
    expect(await does.lookup()).toEqual(POSITION);
    expect(states()).toEqual(['open', 'half-open', 'closed']);
    expect(clock.monotonic()).toBe(0);
  });

  it('a new connection ends the cool-off', async () => {
    const { does, store, states, open, answer } = trouble();
    await open();
    answer(answered);
    store.reconnected();
    expect(await does.lookup()).toEqual(POSITION);
    expect(states()).toEqual(['open', 'half-open', 'closed']);
  });

  it('a store that takes nothing more still serves what it has', async () => {
    const { does, asked, states, answer } = trouble();
    for (let turn = 0; turn < 30; turn += 1) {
      answer(answered);
      await does.lookup();
      answer(fail);
      await does.put();
    }
    expect(states()).toEqual([]);
    expect(asked.filter((name) => name === 'lookup')).toHaveLength(30);
  });

  it('what the store has not answered is bounded, whenever its deadline was', async () => {
    const clock = new FakeClock();
    const pending: ((value: never) => void)[] = [];
    const inner = storeThat(() => new Promise<never>((resolve) => pending.push(resolve)));
    const never = new Breaker({ ...BREAKER, failuresInARow: Infinity, failureShare: 2 });
    const { store } = guard(inner, clock, { maxUnanswered: 3, breaker: never });
    const flood = Array.from({ length: 10 }, () => store.lookup('k'));
    await tick();
    expect(pending).toHaveLength(3);
    clock.advance(250);
    expect((await Promise.all(flood)).every((found) => found.outcome === 'unavailable')).toBe(true);
    expect(await store.lookup('k')).toEqual({ outcome: 'unavailable', reason: '3 operations wait for an answer.' });
    expect(await store.put('k', makeEntry(POSITION, clock.now()))).toBe('unavailable');
    const invalidated = store.invalidate(['student:1']).catch((error: Error) => error.message);
    expect(pending).toHaveLength(4);
    pending[0]?.(POSITION as never);
    await tick();
    void store.lookup('k');
    expect(pending).toHaveLength(5);
    clock.advance(250);
    expect(await invalidated).toBe('No answer within 250 ms.');
  });
});
