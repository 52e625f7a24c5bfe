// Loaders beside an old value and under time limits: who gets what, when, and what becomes of the loader.
import { describe, expect, it } from '@jest/globals';
import { ReportCacheError } from '../../src/contract/errors.js';
import { MOST_IN_BACKGROUND } from '../../src/core/background.js';
import { BACKOFF_MS } from '../../src/core/backoff.js';
import { PATIENT, Values, type Patience } from '../../src/core/get-or-load.js';
import type { Loader } from '../../src/contract/loader.js';
import { structuredCodec } from '../../src/entry/value-codec.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { coreOver, draft, lead, memoryOn, request, tick } from './set-up.js';

const TTL = 60_000;
const freshness = { graceMs: 300_000, jitter: 0, refreshAhead: 0 };

function setUp(patience: Partial<Patience> = {}, chance = (): number => 0) {
  const clock = new FakeClock();
  const core = coreOver(memoryOn(clock), clock, { chance });
  const values = new Values(core.cache, core.scopes, clock, core.emit);
  const load = async <T>(loader: Loader<T>, overrides = {}) => {
    const asked = request({ freshness, ...overrides });
    return (await values.getOrLoad(asked, loader, structuredCodec, { ...PATIENT, ...patience })).value;
  };
  const kinds = () => core.events.map(({ kind }) => kind);
  return { ...core, values, load, kinds };
}

/** The same, with a value that has just become stale. */
async function setUpStale(patience: Partial<Patience> = {}) {
  const set = setUp(patience);
  await set.load(() => 'old');
  set.clock.advance(TTL);
  return set;
}

/** A loader that the test ends. */
function held<T>() {
  let give: (value: T) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  let runs = 0;
  const loader = () => {
    runs += 1;
    return new Promise<T>((resolve, reject) => {
      give = resolve;
      fail = reject;
    });
  };
  return { loader, give: (value: T) => give(value), fail: (error: Error) => fail(error), runs: () => runs };
}

const never = () => {
  throw new Error('loaded');
};

describe('a stale value', () => {
  it('is returned at once, and one loader runs in the background', async () => {
    const { load, events } = await setUpStale();
    const { loader, give, runs } = held<string>();
    expect(await Promise.all([load(loader), load(loader), load(loader)])).toEqual(['old', 'old', 'old']);
    expect(runs()).toBe(1);
    expect(events.filter(({ kind }) => kind === 'staleHit')).toHaveLength(3);
    give('new');
    await tick();
    expect(await load(never)).toBe('new');
  });

  it('what comes later is as old as the beginning of its loader, not as its end', async () => {
    const { load, clock, cache } = await setUpStale();
    const began = clock.now();
    const { loader, give } = held<string>();
    await load(loader);
    clock.advance(20_000);
    give('new');
    await tick();
    expect(await cache.read(request())).toMatchObject({
      next: 'serve',
      entry: { createdAt: began, staleAt: began + TTL },
    });
  });

  it('RACE a write while the loader runs in the background: its result is not stored', async () => {
    const { load, invalidations } = await setUpStale();
    const { loader, give } = held<string>();
    expect(await load(loader)).toBe('old');
    await invalidations.invalidate(['student:1'], 'commit');
    give('between');
    await tick();
    expect(await load(() => 'after')).toBe('after');
  });

  it('a loader that fails in the background is told of by its class, and rests', async () => {
    const { load, clock, events } = await setUpStale();
    const { loader, fail } = held<string>();
    await load(loader);
    fail(new TypeError('ann@example.org'));
    await tick();
    expect(events).toContainEqual({ kind: 'refreshFailed', key: 'k', type: 'default', error: 'TypeError' });
    expect(JSON.stringify(events)).not.toContain('ann@');
    expect(await load(never)).toBe('old');
    clock.advance(BACKOFF_MS);
    await load(() => 'new');
    await tick();
    expect(await load(never)).toBe('new');
  });

  it('in an open transaction the caller waits, since the loader may use its connection; its error leaves the old value', async () => {
    const { load, scopes } = await setUpStale();
    const runner = {};
    await scopes.open(computationOf()).run(async () => {
      scopes.began(runner);
      expect(await load(never)).toBe('old');
      scopes.ended(runner, true);
    });
    const other = await setUpStale();
    await other.scopes.open(computationOf()).run(async () => {
      other.scopes.began(runner);
      expect(await other.load(() => 'new')).toBe('new');
      other.scopes.ended(runner, true);
    });
  });

  it('does not stand in for what the caller’s own transaction has written meanwhile', async () => {
    const { load, scopes } = await setUpStale();
    const runner = {};
    await scopes.open(computationOf()).run(async () => {
      scopes.began(runner);
      const writes = async () => {
        scopes.wrote(runner);
        throw new Error('conflict');
      };
      await expect(load(writes)).rejects.toThrow('conflict');
      scopes.ended(runner, false);
    });
  });

  it('bytes that the codec cannot read are no value: the caller waits for the loader', async () => {
    const { load, cache, clock } = setUp();
    const stored = await lead(cache.read(request({ freshness })));
    await stored.store(draft('not a value'));
    clock.advance(TTL);
    expect(await load(() => 'new')).toBe('new');
  });

  it('as many loaders run in the background as may; others’ values are served stale, and loaded later', async () => {
    const { load, clock } = setUp();
    const keys = Array.from({ length: MOST_IN_BACKGROUND + 1 }, (_, index) => `k${index}`);
    for (const key of keys) await load(() => 'old', { key });
    clock.advance(TTL);
    const loaders = keys.map(() => held<string>());
    for (const [index, key] of keys.entries()) {
      expect(await load(loaders[index]!.loader, { key })).toBe('old');
    }
    expect(loaders.map(({ runs }) => runs())).toEqual([...keys.slice(1).map(() => 1), 0]);
    loaders[0]!.give('new');
    await tick();
    const last = loaders.at(-1)!;
    expect(await load(last.loader, { key: keys.at(-1) })).toBe('old');
    expect(last.runs()).toBe(1);
  });
});

