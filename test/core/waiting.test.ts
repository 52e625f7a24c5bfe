// Readers who wait for another reader's computation: what they may use of it, how long they wait, and that they always go on.
import { describe, expect, it } from '@jest/globals';
import { AsyncStore } from '../fakes/async-store.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { BOTH, coreOver, draft, lead, memoryOn, request, served, tick } from './set-up.js';

describe('waiting where the store takes its time', () => {
  it('who had arrived before a computation began may use it, stored or not', async () => {
    const clock = new FakeClock();
    const { cache, invalidations } = coreOver(new AsyncStore(memoryOn(clock)), clock);
    const [first, second] = [cache.read(request()), cache.read(request())];
    const load = await lead(first);
    await tick();
    await invalidations.invalidate(['student:1'], 'commit');
    expect(await load.store(draft('begun after both had arrived'))).toBe('stale');
    expect(await served(second)).toBe('begun after both had arrived');
  });
});

describe.each(BOTH)('waiting over %s', (_name, wrap) => {
  const setUp = (options?: { maxTags?: number }) => {
    const clock = new FakeClock();
    return coreOver(wrap(memoryOn(clock)), clock, options);
  };

  it('what must not be stored for its tags is not shared either', async () => {
    const { cache } = setUp({ maxTags: 4 });
    const load = await lead(cache.read(request()));
    const waiting = cache.read(request());
    await tick();
    load.addTags(['student:2', 'student:3', 'student:4']);
    expect(await load.store(draft('unbounded'))).toBe('declined');
    (await lead(waiting)).decline('error');
  });

  it('what was computed over uncommitted rows is not shared', async () => {
    const { cache, scopes } = setUp();
    const load = await lead(cache.read(request()));
    const waiting = cache.read(request());
    await tick();
    load.run(() => {
      scopes.began(load);
      scopes.wrote(load);
    });
    expect(await load.store(draft('dirty'))).toBe('declined');
    (await lead(waiting)).decline('error');
  });

  it('an answer that turned out to be another variant is not given to who asked for this one', async () => {
    const { cache } = setUp();
    const load = await lead(cache.read(request()));
    const waiting = cache.read(request());
    await tick();
    expect(await load.store(draft('in German', { key: 'k.de' }))).toBe('stored');
    (await lead(waiting)).decline('error');
    expect(await served(cache.read(request({ key: 'k.de' })))).toBe('in German');
    (await lead(cache.read(request()))).decline('error');
  });

  it('an answer that the waiting reader does not accept sends him to compute', async () => {
    const { cache } = setUp();
    const load = await lead(cache.read(request()));
    const asked: string[] = [];
    const waiting = cache.read(request({ accept: ({ body }) => (asked.push(body.toString()), false) }));
    await tick();
    expect(await load.store(draft('one'))).toBe('stored');
    (await lead(waiting)).decline('error');
    expect(new Set(asked)).toEqual(new Set(['one']));
  });

  it('who forces a refresh waits for nobody, not even on a cold report', async () => {
    const { cache } = setUp();
    const load = await lead(cache.read(request()));
    const forced = await lead(cache.read(request({ refresh: true })));
    expect(await forced.store(draft('forced'))).toBe('stored');
    expect(await served(cache.read(request()))).toBe('forced');
    load.decline('error');
  });

  it('only-if-cached does not wait either', async () => {
    const { cache } = setUp();
    const load = await lead(cache.read(request()));
    expect(await cache.read(request({ onlyIfCached: true }))).toEqual({ next: 'none' });
    load.decline('error');
  });

  it('after three computations of no use to him a reader computes at once, and so do all like him', async () => {
    const { cache } = setUp();
    const useless = draft('over at once', { ttlMs: 0 });
    const picky = request({ accept: () => false });
    const first = await lead(cache.read(picky));
    const [second, third, ...others] = Array.from({ length: 5 }, () => cache.read(picky));
    await tick();
    await first.store(useless);
    await (await lead(second!)).store(useless);
    await (await lead(third!)).store(useless);
    const loads = await Promise.all(others.map((turn) => lead(turn)));
    expect(new Set(loads).size).toBe(3);
    for (const load of loads) load.decline('error');
  });

  it('a computation that took too long does not end the one that was begun in its place', async () => {
    const { cache, clock } = setUp();
    const first = await lead(cache.read(request()));
    const impatient = cache.read(request());
    await tick();
    clock.advance(30_000);
    expect(await impatient).toEqual({ next: 'alone', reason: 'wait' });
    const second = await lead(cache.read(request()));
    first.decline('error');
    const waiting = cache.read(request());
    await tick();
    await second.store(draft('two'));
    expect(await served(waiting)).toBe('two');
  });

  it('leaves no timer behind, however the wait ended', async () => {
    const { cache, clock } = setUp();
    const load = await lead(cache.read(request()));
    const waiting = cache.read(request());
    await tick();
    expect(clock.waiting).toBe(1);
    await load.store(draft('one'));
    expect(await served(waiting)).toBe('one');
    expect(clock.waiting).toBe(0);
  });
});
