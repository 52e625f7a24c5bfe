// What a computation depends on, however it says so: tags in any form, nested values, transactions around it.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Values } from '../../src/core/get-or-load.js';
import { structuredCodec } from '../../src/entry/value-codec.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { coreOver, draft, lead, memoryOn, request } from './set-up.js';

function setUp() {
  const clock = new FakeClock();
  const store = memoryOn(clock);
  return { ...coreOver(store, clock), store };
}

let set: ReturnType<typeof setUp>;
beforeEach(() => {
  set = setUp();
});

describe('tags', () => {
  it('found while computing may come from an iterator, which can be read only once: the outer report gets them too', async () => {
    const { cache, invalidations } = set;
    const outer = await lead(cache.read(request({ key: 'outer', tags: ['outer:1'] })));
    await outer.run(async () => {
      const inner = await lead(cache.read(request({ key: 'inner', tags: ['inner:1'] })));
      inner.addTags(new Set(['found:1']).values());
      await inner.store(draft('i'));
    });
    expect(await outer.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['found:1'], 'commit');
    (await lead(cache.read(request({ key: 'outer' })))).decline('error');
    (await lead(cache.read(request({ key: 'inner' })))).decline('error');
  });

  it.each([['no kind 1'], ['student:Ann Lee'], ['student:'], [':1'], ['*'], [5 as never], [undefined as never]])(
    'that are none (%p): computed, not stored, said once; nobody waits in vain and nothing is rejected',
    async (bad) => {
      const { cache, events } = set;
      for (let round = 0; round < 2; round += 1) {
        const load = await lead(cache.read(request()));
        const waiting = cache.read(request());
        load.addTags([bad]);
        expect(await load.store(draft('x'))).toBe('declined');
        (await lead(waiting)).decline('error');
      }
      expect(events.filter(({ kind }) => kind === 'advice')).toMatchObject([{ code: 'ERC_TAG' }]);
    },
  );

  it('that a value adds which could not be cached itself still reach the report around it', async () => {
    const { cache, clock, emit, invalidations, scopes } = set;
    const value = request({ key: 'value', tags: ['value:1'] });
    const busy = await lead(cache.read(value));
    const outer = await lead(cache.read(request({ key: 'outer', tags: ['outer:1'] })));
    await outer.run(async () => {
      const loading = new Values(cache, scopes, clock, emit).getOrLoad(
        value,
        async (run) => {
          run.addTags(['found:1']);
          return 1;
        },
        structuredCodec,
      );
      await new Promise<void>((resolve) => setImmediate(resolve));
      // Waited too long for the one who computes it: computes alone.
      clock.advance(30_000);
      expect((await loading).value).toBe(1);
    });
    busy.decline('error');
    expect(await outer.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['found:1'], 'commit');
    (await lead(cache.read(request({ key: 'outer' })))).decline('error');
  });
});

describe('a transaction around a computation', () => {
  const runner = {};

  it('that has written meanwhile keeps the result from being stored: it may show rows that are not committed', async () => {
    const { cache, scopes } = set;
    await (async () => {
      scopes.began(runner);
      const load = await lead(cache.read(request()));
      await load.run(async () => scopes.wrote(runner));
      expect(await load.store(draft('dirty'))).toBe('declined');
      scopes.ended(runner, true);
    })();
  });

  it('that was undone meanwhile keeps the result from being stored; what is computed afterwards is stored', async () => {
    const { cache, scopes } = set;
    await (async () => {
      scopes.began(runner);
      const load = await lead(cache.read(request()));
      await load.run(async () => {
        scopes.wrote(runner);
        scopes.ended(runner, false);
      });
      expect(await load.store(draft('dirty'))).toBe('declined');
      expect(await (await lead(cache.read(request()))).store(draft('clean'))).toBe('stored');
    })();
  });
});
