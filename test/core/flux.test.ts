// Reading while a write is under way, or from a database replica that lags: computed for this reader alone, stored never.
import { describe, expect, it } from '@jest/globals';
import type { Entry } from '../../src/contract/entry.js';
import type { Lookup, PutOutcome } from '../../src/contract/store.js';
import { AsyncStore } from '../fakes/async-store.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { coreOver, draft, lead, memoryOn, request, served } from './set-up.js';

/** Answers as Redis does while its tags are marked. */
class MarkedStore extends AsyncStore {
  marked = true;
  puts = 0;
  override async lookup(key: string): Promise<Lookup> {
    const found = await super.lookup(key);
    if (!this.marked || found.outcome === 'unavailable') return found;
    return { outcome: 'miss', reason: 'flux', position: found.position };
  }
  override async put(key: string, entry: Entry): Promise<PutOutcome> {
    this.puts += 1;
    return this.marked ? 'flux' : super.put(key, entry);
  }
}

function setUp() {
  const clock = new FakeClock();
  const store = new MarkedStore(memoryOn(clock));
  return { ...coreOver(store, clock), store };
}

describe('a report in flux', () => {
  it('is computed by each reader alone: nobody waits, nothing is offered', async () => {
    const { cache, events, store } = setUp();
    const turns = await Promise.all([cache.read(request()), cache.read(request()), cache.read(request())]);
    expect(turns).toEqual(Array.from({ length: 3 }, () => ({ next: 'alone', reason: 'flux' })));
    expect(events).toEqual(Array.from({ length: 3 }, () => ({ kind: 'bypass', type: 'default', reason: 'flux' })));
    expect(store.puts).toBe(0);
  });

  it('does not wait for a computation that had begun before the mark either', async () => {
    const { cache, store } = setUp();
    store.marked = false;
    const load = await lead(cache.read(request()));
    store.marked = true;
    expect(await cache.read(request())).toMatchObject({ next: 'alone' });
    expect(await load.store(draft('read before'))).toBe('flux');
  });

  it('is not what a reader wants who takes only what is cached', async () => {
    const { cache } = setUp();
    expect(await cache.read(request({ onlyIfCached: true }))).toEqual({ next: 'none' });
  });

  it('gives its tags to the report that is built from it', async () => {
    const { cache, store } = setUp();
    store.marked = false;
    const outer = await lead(cache.read(request({ key: 'outer', tags: ['class:1'] })));
    store.marked = true;
    await outer.run(async () => cache.read(request({ tags: ['student:7'] })));
    store.marked = false;
    expect(await outer.store(draft('x'))).toBe('stored');
    expect(await store.lookup('outer')).toMatchObject({ entry: { tags: expect.arrayContaining(['student:7']) } });
  });

  it('is declined, and told so, if the mark came while it was computed', async () => {
    const { cache, events, store } = setUp();
    store.marked = false;
    const load = await lead(cache.read(request()));
    store.marked = true;
    await load.store(draft('x'));
    expect(events.at(-1)).toMatchObject({ kind: 'declined', reason: 'flux' });
    store.marked = false;
    expect(await served(cache.read(request()))).toBe('lead');
  });
});

describe('what was read from a replica that lags', () => {
  it('is not stored', async () => {
    const { cache, events, scopes, store } = setUp();
    store.marked = false;
    const load = await lead(cache.read(request()));
    load.run(() => scopes.readFromThePast());
    expect(await load.store(draft('x'))).toBe('declined');
    expect(events.at(-1)).toMatchObject({ kind: 'declined', reason: 'replica' });
    expect(store.puts).toBe(0);
  });

  it('is not stored in any report around it either, nor does it spoil its neighbours', async () => {
    const { cache, scopes, store } = setUp();
    store.marked = false;
    const outer = await lead(cache.read(request({ key: 'outer' })));
    await outer.run(async () => {
      const middle = await lead(cache.read(request({ key: 'middle' })));
      await middle.run(async () => {
        const inner = await lead(cache.read(request({ key: 'inner' })));
        inner.run(() => scopes.readFromThePast());
        expect(await inner.store(draft('x'))).toBe('declined');
      });
      expect(await middle.store(draft('x'))).toBe('declined');
      const sound = await lead(cache.read(request({ key: 'sound' })));
      expect(await sound.store(draft('x'))).toBe('stored');
    });
    expect(await outer.store(draft('x'))).toBe('declined');
  });

  it('is no matter where nobody computes', () => {
    const { scopes } = setUp();
    expect(() => scopes.readFromThePast()).not.toThrow();
    expect(scopes.replayNeeded).toBeUndefined();
  });
});
