// Samples of what is in memory: nobody twice in one, nobody left out for long, places kept through removals.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SlotBag, type Slot } from '../../src/stores/memory/slot-bag.js';
import { makeEntry } from '../../src/testing/store-suite.js';

const entry = makeEntry({ epoch: 'e', seq: 0 }, 0);
const slotOf = (index: number): Slot => ({
  ...{ key: `k${index}`, entry, bytes: index + 1, until: Infinity },
  ...{ usedAt: 0, provedAt: 0, checkedAt: 0, inAll: 0, inOwner: 0 },
});

describe('a bag', () => {
  it('holds what was put in and not taken out, and its bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.array(fc.nat(79)), (count, taken) => {
        const bag = new SlotBag('inAll');
        const left = new Set(Array.from({ length: count }, (_, index) => slotOf(index)));
        for (const slot of left) bag.add(slot);
        for (const at of taken) {
          const slot = [...left][at];
          if (slot === undefined) continue;
          bag.remove(slot);
          left.delete(slot);
        }
        const seen = new Set<Slot>();
        for (let turn = 0; turn < 200; turn += 1) {
          const sample = bag.sample();
          expect(sample).toHaveLength(left.size <= 32 ? left.size : 16);
          expect(new Set(sample).size).toBe(sample.length);
          for (const slot of sample) seen.add(slot);
        }
        expect(seen).toEqual(left);
        expect([bag.size, bag.bytes]).toEqual([left.size, [...left].reduce((sum, { bytes }) => sum + bytes, 0)]);
      }),
    );
  });

  it('draws from both of two kinds that alternate', () => {
    const bag = new SlotBag('inAll');
    for (let index = 0; index < 64; index += 1) bag.add(slotOf(index));
    for (let turn = 0; turn < 100; turn += 1) expect(new Set(bag.sample().map(({ bytes }) => bytes % 2)).size).toBe(2);
  });

  it('draws everybody about as often', () => {
    const bag = new SlotBag('inOwner');
    const drawn = new Map<Slot, number>();
    for (let index = 0; index < 1000; index += 1) bag.add(slotOf(index));
    for (let turn = 0; turn < 10_000; turn += 1)
      for (const slot of bag.sample()) drawn.set(slot, (drawn.get(slot) ?? 0) + 1);
    expect(drawn.size).toBe(1000);
    for (const times of drawn.values()) expect(Math.abs(times - 160)).toBeLessThan(40);
  });
});
