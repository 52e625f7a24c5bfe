// What an entry says of itself: when it was made, how long it is fresh, and that it was settled once.
import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';
import { BOTH, coreOver, draft, lead, memoryOn, request, served, tick } from './set-up.js';

describe.each(BOTH)('an entry over %s', (_name, wrap) => {
  const setUp = () => {
    const clock = new FakeClock();
    return coreOver(wrap(memoryOn(clock)), clock);
  };
  const entryOf = async ({ cache }: ReturnType<typeof setUp>) => {
    const turn = await cache.read(request());
    if (turn.next !== 'serve') throw new Error(`expected an entry, got ${turn.next}`);
    return turn.entry;
  };

  it('is as old as the beginning of its computation, and lives from then', async () => {
    const core = setUp();
    const began = core.clock.now();
    const load = await lead(core.cache.read(request()));
    core.clock.advance(20_000);
    await load.store(draft('slow'));
    const { createdAt, staleAt, deleteAt, computeMs } = await entryOf(core);
    expect({ createdAt, staleAt, deleteAt, computeMs }).toEqual({
      createdAt: began,
      staleAt: began + 60_000,
      deleteAt: began + 60_000,
      computeMs: 20_000,
    });
    core.clock.advance(39_999);
    expect(await served(core.cache.read(request()))).toBe('slow');
    core.clock.advance(1);
    (await lead(core.cache.read(request()))).decline('error');
  });

  it.each([
    [1_000, 1_000],
    [60_000, 60_000],
    [600_000, 60_000],
  ])('a lifetime of %i ms given by the handler makes it %i: shorter, never longer', async (given, fresh) => {
    const core = setUp();
    await (await lead(core.cache.read(request()))).store(draft('x', { ttlMs: given }));
    const { createdAt, staleAt } = await entryOf(core);
    expect(staleAt - createdAt).toBe(fresh);
  });

  it('belongs to the position that was captured, not to the one when it is stored', async () => {
    const core = setUp();
    const load = await lead(core.cache.read(request()));
    await core.invalidations.invalidate(['unrelated:1'], 'commit');
    expect(await load.store(draft('x'))).toBe('stored');
    const { epoch, asOf } = await entryOf(core);
    expect({ epoch, seq: asOf }).toEqual(load.position);
  });

  it('is settled once: what is declined later was stored all the same', async () => {
    const core = setUp();
    const load = await lead(core.cache.read(request()));
    await load.store(draft('x'));
    const told = core.events.length;
    load.decline('error');
    expect(await load.store(draft('y'))).toBe('declined');
    expect(core.events).toHaveLength(told);
    expect(await served(core.cache.read(request()))).toBe('x');
  });

  it('of a forced refresh does not hold up who waits for the load beside it', async () => {
    const { cache } = setUp();
    const first = await lead(cache.read(request()));
    const forced = await lead(cache.read(request({ refresh: true })));
    const waiting = cache.read(request());
    await tick();
    await first.store(draft('one'));
    expect(await served(waiting)).toBe('one');
    forced.decline('error');
  });
});

describe('a store that cannot tell', () => {
  it('makes every reader compute for himself, and nothing is stored', async () => {
    const clock = new FakeClock();
    const client = new SharedHub(clock).client();
    client.broken = true;
    const { cache, events } = coreOver(client, clock);
    expect(await cache.read(request())).toEqual({ next: 'alone', reason: 'unavailable' });
    expect(events).toEqual([{ kind: 'bypass', type: 'default', reason: 'unavailable', detail: 'broken by the test' }]);
    expect(client.calls.put).toBe(0);
  });
});