describe('refresh ahead', () => {
  it('a loader that is due early runs in the background; its caller gets the fresh value, whatever his time limits', async () => {
    let chance = 0;
    const { load, clock, kinds } = setUp({ softTimeoutMs: 1000 }, () => chance);
    const ahead = { freshness: { ...freshness, refreshAhead: 1 } };
    const first = held<string>();
    const loading = load(first.loader, ahead);
    await tick();
    clock.advance(10_000);
    first.give('old');
    await loading;
    chance = 0.9999;
    expect(await load(() => 'new', ahead)).toBe('old');
    expect(kinds()).not.toContain('staleHit');
    await tick();
    chance = 0;
    expect(await load(never, ahead)).toBe('new');
  });
});

describe('a report around a value', () => {
  const outer = request({ key: 'outer', tags: ['outer:1'] });

  it('depends on the stale value that it got, and not on what its loader finds in the background', async () => {
    const { load, cache, invalidations } = await setUpStale();
    const around = await lead(cache.read({ ...outer, freshness }));
    const { loader, give } = held<string>();
    await around.run(async () =>
      load(async (run) => {
        const value = await loader();
        run.addTags(['found:1']);
        return value;
      }),
    );
    give('new');
    await tick();
    expect(await around.store(draft('o'))).toBe('stored');
    await invalidations.invalidate(['found:1'], 'commit');
    const again = await cache.read({ ...outer, freshness });
    expect(again).toHaveProperty('fallback');
    (await lead(again)).decline('incomplete');
    await invalidations.invalidate(['student:1'], 'commit');
    expect(await cache.read({ ...outer, freshness })).not.toHaveProperty('fallback');
  });

  it('a loader in the background runs outside of its reader’s computation', async () => {
    const { load, cache, scopes } = await setUpStale();
    const around = await lead(cache.read({ ...outer, freshness }));
    let seen: unknown;
    await around.run(async () => {
      const own = scopes.computation;
      await load(async () => {
        await tick();
        seen = scopes.computation;
        scopes.computation?.addTags(['found:1']);
        return 'new';
      });
      expect(scopes.computation).toBe(own);
      await tick();
      await tick();
      expect(seen).toBeDefined();
      expect(seen).not.toBe(own);
    });
  });

  it('rows of its reader’s transaction that was begun later are not stored by the loader', async () => {
    const { load, scopes } = await setUpStale();
    const { loader, give } = held<string>();
    const runner = {};
    await scopes.open(computationOf()).run(async () => {
      expect(await load(loader)).toBe('old');
      scopes.began(runner);
      scopes.wrote(runner);
      give('dirty');
      await tick();
      scopes.ended(runner, false);
    });
    expect(await load(() => 'clean')).toBe('old');
    await tick();
    expect(await load(never)).toBe('clean');
  });
});

