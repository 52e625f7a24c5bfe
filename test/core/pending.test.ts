// Between a commit and the moment its invalidation is in force: what is pending is neither served nor stored by this process.
import { describe, expect, it } from '@jest/globals';
import type { Position } from '../../src/contract/entry.js';
import { AsyncStore } from '../fakes/async-store.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { coreOver, draft, lead, memoryOn, request, served, tick } from './set-up.js';

/** Answers readers, and takes no invalidation until it is told to. */
class DeafStore extends AsyncStore {
  deaf = true;
  asked: (readonly string[])[] = [];
  override async invalidate(tags: readonly string[]): Promise<Position> {
    this.asked.push(tags);
    if (this.deaf) throw new Error('no invalidations today');
    return super.invalidate(tags);
  }
}

function setUp() {
  const clock = new FakeClock();
  const store = new DeafStore(memoryOn(clock));
  return { ...coreOver(store, clock), store };
}

const other = request({ key: 'other', tags: ['student:2'] });

describe('an invalidation that the store has not taken', () => {
  it('keeps what it touches from being served, and nothing else, also after the writer was answered', async () => {
    const { cache, clock, invalidations, store } = setUp();
    await (await lead(cache.read(request()))).store(draft('old'));
    await (await lead(cache.read(other))).store(draft('untouched'));
    const writing = invalidations.invalidate(['student:1'], 'commit');
    (await lead(cache.read(request()))).decline('error');
    clock.advance(2000);
    await writing;
    const turn = await cache.read(request());
    expect(turn).toMatchObject({ next: 'lead', reason: 'invalidated' });
    if (turn.next === 'lead') turn.load.decline('error');
    expect(await served(cache.read(other))).toBe('untouched');
    store.deaf = false;
    clock.advance(1000);
    await tick();
    expect(invalidations.pending).toBe(0);
    await (await lead(cache.read(request()))).store(draft('new'));
    expect(await served(cache.read(request()))).toBe('new');
  });

  it('keeps what it touches from being stored, and nothing else', async () => {
    const { cache, clock, invalidations, store } = setUp();
    const load = await lead(cache.read(request()));
    const unrelated = await lead(cache.read(other));
    const writing = invalidations.invalidate(['student:1'], 'commit');
    expect(await load.store(draft('old'))).toBe('stale');
    expect(await unrelated.store(draft('untouched'))).toBe('stored');
    expect((await store.lookup('k')).outcome).toBe('miss');
    clock.advance(2000);
    await writing;
    // Read after the commit, yet not provably: the store does not know of it.
    expect(await (await lead(cache.read(request()))).store(draft('new'))).toBe('stale');
    store.deaf = false;
    clock.advance(1000);
    await tick();
  });

  it('of one key keeps that entry, and no other with the same tags', async () => {
    const { cache, clock, invalidations, store } = setUp();
    const sibling = request({ key: 'sibling' });
    await (await lead(cache.read(request()))).store(draft('old'));
    await (await lead(cache.read(sibling))).store(draft('untouched'));
    const deleting = invalidations.invalidate(['key:k'], 'delete');
    const load = await lead(cache.read(request()));
    expect(await load.store(draft('new'))).toBe('stale');
    expect(await served(cache.read(sibling))).toBe('untouched');
    store.deaf = false;
    clock.advance(20);
    await deleting;
    (await lead(cache.read(request()))).decline('error');
  });

  it('of everything keeps everything', async () => {
    const { cache, clock, invalidations, store } = setUp();
    await (await lead(cache.read(other))).store(draft('x'));
    const clearing = invalidations.invalidate(['*'], 'clear');
    const load = await lead(cache.read(other));
    expect(await load.store(draft('y'))).toBe('stale');
    store.deaf = false;
    clock.advance(20);
    await clearing;
    (await lead(cache.read(other))).decline('error');
  });

  it('is tried again ever more slowly, but at least once a second, until the store is closed', async () => {
    const { clock, invalidations, store } = setUp();
    const writing = invalidations.invalidate(['student:1'], 'commit');
    const waits: number[] = [];
    for (let at = 0, last = 0; waits.length < 9 && at < 10_000; at += 20, clock.advance(20)) {
      const before = store.asked.length;
      await tick();
      if (store.asked.length === before && at > 0) continue;
      if (at > 0) waits.push(at - last);
      last = at;
    }
    await writing;
    expect(waits).toEqual([20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
    invalidations.close();
    clock.advance(1000);
    await tick();
    const asked = store.asked.length;
    clock.advance(10_000);
    await tick();
    expect(store.asked.length).toBe(asked);
    expect(clock.waiting).toBe(0);
  });

  it('of a tag that two writers name is pending until both are in force', async () => {
    const { clock, invalidations, store } = setUp();
    const first = invalidations.invalidate(['student:1'], 'commit');
    await tick();
    store.deaf = false;
    // In force at once, while the first still waits for its second attempt.
    await invalidations.invalidate(['student:1'], 'commit');
    expect(invalidations.touches(['student:1'])).toBe(true);
    clock.advance(20);
    await first;
    expect(invalidations.touches(['student:1'])).toBe(false);
    expect([invalidations.pending, clock.waiting]).toEqual([0, 0]);
  });

  it('of many tags of one kind goes to the store as the whole kind', async () => {
    const { invalidations, store } = setUp();
    store.deaf = false;
    await invalidations.invalidate(
      Array.from({ length: 65 }, (_, index) => `student:${index}`),
      'commit',
    );
    expect(store.asked).toEqual([['student:*']]);
  });
});
