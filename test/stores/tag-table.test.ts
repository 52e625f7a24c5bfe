// The table of invalidations by itself: as the truth, as a replica, and when pushes and own marks cross.
import { describe, expect, it } from '@jest/globals';
import { TagTable } from '../../src/stores/memory/tag-table.js';

const EPOCH = 'epoch-1';
const asOf = (seq: number, tags: string[] = ['student:1'], epoch = EPOCH) => ({ epoch, asOf: seq, tags });

/** A replica that has caught up with `seq`. */
function replica(seq: number, maxTags = 100) {
  const table = new TagTable('', maxTags);
  table.adopt({ epoch: EPOCH, seq });
  return table;
}

describe('the bound of the table', () => {
  it('is kept: what was not named becomes cold as well, once', () => {
    const table = new TagTable(EPOCH, 10);
    expect(table.holds(asOf(0, ['untouched:1']))).toBe(true);
    for (let index = 0; index < 11; index += 1) table.invalidate([`other:${index}`]);
    expect(table.holds(asOf(0, ['untouched:1']))).toBe(false);
    expect(table.holds(asOf(table.position.seq, ['untouched:1', 'other:3']))).toBe(true);
  });

  it('forgets no invalidation, whichever came first', () => {
    for (const place of [0, 5, 10]) {
      const table = new TagTable(EPOCH, 10);
      for (let index = 0; index < 11; index += 1) table.invalidate([index === place ? 'student:1' : `other:${index}`]);
      expect(table.holds(asOf(place))).toBe(false);
    }
  });
});

describe('its number of changes', () => {
  it.each<[what: string, change: (table: TagTable) => unknown]>([
    ['an invalidation', (table) => table.invalidate(['student:1'])],
    ['of everything', (table) => table.invalidate(['*'])],
    ['a push', (table) => table.apply(EPOCH, 6, ['student:1'])],
    ['a push with a gap', (table) => table.apply(EPOCH, 9, ['student:2'])],
    ['a push of another epoch', (table) => table.apply('epoch-2', 1, [])],
    ['an own mark', (table) => table.mark({ epoch: EPOCH, seq: 6 }, ['student:1'])],
    ['an own mark ahead of pushes', (table) => table.mark({ epoch: EPOCH, seq: 8 }, ['student:1'])],
    ['another position', (table) => table.adopt({ epoch: EPOCH, seq: 7 })],
    ['another epoch', (table) => table.adopt({ epoch: 'epoch-2', seq: 1 })],
  ])('RACE grows with whatever can make an entry invalid: %s', (_what, change) => {
    const table = replica(5);
    const before = table.changes;
    expect(table.holds(asOf(5))).toBe(true);
    change(table);
    expect(table.holds(asOf(5))).toBe(false);
    expect(table.changes).toBeGreaterThan(before);
  });
});

describe('a replica', () => {
  it('holds nothing of another epoch, even where the new one counts lower', () => {
    const table = replica(500);
    table.adopt({ epoch: 'epoch-2', seq: 1 });
    expect(table.holds(asOf(500))).toBe(false);
    expect(table.holds(asOf(1, ['student:1'], 'epoch-2'))).toBe(true);
  });

  it('forgets the old history when it adopts a new one, and holds nothing older than that', () => {
    const table = replica(5);
    table.apply(EPOCH, 6, ['student:1']);
    table.adopt({ epoch: 'epoch-2', seq: 3 });
    expect(table.holds(asOf(3, ['student:1'], 'epoch-2'))).toBe(true);
    expect(table.holds(asOf(2, ['student:2'], 'epoch-2'))).toBe(false);
  });

  it.each([
    ['contiguous', 6, 'applied', 6],
    ['the same again', 5, 'duplicate', 5],
    ['an old one', 4, 'duplicate', 5],
    ['one too far', 7, 'gap', 7],
  ] as const)('a push that is %s', (_name, seq, applied, position) => {
    const table = replica(5);
    expect(table.apply(EPOCH, seq, ['student:1'])).toBe(applied);
    expect(table.position).toEqual({ epoch: EPOCH, seq: position });
    expect(table.holds(asOf(5))).toBe(applied === 'duplicate');
  });

  it('a push that comes twice does not take what was read after it', () => {
    const table = replica(5);
    table.apply(EPOCH, 6, ['student:1']);
    table.apply(EPOCH, 7, ['student:2']);
    table.apply(EPOCH, 6, ['student:1']);
    expect(table.position.seq).toBe(7);
    expect(table.holds(asOf(7, ['student:1', 'student:2']))).toBe(true);
  });
});

describe('an own invalidation among the pushes of others', () => {
  it('is in force at once and leaves room for those on their way', () => {
    const table = replica(5);
    table.mark({ epoch: EPOCH, seq: 8 }, ['student:1']);
    expect(table.holds(asOf(5))).toBe(false);
    expect(table.position.seq).toBe(5);
    // Not yet heard of, and not to be skipped.
    expect(table.apply(EPOCH, 6, ['student:2'])).toBe('applied');
    expect(table.holds(asOf(5, ['student:2']))).toBe(false);
    expect(table.apply(EPOCH, 7, [])).toBe('applied');
    expect(table.apply(EPOCH, 8, ['student:1'])).toBe('applied');
    expect(table.holds(asOf(8))).toBe(true);
    expect(table.holds(asOf(7))).toBe(false);
  });

  it('that is the next in order saves the push', () => {
    const table = replica(5);
    table.mark({ epoch: EPOCH, seq: 6 }, ['student:1']);
    expect(table.position.seq).toBe(6);
    expect(table.apply(EPOCH, 6, ['student:1'])).toBe('duplicate');
  });

  it('is not taken back by an earlier push of the same tag', () => {
    const table = replica(5);
    table.mark({ epoch: EPOCH, seq: 8 }, ['student:1']);
    table.apply(EPOCH, 6, ['student:1']);
    expect(table.holds(asOf(7))).toBe(false);
  });

  it('is not forgotten when everything before it is invalidated', () => {
    const table = replica(5);
    table.mark({ epoch: EPOCH, seq: 8 }, ['student:1']);
    table.apply(EPOCH, 6, ['*']);
    expect(table.holds(asOf(7))).toBe(false);
    expect(table.holds(asOf(7, ['student:2']))).toBe(true);
  });

  it('of everything raises the floor at once', () => {
    const table = replica(5);
    table.mark({ epoch: EPOCH, seq: 8 }, ['*']);
    expect(table.holds(asOf(7, ['student:2']))).toBe(false);
  });

  it('of a history that has ended meanwhile is not taken', () => {
    const table = replica(5);
    table.adopt({ epoch: 'epoch-2', seq: 1 });
    table.mark({ epoch: EPOCH, seq: 6 }, ['student:1']);
    expect(table.position).toEqual({ epoch: 'epoch-2', seq: 1 });
    expect(table.holds(asOf(1, ['student:1'], 'epoch-2'))).toBe(true);
  });
});