describe('the soft time limit', () => {
  it('a loader in time is what the caller gets, and no timer is left', async () => {
    const { load, clock } = await setUpStale({ softTimeoutMs: 1000 });
    expect(await load(() => 'new')).toBe('new');
    expect(clock.waiting).toBe(0);
  });

  it('a loader that takes longer goes on, and its caller gets the stale value', async () => {
    const { load, clock, events } = await setUpStale({ softTimeoutMs: 1000 });
    const { loader, give } = held<string>();
    const loading = load(loader);
    await tick();
    clock.advance(1000);
    expect(await loading).toBe('old');
    expect(events).toContainEqual({ kind: 'overdue', key: 'k', type: 'default', limit: 'soft', stale: true });
    give('new');
    await tick();
    expect(await load(never)).toBe('new');
  });

  it('means nothing where no stale value is at hand', async () => {
    const { load, clock } = setUp({ softTimeoutMs: 1000 });
    const { loader, give } = held<string>();
    const loading = load(loader);
    await tick();
    clock.advance(5000);
    give('first');
    expect(await loading).toBe('first');
  });

  it('RACE a write before the limit: the old value is not returned, the loader is waited for', async () => {
    const { load, clock, invalidations } = await setUpStale({ softTimeoutMs: 1000 });
    const { loader, give } = held<string>();
    const loading = load(loader);
    await tick();
    await invalidations.invalidate(['student:1'], 'commit');
    clock.advance(1000);
    await tick();
    give('new');
    expect(await loading).toBe('new');
  });
});

describe('the hard time limit', () => {
  const codeOf = async (failing: Promise<unknown>) => {
    const error: unknown = await failing.catch((reason: unknown) => reason);
    return error instanceof ReportCacheError ? error.code : error;
  };

  it('a loader that takes longer is given up with ERC_TIMEOUT; what it returns later is stored if it is current', async () => {
    const { load, clock, events } = setUp({ hardTimeoutMs: 3000 });
    const { loader, give } = held<string>();
    const loading = load(loader);
    await tick();
    clock.advance(3000);
    expect(await codeOf(loading)).toBe('ERC_TIMEOUT');
    expect(events).toContainEqual({ kind: 'overdue', key: 'k', type: 'default', limit: 'hard', stale: false });
    give('late');
    await tick();
    expect(await load(never)).toBe('late');
  });

  it('RACE a write after it was given up: the late result is not stored', async () => {
    const { load, clock, invalidations } = setUp({ hardTimeoutMs: 3000 });
    const { loader, give } = held<string>();
    const loading = load(loader);
    await tick();
    clock.advance(3000);
    await codeOf(loading);
    await invalidations.invalidate(['student:1'], 'commit');
    give('late');
    await tick();
    expect(await load(() => 'new')).toBe('new');
  });

  it('is also that of who waits for another one’s loader; who comes later begins anew', async () => {
    const { load, clock } = setUp({ hardTimeoutMs: 3000 });
    const hanging = held<string>();
    const first = load(hanging.loader);
    await tick();
    clock.advance(1000);
    const second = load(never);
    await tick();
    clock.advance(2000);
    expect(await codeOf(first)).toBe('ERC_TIMEOUT');
    expect(await load(() => 'third')).toBe('third');
    clock.advance(1000);
    expect(await codeOf(second)).toBe('ERC_TIMEOUT');
  });

  it('who gave up waiting does not lead afterwards, when nobody is there to settle it', async () => {
    const { load, cache, clock } = setUp({ hardTimeoutMs: 3000 });
    const first = await lead(cache.read(request()));
    const second = load(never);
    await tick();
    clock.advance(3000);
    expect(await codeOf(second)).toBe('ERC_TIMEOUT');
    first.decline('incomplete');
    await tick();
    const third = await Promise.race([cache.read(request()), tick().then(() => 'waits')]);
    expect(third).toMatchObject({ next: 'lead' });
  });

  it('the stale value is returned where there is one, and the loader rests', async () => {
    const { load, clock } = await setUpStale({ softTimeoutMs: 9000, hardTimeoutMs: 3000 });
    const { loader, runs } = held<string>();
    const loading = load(loader);
    await tick();
    clock.advance(3000);
    expect(await loading).toBe('old');
    expect(await load(loader)).toBe('old');
    expect(runs()).toBe(1);
  });

  it('is that of a loader in the background, too: others may try again after it', async () => {
    const { load, clock, events } = await setUpStale({ hardTimeoutMs: 3000 });
    await load(held<string>().loader);
    clock.advance(3000);
    await tick();
    expect(events).toContainEqual(expect.objectContaining({ kind: 'overdue', limit: 'hard', stale: true }));
    clock.advance(BACKOFF_MS);
    await load(() => 'new');
    await tick();
    expect(await load(never)).toBe('new');
  });

  it('without the cache it holds as well', async () => {
    const { load, cache, clock } = setUp({ hardTimeoutMs: 3000 });
    cache.close();
    const loading = load(held<string>().loader);
    await tick();
    clock.advance(3000);
    expect(await codeOf(loading)).toBe('ERC_TIMEOUT');
  });

  it('costs no timer where the value is there', async () => {
    const { load, clock } = setUp({ hardTimeoutMs: 3000 });
    await load(() => 'x');
    await load(never);
    expect(clock.waiting).toBe(0);
  });
});

