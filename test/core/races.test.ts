// Orders of events that only two tiers can have: answers held, pushes late, replies of one batch in any order.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { Cache } from '../../src/core/cache.js';
import { Invalidations } from '../../src/core/invalidations.js';
import { Scopes } from '../../src/core/scope.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { plainWriters } from '../support/plain-writers.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';
import { draft, lead, request, tick } from './set-up.js';

const LIMITS = { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: 60_000 };

let clock: FakeClock;
let hub: SharedHub;
let events: CacheEvent[];
beforeEach(() => {
  clock = new FakeClock();
  hub = new SharedHub(clock);
  events = [];
});

function processOn(shared: SharedHub) {
  const emit = (event: CacheEvent) => void events.push(event);
  const client = shared.client();
  const memory = new MemoryStore(new TagTable('', 1000), LIMITS, clock);
  const store = new TieredStore(memory, client, { leaseMs: 250, overdueMs: 100 }, clock, emit);
  store.follow(client);
  const invalidations = new Invalidations(store, undefined, plainWriters(), clock, emit);
  const scopes = new Scopes();
  const cache = new Cache(store, invalidations, scopes, { waitMs: 30_000, maxTags: 256 }, clock, emit);
  return { client, memory, store, invalidations, scopes, cache };
}

describe('who waits for a computation', () => {
  it('RACE the answer of a put is read late: who arrived after a write that came in between does not get the old value', async () => {
    const reader = processOn(hub);
    const writer = processOn(hub);
    const load = await lead(reader.cache.read(request()));
    const gate = reader.client.holdPutAnswers();
    const stored = load.store(draft('old'));
    await gate.answered;
    await writer.invalidations.invalidate(['student:1'], 'commit');
    const late = reader.cache.read(request());
    await tick();
    gate.open();
    expect(await stored).toBe('stored');
    (await lead(late)).decline('error');
  });
});

describe('while Redis answers readers but takes no invalidation', () => {
  async function refusing(tags: readonly string[]) {
    const reader = processOn(hub);
    await (await lead(reader.cache.read(request()))).store(draft('old'));
    const answer = await reader.cache.read(request());
    reader.client.invalidate = () => Promise.reject(new Error('NOREPLICAS'));
    const writing = reader.invalidations.invalidate(tags, 'commit');
    await tick();
    clock.advance(2000);
    await writing;
    return { ...reader, answer };
  }

  it.each([[['student:1']], [['student:*']], [['*']], [['key:k']]])('%j: the old entry is not served', async (tags) => {
    const { answer, cache } = await refusing(tags);
    expect(answer.next).toBe('serve');
    (await lead(cache.read(request()))).decline('error');
  });

  it('and only-if-cached computes nothing', async () => {
    const { cache } = await refusing(['student:1']);
    expect(await cache.read(request({ onlyIfCached: true }))).toEqual({ next: 'none' });
  });
});

describe('the tag table of a process that is not told of others', () => {
  const entry = (asOf: number) => ({ tags: ['student:1'], epoch: 'e', asOf });

  it('keeps what this process has itself invalidated when it takes over an older position', () => {
    const table = new TagTable('e', 1000);
    table.mark({ epoch: 'e', seq: 5 }, ['student:1']);
    table.adopt({ epoch: 'e', seq: 4 });
    expect(table.holds(entry(4))).toBe(false);
    expect(table.holds(entry(5))).toBe(true);
    table.mark({ epoch: 'e', seq: 9 }, ['*']);
    table.adopt({ epoch: 'e', seq: 7 });
    expect(table.holds(entry(8))).toBe(false);
    table.adopt({ epoch: 'other', seq: 1 });
    expect(table.holds({ tags: ['student:1'], epoch: 'other', asOf: 1 })).toBe(true);
  });

  it('does not grow past its bound, however many of its own invalidations it makes', () => {
    const table = new TagTable('e', 100);
    for (let seq = 3; seq < 1000; seq += 2) table.mark({ epoch: 'e', seq }, [`student:${seq}`]);
    expect(table.size).toBeLessThanOrEqual(100);
    expect(table.holds(entry(2))).toBe(false);
  });
});

describe('the lease', () => {
  it('goes on after the wall clock has been set back', async () => {
    const { client, store } = processOn(hub);
    const cache = { read: () => store.lookup('k', 'lease') };
    const { epoch, seq } = await store.position();
    await store.put('k', makeEntry({ epoch, seq }, clock.now(), { staleAt: clock.now() + 3_600_000 }));
    clock.step(-60_000);
    await cache.read();
    const asked = client.calls.position;
    await cache.read();
    await cache.read();
    expect(client.calls.position).toBe(asked);
  });
});

describe('a computation that hangs', () => {
  it('keeps those waiting who came in its first time limit; who comes later computes, and others wait for him', async () => {
    const { cache } = processOn(hub);
    const hanging = await lead(cache.read(request()));
    const patient = cache.read(request());
    await tick();
    clock.advance(30_000);
    expect(await patient).toEqual({ next: 'alone', reason: 'wait' });
    const second = await lead(cache.read(request()));
    const third = cache.read(request());
    await tick();
    await second.store(draft('computed'));
    expect(await third).toMatchObject({ next: 'serve', coalesced: true });
    hanging.decline('incomplete');
    expect(await cache.read(request())).toMatchObject({ next: 'serve' });
  });
});

describe('a computation whose client has left', () => {
  it('is begun again by one of those who waited, not by all at once', async () => {
    const { cache } = processOn(hub);
    const first = await lead(cache.read(request()));
    const others = Array.from({ length: 20 }, () => cache.read(request()));
    await tick();
    first.decline('incomplete');
    let led = 0;
    const turns = await Promise.all(
      others.map(async (turn) => {
        const known = await turn;
        if (known.next !== 'lead') return known.next;
        led += 1;
        await tick();
        await known.load.store(draft('computed'));
        return 'led';
      }),
    );
    expect([led, turns.filter((turn) => turn === 'serve').length]).toEqual([1, 19]);
  });
});

describe('a forced refresh', () => {
  it('is not undone by a computation that had begun before it (RFC 9111 §4)', async () => {
    const { cache } = processOn(hub);
    const slow = await lead(cache.read(request()));
    const waiting = cache.read(request());
    await tick();
    const forced = await lead(cache.read(request({ refresh: true })));
    expect(await forced.store(draft('new'))).toBe('stored');
    expect(await slow.store(draft('old'))).toBe('stale');
    expect(await waiting).toMatchObject({ next: 'serve' });
    const after = await cache.read(request());
    expect(after.next === 'serve' && after.entry.body.toString()).toBe('new');
  });
});

describe('a store that throws', () => {
  it('lets nobody wait in vain, and store() does not reject', async () => {
    const { cache, store } = processOn(hub);
    const load = await lead(cache.read(request()));
    const waiting = cache.read(request());
    await tick();
    store.put = () => Promise.reject(new Error('out of memory'));
    expect(await load.store(draft('x'))).toBe('unavailable');
    (await lead(waiting)).decline('error');
    expect(events).toContainEqual(expect.objectContaining({ kind: 'layerFailed', operation: 'put' }));
  });
});
