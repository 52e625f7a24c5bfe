// Marks whose writer never came back: whoever finds one past its deadline invalidates its tags; it never just disappears.
import { afterAll, describe, expect, it } from '@jest/globals';
import { makeEntry } from '../../src/testing/store-suite.js';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
const { clock } = namespaces;
afterAll(() => namespaces.close());

const LONG = 60_000;
/** Its deadline is the moment at which it is taken. */
const EXPIRED = 0;

async function withDeadMark(tags = ['student:1', 'class:2']) {
  const all = await namespaces.create();
  await all.fill('k');
  await all.fill('class', ['class:2']);
  await all.fill('other', ['student:9']);
  const captured = await all.store.position();
  const { seq } = await all.store.mark(tags, 'dead', EXPIRED);
  return { ...all, captured, markedAt: seq, told: await all.pushes() };
}

describe('a mark past its deadline', () => {
  it('found by a look-up is an invalidation, told to all', async () => {
    const { store, look, told, markedAt, raw } = await withDeadMark();
    const found = await store.lookup('k');
    expect(found).toMatchObject({ reason: 'invalidated', position: { seq: markedAt + 1 } });
    expect(await told()).toMatchObject([{ seq: markedAt + 1, tags: ['student:1', 'class:2'] }]);
    expect(await raw.seq()).toBe(markedAt + 1);
    expect(await look('other')).toBe('hit');
  });

  it('ends as a whole: its other tags are invalid too, by the same number', async () => {
    const { look, told, raw, markedAt } = await withDeadMark();
    await look('k');
    expect(await look('class')).toBe('invalidated');
    expect(await told()).toHaveLength(1);
    expect(await raw.seq()).toBe(markedAt + 1);
    expect(await raw.marks()).toEqual({});
    expect(await raw.table()).not.toHaveProperty('!marks');
  });

  it('found while something is stored refuses what was read before, and takes what is read after', async () => {
    const { store, fill, told, captured, markedAt } = await withDeadMark();
    expect(await store.put('k', makeEntry(captured, clock.now()))).toBe('stale');
    expect(await told()).toMatchObject([{ seq: markedAt + 1, tags: ['student:1', 'class:2'] }]);
    expect(await fill('k')).toBe('stored');
  });

  it('found by another mark has its number before that one', async () => {
    const { store, told, look, raw, markedAt } = await withDeadMark();
    const { seq } = await store.mark(['class:2'], 'alive', LONG);
    expect(seq).toBe(markedAt + 2);
    expect(await told()).toMatchObject([
      { seq: markedAt + 1, tags: ['student:1', 'class:2'] },
      { seq: markedAt + 2, tags: ['class:2'] },
    ]);
    expect(await raw.table()).toMatchObject({ ':student:1': String(markedAt + 1), ':class:2': String(markedAt + 1) });
    await store.unmark('alive');
    expect(await look('class')).toBe('invalidated');
  });

  it('is found by a mark on its tag however many there are', async () => {
    const { store, raw } = await namespaces.create();
    await store.mark(
      Array.from({ length: 500 }, (_, index) => `class:${index}`),
      'many',
      LONG,
    );
    await store.mark(['student:1'], 'dead', EXPIRED);
    const { seq } = await store.mark(['student:1'], 'alive', LONG);
    expect(await raw.table()).toMatchObject({ ':student:1': String(seq - 1) });
  });

  it('of everything raises the floor', async () => {
    const { look, raw, told, markedAt, fill } = await withDeadMark(['*']);
    expect(await look('other')).toBe('invalidated');
    expect(await told()).toMatchObject([{ seq: markedAt + 1, tags: ['*'] }]);
    expect(await raw.table()).toMatchObject({ '!floor': String(markedAt + 1) });
    expect(await fill('other')).toBe('stored');
  });

  it('of one key is found by that key', async () => {
    const { look, fill } = await withDeadMark(['key:other']);
    expect(await look('k')).toBe('hit');
    expect(await look('other')).toBe('invalidated');
    expect(await fill('other')).toBe('stored');
  });

  it('beside an open one on the same tag leaves that one open', async () => {
    const { store, look, fill, captured } = await withDeadMark();
    // The dead one has been found by then.
    await store.mark(['student:1'], 'open', LONG);
    await store.mark(['student:1'], 'dead again', EXPIRED);
    expect(await fill('k')).toBe('flux');
    expect(await store.put('k', makeEntry(captured, clock.now()))).toBe('stale');
    await store.unmark('open');
    expect(await look('k')).toBe('invalidated');
  });

  it('in a batch costs its own entries, and the position told counts it', async () => {
    const { store, markedAt } = await withDeadMark();
    const found = await Promise.all(['other', 'k', 'class', 'absent'].map((key) => store.lookup(key)));
    expect(found).toMatchObject([
      { outcome: 'hit', position: { seq: markedAt + 1 } },
      { reason: 'invalidated', position: { seq: markedAt + 1 } },
      { reason: 'invalidated' },
      { reason: 'absent', position: { seq: markedAt + 1 } },
    ]);
  });

  it('ended late by its writer is ended by him, once', async () => {
    const { store, told, markedAt, fill } = await withDeadMark();
    await store.invalidate(['student:1'], { mark: 'dead' });
    expect(await told()).toMatchObject([{ seq: markedAt + 1, tags: ['student:1'] }]);
    expect(await fill('k')).toBe('stored');
    expect(await told()).toEqual([]);
  });

  it('that nobody asks about is found by later marks, so that the dead do not pile up', async () => {
    const { store, raw } = await namespaces.create();
    await store.mark(['student:1', 'class:1'], 'dead', EXPIRED);
    const { seq } = await store.mark(['unrelated:1'], 'alive', LONG);
    expect(await raw.table()).toMatchObject({ ':student:1': String(seq - 1), ':class:1': String(seq - 1) });
    expect(Object.keys(await raw.marks()).toSorted()).toEqual(['!alive', 'unrelated:1']);
  });
});

describe('marks that were evicted, while the table was not', () => {
  it('become an invalidation of everything, told to all, and no tag stays marked', async () => {
    const { store, fill, look, raw, pushes } = await namespaces.create();
    await fill('k');
    await fill('other', ['student:9']);
    const captured = await store.mark(['student:1'], 'm', LONG);
    const told = await pushes();
    await raw.lose('x');
    expect([await look('other'), await look('k')]).toEqual(['invalidated', 'invalidated']);
    expect(await told()).toMatchObject([{ seq: captured.seq + 1, tags: ['*'] }]);
    expect(await store.put('k', makeEntry(captured, clock.now()))).toBe('stale');
    expect(await fill('k')).toBe('stored');
    expect(await raw.table()).not.toHaveProperty('!marks');
    await store.invalidate(['student:1'], { mark: 'm' });
    expect(await told()).toMatchObject([{ seq: captured.seq + 2, tags: ['student:1'] }]);
  });
});