describe('closing', () => {
  it('waits for loaders in the background', async () => {
    const { load, values } = await setUpStale();
    const { loader, give } = held<string>();
    await load(loader);
    let done = false;
    const drained = values.drained().then(() => (done = true));
    await tick();
    expect(done).toBe(false);
    give('new');
    await drained;
  });
});

function computationOf() {
  return {
    addTags: () => undefined,
    spend: () => undefined,
    inherit: () => undefined,
    position: { epoch: 'epoch-1', seq: 0 },
    replayNeeded: '',
    readFromThePast: () => undefined,
    readFromReplica: () => undefined,
  };
}

describe('a loader that rests after an error', () => {
  const restAfterErrorMs = 5000;

  it('has its error told to all who waited, and to who comes soon after; then it runs again', async () => {
    const { load, clock } = setUp({ restAfterErrorMs });
    const { loader, fail, runs } = held<string>();
    const waiting = Array.from({ length: 10 }, () => load(loader));
    const told = Promise.allSettled(waiting);
    await tick();
    fail(new Error('the model is away'));
    expect((await told).map((one) => one.status === 'rejected' && (one.reason as Error).message)).toEqual(
      Array.from({ length: 10 }, () => 'the model is away'),
    );
    expect(runs()).toBe(1);
    clock.advance(restAfterErrorMs - 1);
    await expect(load(loader)).rejects.toThrow('the model is away');
    expect(await load(() => 'another value', { key: 'another' })).toBe('another value');
    clock.advance(1);
    expect(await load(() => 'back')).toBe('back');
    expect(runs()).toBe(1);
  });

  it('is not asked for what somebody else has stored meanwhile', async () => {
    const { load, cache } = setUp({ restAfterErrorMs });
    await expect(load(never)).rejects.toThrow('loaded');
    await (
      await lead(cache.read(request({ freshness })))
    ).store({ ...draft(''), body: structuredCodec.encode('theirs') });
    expect(await load(never)).toBe('theirs');
  });

  it('leaves the stale value to who asks', async () => {
    const { load, clock } = await setUpStale({ restAfterErrorMs, softTimeoutMs: 100 });
    expect(await load(never)).toBe('old');
    clock.advance(1000);
    expect(await load(never)).toBe('old');
  });
});
