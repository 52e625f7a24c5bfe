// Invalidations that the store does not take: writers are held and answered, readers are never given what is pending.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CacheEvent } from '../../src/contract/events.js';
import { collapse, Invalidations } from '../../src/core/invalidations.js';
import { EVERYTHING, kindOf, tag, wholeKind, type Tag } from '../../src/entry/tags.js';
import { plainWriters } from '../support/plain-writers.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

function setUp(maxPending = 100) {
  const clock = new FakeClock();
  const hub = new SharedHub(clock);
  const client = hub.client();
  const events: CacheEvent[] = [];
  const invalidations = new Invalidations(client, undefined, plainWriters({ maxPending }), clock, (event) =>
    events.push(event),
  );
  return { clock, hub, client, events, invalidations };
}

describe('invalidations', () => {
  it('answers once it is in force, and says so', async () => {
    const { invalidations, hub, events } = setUp();
    await invalidations.invalidate(['student:1'], 'commit');
    expect(hub.truth.table.position.seq).toBe(1);
    expect(events).toMatchObject([{ kind: 'invalidate', tags: ['student:1'], cause: 'commit', seq: 1 }]);
    expect(invalidations.pending).toBe(0);
  });

  it('FAULT 19 the store does not answer: the writer is held, then answered; it is carried out when the store is back', async () => {
    const { invalidations, client, clock, hub, events } = setUp();
    client.broken = true;
    let answered = false;
    const writing = invalidations.invalidate(['student:1'], 'commit').then(() => {
      answered = true;
    });
    await tick();
    expect(invalidations.touches(['student:1', 'class:2'])).toBe(true);
    expect(invalidations.touches(['class:2'])).toBe(false);
    clock.advance(1999);
    await tick();
    expect(answered).toBe(false);
    clock.advance(1);
    await writing;
    expect(invalidations.touches(['student:1'])).toBe(true);
    client.broken = false;
    clock.advance(1000);
    await tick();
    expect(invalidations.pending).toBe(0);
    expect(hub.truth.table.position.seq).toBe(1);
    expect(events.filter(({ kind }) => kind === 'invalidateFailed').length).toBeGreaterThan(1);
    expect(events.at(-1)).toMatchObject({ kind: 'invalidate' });
    expect(clock.waiting).toBe(0);
  });

  it('the first retry succeeds within the hold: the writer is answered after it', async () => {
    const { invalidations, client, clock, hub } = setUp();
    client.broken = true;
    const writing = invalidations.invalidate(['student:1'], 'commit');
    await tick();
    client.broken = false;
    clock.advance(20);
    await writing;
    expect(hub.truth.table.position.seq).toBe(1);
  });

  it('more waiting than the bound becomes everything', async () => {
    const { invalidations, client, clock, hub } = setUp(3);
    client.broken = true;
    void invalidations.invalidate(['student:1', 'student:2'], 'commit');
    void invalidations.invalidate(['student:3', 'student:4'], 'commit');
    await tick();
    expect(invalidations.touches(['unrelated:1'])).toBe(true);
    client.broken = false;
    clock.advance(1000);
    await tick();
    expect(hub.truth.table.holds({ tags: [], epoch: hub.epoch, asOf: 0 })).toBe(false);
  });

  it('nothing to invalidate costs nothing', async () => {
    const { invalidations, client } = setUp();
    await invalidations.invalidate([], 'commit');
    expect(client.calls.invalidate).toBe(0);
  });
});

describe('collapse', () => {
  it('names each tag once and keeps small sets as they are', () => {
    expect(collapse(['student:1', 'class:2', 'student:1'], 64)).toEqual(['student:1', 'class:2']);
  });

  it('FAULT 37 more tags of a kind than the bound become the whole kind', () => {
    const many = Array.from({ length: 65 }, (_, index) => `student:${index}`);
    expect(collapse([...many, 'class:2'], 64)).toEqual(['student:*', 'class:2']);
  });

  it('many viewers, or the tag of everything, become everything', () => {
    expect(
      collapse(
        Array.from({ length: 65 }, (_, index) => `viewer:${index}`),
        64,
      ),
    ).toEqual(['*']);
    expect(collapse(['student:1', '*'], 64)).toEqual(['*']);
  });

  it('PROPERTY reaches every entry that the tags reach, is exact within the bound, and never exceeds it', () => {
    const kind = fc.constantFrom('student', 'class', 'table', 'viewer', 'report');
    const some = fc.tuple(kind, fc.nat(20)).map(([of, id]) => tag(of, id));
    const tags = fc.array(
      fc.oneof({ weight: 20, arbitrary: some }, fc.constantFrom<Tag>(EVERYTHING, wholeKind('student'))),
    );
    fc.assert(
      fc.property(tags, fc.integer({ min: 1, max: 8 }), (given, bound) => {
        const collapsed = collapse(given, bound);
        expect(new Set(collapsed).size).toBe(collapsed.length);
        // What carries one of the given tags carries its whole kind too, and `*` is everything.
        for (const one of given) {
          const whole = one === EVERYTHING ? EVERYTHING : wholeKind(kindOf(one));
          expect([one, whole, EVERYTHING].some((reached) => collapsed.includes(reached))).toBe(true);
        }
        const ofKind = (one: string) => new Set(given.filter((other) => kindOf(other) === kindOf(one))).size;
        if (!given.includes(EVERYTHING) && given.every((one) => ofKind(one) <= bound))
          expect(new Set(collapsed)).toEqual(new Set(given));
        const kinds = new Set(given.map(kindOf)).size;
        expect(collapsed.length).toBeLessThanOrEqual(bound * kinds);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a long outage', () => {
  it('does not multiply what is tried, told or remembered by the number of writes that wait', async () => {
    const { invalidations, client, clock, hub, events } = setUp(10_000);
    client.broken = true;
    const writers = Array.from({ length: 500 }, (_, index) =>
      invalidations.invalidate([`student:${index % 50}`], 'commit'),
    );
    await tick();
    clock.advance(2000);
    await Promise.all(writers);
    client.calls.invalidate = 0;
    events.length = 0;
    for (let second = 0; second < 10; second += 1) {
      clock.advance(1000);
      await tick();
    }
    expect(client.calls.invalidate).toBeLessThanOrEqual(20);
    expect(events.length).toBeLessThanOrEqual(20);
    expect(clock.waiting).toBeLessThanOrEqual(2);
    client.broken = false;
    clock.advance(1000);
    await tick();
    expect(invalidations.pending).toBe(0);
    expect(hub.truth.table.position.seq).toBe(1);
    expect(hub.truth.table.holds({ tags: ['student:7'], epoch: hub.epoch, asOf: 0 })).toBe(false);
    expect(clock.waiting).toBe(0);
  });
});
