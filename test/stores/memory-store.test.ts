// The memory store: the conformance suite, sync and async, and its bounds.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Entry } from '../../src/contract/entry.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry, storeSuite } from '../../src/testing/store-suite.js';
import { AsyncStore } from '../fakes/async-store.js';
import { FakeClock } from '../fakes/fake-clock.js';

const LIMITS = { maxBytes: 8 * 1024 * 1024, maxBytesPerOwner: 4 * 1024 * 1024, maxTtlMs: Infinity };

function create(limits = LIMITS, maxTags = 100_000) {
  const clock = new FakeClock();
  return { clock, store: new MemoryStore(new TagTable('epoch-1', maxTags), limits, clock) };
}

storeSuite({ describe, it }, 'memory', async () => ({ ...create(), close: async () => undefined }));
storeSuite({ describe, it }, 'memory behind promises', async () => {
  const { clock, store } = create();
  return { clock, store: new AsyncStore(store), close: async () => undefined };
});

describe('memory store bounds', () => {
  const entryOf = (store: MemoryStore, clock: FakeClock, owner: string, bytes: number, more: Partial<Entry> = {}) =>
    makeEntry(store.position(), clock.now(), { owner, body: Buffer.alloc(bytes), ...more });

  it('stays within its bytes whatever is put', () => {
    const { store, clock } = create({ ...LIMITS, maxBytes: 100_000, maxBytesPerOwner: 100_000 });
    for (let index = 0; index < 500; index += 1) {
      store.put(`k${index}`, entryOf(store, clock, `u${index}`, 1000));
      expect(store.bytes).toBeLessThanOrEqual(100_000);
      clock.advance(100);
    }
    expect(store.lookup('k499').outcome).toBe('hit');
    expect(store.lookup('k0').outcome).toBe('miss');
  });

  it("a heavy user pushes out his own entries and nobody else's", () => {
    const { store, clock } = create({ ...LIMITS, maxBytesPerOwner: 20_000 });
    store.put('light', entryOf(store, clock, 'light', 1000));
    for (let index = 0; index < 100; index += 1) {
      store.put(`heavy${index}`, entryOf(store, clock, 'heavy', 1000, { computeMs: 40_000 }));
      expect(store.bytesOf('heavy')).toBeLessThanOrEqual(20_000);
      clock.advance(100);
    }
    expect(store.lookup('heavy99').outcome).toBe('hit');
    expect(store.lookup('heavy0').outcome).toBe('miss');
    expect(store.lookup('light').outcome).toBe('hit');
  });

  it.each([
    ['all', { maxBytes: 200_000, maxBytesPerOwner: 200_000 }],
    ['one owner', { maxBytes: 1e9, maxBytesPerOwner: 200_000 }],
  ])('of %s, what took 40 s outlives what took 20 ms, of the same age and size', (_whose, bounds) => {
    const { store, clock } = create({ ...LIMITS, ...bounds });
    for (let index = 0; index < 400; index += 1) {
      const computeMs = index % 8 === 0 ? 40_000 : 20;
      store.put(`k${index}`, entryOf(store, clock, 'u', 1000, { computeMs }));
      clock.advance(10);
    }
    for (let index = 0; index < 400; index += 8) expect(store.lookup(`k${index}`).outcome).toBe('hit');
    expect(store.bytes).toBeLessThanOrEqual(200_000);
  });

  it('what is asked for stays, what nobody has asked for in a while goes', () => {
    const { store, clock } = create({ ...LIMITS, maxBytes: 200_000, maxBytesPerOwner: 200_000 });
    const asked = Array.from({ length: 40 }, (_, index) => `asked${index}`);
    for (const key of asked) store.put(key, entryOf(store, clock, 'u', 1000));
    for (let index = 0; index < 400; index += 1) {
      clock.advance(100);
      if (index % 20 === 0) for (const key of asked) expect(store.lookup(key).outcome).toBe('hit');
      store.put(`once${index}`, entryOf(store, clock, 'u', 1000));
    }
    for (const key of asked) expect(store.lookup(key).outcome).toBe('hit');
  });

  it.each([
    ['invalidated', 'student:1', 1000],
    ['expired', 'student:2', 10],
  ])('what was %s goes before anything that can be served, dear as it was', (_how, tag, ttlMs) => {
    const { store, clock } = create({ ...LIMITS, maxBytes: 110_000, maxBytesPerOwner: 110_000 });
    const good = { tags: ['student:2'] };
    const end = clock.now() + ttlMs;
    const gone = { computeMs: 40_000, tags: [tag], staleAt: end, deleteAt: end };
    for (let index = 0; index < 30; index += 1) {
      store.put(`gone${index}`, entryOf(store, clock, 'u', 1000, gone));
      store.put(`good${index}`, entryOf(store, clock, 'u', 1000, good));
    }
    clock.advance(10);
    store.invalidate(['student:1']);
    for (let index = 0; index < 12; index += 1) store.put(`new${index}`, entryOf(store, clock, 'u', 1000, good));
    expect(store.size).toBeLessThan(72);
    for (let index = 0; index < 30; index += 1) expect(store.lookup(`good${index}`).outcome).toBe('hit');
  });

  it('whatever happens, the accounts of the owners add up, and no bound is passed', () => {
    const owners = ['a', 'b', 'c'];
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ put: fc.nat(30), owner: fc.nat(2), bytes: fc.nat(9000), cost: fc.nat(5000) }),
      },
      { weight: 2, arbitrary: fc.record({ look: fc.nat(30) }) },
      { weight: 1, arbitrary: fc.record({ gone: fc.nat(30) }) },
      { weight: 1, arbitrary: fc.record({ pass: fc.constantFrom(10, 1000, 40_000) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const { store, clock } = create({ ...LIMITS, maxBytes: 40_000, maxBytesPerOwner: 20_000 });
        for (const one of steps) {
          if ('put' in one) {
            const owner = owners[one.owner] ?? '';
            const outcome = store.put(`k${one.put}`, entryOf(store, clock, owner, one.bytes, { computeMs: one.cost }));
            expect([outcome, store.lookup(`k${one.put}`).outcome]).toEqual(['stored', 'hit']);
          } else if ('look' in one) store.lookup(`k${one.look}`);
          else if ('gone' in one) store.invalidate([`key:k${one.gone}`]);
          else clock.advance(one.pass);
          const held = owners.map((owner) => store.bytesOf(owner));
          expect(Math.max(...held)).toBeLessThanOrEqual(20_000);
          expect(store.bytes).toBeLessThanOrEqual(40_000);
          expect(held.reduce((sum, bytes) => sum + bytes, 0)).toBe(store.bytes);
          expect(store.size === 0).toBe(store.bytes === 0);
        }
      }),
    );
  });

  it('declines what is larger than a share, and keeps what was there', () => {
    const { store, clock } = create({ ...LIMITS, maxBytesPerOwner: 20_000 });
    store.put('k', entryOf(store, clock, 'u', 1000));
    expect(store.put('k', entryOf(store, clock, 'u', 30_000))).toBe('declined');
    expect(store.bytesOf('u')).toBeGreaterThan(0);
  });

  it('keeps the account of an owner exact through replacement, expiry and eviction', () => {
    const { store, clock } = create();
    for (let round = 0; round < 10; round += 1) store.put('k', entryOf(store, clock, 'u', 1000 + round));
    expect(store.bytesOf('u')).toBe(store.bytes);
    clock.advance(120_000);
    store.lookup('k');
    expect(store.bytesOf('u')).toBe(0);
    store.put('k', entryOf(store, clock, 'u', 1000));
    store.evict();
    expect(store.bytesOf('u')).toBe(0);
    expect(store.bytes).toBe(0);
  });

  it('gives the memory of an invalid entry back when it is found', () => {
    const { store, clock } = create();
    store.put('k', entryOf(store, clock, 'u', 1000));
    store.invalidate(['student:1']);
    expect(store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'invalidated' });
    expect([store.size, store.bytes, store.bytesOf('u')]).toEqual([0, 0, 0]);
  });

  it('keeps entries no longer than its own time to live', () => {
    const { store, clock } = create({ ...LIMITS, maxTtlMs: 1000 });
    store.put('k', entryOf(store, clock, 'u', 10));
    clock.advance(1000);
    expect(store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'expired' });
  });

  it('does not keep a large read buffer alive for a small body', () => {
    const { store, clock } = create();
    const big = Buffer.alloc(1024 * 1024);
    store.put('k', entryOf(store, clock, 'u', 0, { body: big.subarray(10, 20) }));
    const found = store.lookup('k');
    expect(found.outcome === 'hit' && found.entry.body.buffer.byteLength).toBe(10);
  });

  it('a full tag table makes everything cold once instead of forgetting an invalidation', () => {
    const { store, clock } = create(LIMITS, 10);
    store.put('k', entryOf(store, clock, 'u', 10, { tags: ['student:1'] }));
    store.invalidate(['student:1']);
    for (let index = 0; index < 50; index += 1) store.invalidate([`other:${index}`]);
    store.put('k', makeEntry({ epoch: 'epoch-1', seq: 0 }, clock.now()));
    expect(store.lookup('k').outcome).toBe('miss');
  });
});
