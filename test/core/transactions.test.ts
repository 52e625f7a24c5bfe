// Transactions around computations, at their edges: begun outside, written inside, undone, only read.
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../fakes/fake-clock.js';
import { BOTH, coreOver, draft, lead, memoryOn, request, served, tick } from './set-up.js';

describe.each(BOTH)('transactions over %s', (_name, wrap) => {
  const setUp = async () => {
    const clock = new FakeClock();
    const core = coreOver(wrap(memoryOn(clock)), clock);
    await (await lead(core.cache.read(request()))).store(draft('committed'));
    return core;
  };
  const outer = request({ key: 'outer', tags: ['outer:1'] });

  it('one that was begun around a computation and written in it keeps the code inside from the cache', async () => {
    const { cache, scopes } = await setUp();
    await (async () => {
      const runner = {};
      scopes.began(runner);
      const load = await lead(cache.read(outer));
      await load.run(async () => {
        expect(await served(cache.read(request()))).toBe('committed');
        scopes.wrote(runner);
        expect(await cache.read(request())).toEqual({ next: 'alone', reason: 'transaction' });
        scopes.ended(runner, true);
        expect(await served(cache.read(request()))).toBe('committed');
      });
      load.decline('error');
    })();
  });

  it('one that only read and was undone leaves the result fit to be stored', async () => {
    const { cache, scopes } = await setUp();
    const load = await lead(cache.read(outer));
    load.run(() => {
      const runner = {};
      scopes.began(runner);
      scopes.ended(runner, false);
    });
    expect(await load.store(draft('clean'))).toBe('stored');
  });

  it('one that was undone taints what is computed later in the same computation', async () => {
    const { cache, scopes } = await setUp();
    const load = await lead(cache.read(outer));
    await load.run(async () => {
      const [undone, committed] = [{}, {}];
      scopes.began(undone);
      scopes.wrote(undone);
      await tick();
      scopes.ended(undone, false);
      scopes.began(committed);
      scopes.wrote(committed);
      scopes.ended(committed, true);
    });
    expect(await load.store(draft('dirty'))).toBe('declined');
  });

  it('two at once: the code is inside until both have ended', async () => {
    const { cache, scopes } = await setUp();
    await (async () => {
      const [one, two] = [{}, {}];
      scopes.began(one);
      scopes.began(two);
      scopes.wrote(one);
      scopes.keepsSnapshot(two);
      scopes.ended(one, true);
      expect(await cache.read(request())).toEqual({ next: 'alone', reason: 'transaction' });
      scopes.ended(two, true);
      expect(await served(cache.read(request()))).toBe('committed');
    })();
  });

  it('one that nobody has announced is ignored', async () => {
    const { cache, scopes } = await setUp();
    const stranger = {};
    scopes.wrote(stranger);
    scopes.keepsSnapshot(stranger);
    scopes.ended(stranger, false);
    expect(await served(cache.read(request()))).toBe('committed');
  });
});
