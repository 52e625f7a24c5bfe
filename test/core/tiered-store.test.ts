// Memory in front of a shared store: what proves it current, and what happens when pushes are late, lost or mixed up.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry, storeSuite } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub } from '../fakes/shared-hub.js';

const LIMITS = { maxBytes: 8 << 20, maxBytesPerOwner: 4 << 20, maxTtlMs: 60_000 };
const OPTIONS = { leaseMs: 250, overdueMs: 100 };

let clock: FakeClock;
let hub: SharedHub;
let events: CacheEvent[];

beforeEach(() => {
  clock = new FakeClock();
  hub = new SharedHub(clock);
  events = [];
});

function processOn(shared: SharedHub) {
  const memory = new MemoryStore(new TagTable('', 1000), LIMITS, clock);
  const client = shared.client();
  const store = new TieredStore(memory, client, OPTIONS, clock, (event) => events.push(event));
  client.listen(store);
  return { memory, client, store };
}

async function fill(store: TieredStore, body = 'old', key = 'k') {
  const position = await store.position();
  expect(await store.put(key, makeEntry(position, clock.now(), { body: Buffer.from(body) }))).toBe('stored');
}

async function bodyOf(store: TieredStore, consistency: 'strict' | 'lease', key = 'k') {
  const found = await store.lookup(key, consistency);
  return found.outcome === 'hit' ? `${found.layer}:${found.entry.body.toString()}` : found.outcome;
}

storeSuite({ describe, it }, 'memory in front of a shared store', async () => {
  const ownClock = new FakeClock();
  const shared = new SharedHub(ownClock);
  const memory = new MemoryStore(new TagTable('', 100_000), LIMITS, ownClock);
  const client = shared.client();
  const store = new TieredStore(memory, client, OPTIONS, ownClock, () => undefined);
  client.listen(store);
  return { store, clock: ownClock, close: async () => store.close() };
});

describe('strict', () => {
  it('serves from memory after asking once, and a lower hit fills memory', async () => {
    const writer = processOn(hub);
    const reader = processOn(hub);
    await fill(writer.store);
    expect(await bodyOf(reader.store, 'strict')).toBe('redis:old');
    const asked = reader.client.calls.position;
    expect(await bodyOf(reader.store, 'strict')).toBe('memory:old');
    expect(reader.client.calls.position).toBe(asked + 1);
  });

  it('FAULT 21 all pushes are lost: no answer is older than an acknowledged invalidation', async () => {
    const writer = processOn(hub);
    const reader = processOn(hub);
    await fill(writer.store);
    await bodyOf(reader.store, 'strict');
    reader.client.deaf = true;
    await writer.store.invalidate(['student:1']);
    expect(await bodyOf(reader.store, 'strict')).toBe('miss');
    await writer.store.invalidate(['other:1']);
    await fill(writer.store, 'new');
    expect(await bodyOf(reader.store, 'strict')).toBe('redis:new');
  });

  it('stops waiting for an overdue push, so that memory becomes useful again', async () => {
    const writer = processOn(hub);
    const reader = processOn(hub);
    await fill(writer.store);
    await bodyOf(reader.store, 'strict');
    reader.client.deaf = true;
    await writer.store.invalidate(['other:1']);
    expect(await bodyOf(reader.store, 'strict')).toBe('redis:old');
    clock.advance(100);
    expect(events).toContainEqual({ kind: 'distrust', reason: 'gap' });
    expect(await bodyOf(reader.store, 'strict')).toBe('redis:old');
    expect(await bodyOf(reader.store, 'strict')).toBe('memory:old');
  });

  it('many simultaneous readers share one question; who comes while it runs shares the next', async () => {
    const { store, client } = processOn(hub);
    await fill(store);
    const before = client.calls.position;
    const answers = await Promise.all(Array.from({ length: 1000 }, () => bodyOf(store, 'strict')));
    expect(new Set(answers)).toEqual(new Set(['memory:old']));
    expect(client.calls.position - before).toBe(1);

    const gate = client.holdPositions();
    const early = bodyOf(store, 'strict');
    await gate.answered;
    const late = Array.from({ length: 1000 }, () => bodyOf(store, 'strict'));
    await new Promise(setImmediate);
    expect(client.calls.position - before).toBe(2);
    gate.open();
    expect(new Set([await early, ...(await Promise.all(late))])).toEqual(new Set(['memory:old']));
    expect(client.calls.position - before).toBe(3);
  });

  it('a question that was sent before the reader arrived does not count for him', async () => {
    const writer = processOn(hub);
    const reader = processOn(hub);
    await fill(writer.store);
    await bodyOf(reader.store, 'strict');
    reader.client.deaf = true;
    const gate = reader.client.holdPositions();
    const early = bodyOf(reader.store, 'strict');
    await gate.answered;
    await writer.store.invalidate(['student:1']);
    const late = bodyOf(reader.store, 'strict');
    gate.open();
    expect(await early).toBe('memory:old');
    expect(await late).toBe('miss');
  });

  it('the shared store cannot be asked: unknown is never valid', async () => {
    const { store, client } = processOn(hub);
    await fill(store);
    client.broken = true;
    expect(await bodyOf(store, 'strict')).toBe('unavailable');
  });
});

describe('lease', () => {
  it('serves without asking while the lease runs, and asks when it has run out', async () => {
    const { store, client } = processOn(hub);
    await fill(store);
    await bodyOf(store, 'strict');
    const asked = client.calls.position;
    clock.advance(80);
    expect(await bodyOf(store, 'lease')).toBe('memory:old');
    expect(client.calls.position).toBe(asked);
    clock.advance(400);
    expect(await bodyOf(store, 'lease')).toBe('memory:old');
    expect(client.calls.position).toBe(asked + 1);
  });

  it('with all pushes lost, an old answer lives no longer than the lease', async () => {
    const writer = processOn(hub);
    const reader = processOn(hub);
    await fill(writer.store);
    await bodyOf(reader.store, 'strict');
    await bodyOf(reader.store, 'strict');
    reader.client.deaf = true;
    await writer.store.invalidate(['student:1']);
    clock.advance(80);
    expect(await bodyOf(reader.store, 'lease')).toBe('memory:old');
    clock.advance(171);
    expect(await bodyOf(reader.store, 'lease')).toBe('miss');
  });

  it('a push ends it at once', async () => {
    const writer = processOn(hub);
    const reader = processOn(hub);
    await fill(writer.store);
    await bodyOf(reader.store, 'strict');
    await bodyOf(reader.store, 'strict');
    await writer.store.invalidate(['student:1']);
    expect(await bodyOf(reader.store, 'lease')).toBe('miss');
  });

  it('a process reads its own invalidations at once, before the push comes round', async () => {
    const { store, client } = processOn(hub);
    await fill(store);
    await bodyOf(store, 'strict');
    client.deaf = true;
    await store.invalidate(['student:1']);
    expect(await bodyOf(store, 'lease')).toBe('miss');
  });

  it('a lost connection ends the lease', async () => {
    const { store, client } = processOn(hub);
    await fill(store);
    await bodyOf(store, 'strict');
    const asked = client.calls.position;
    store.lost();
    expect(await bodyOf(store, 'lease')).toBe('memory:old');
    expect(client.calls.position).toBe(asked + 1);
    expect(events).toContainEqual({ kind: 'distrust', reason: 'disconnected' });
  });

  it('FAULT 32 a machine that was paused (only the wall clock moved on) asks before it serves', async () => {
    const { store, client } = processOn(hub);
    await fill(store);
    await bodyOf(store, 'strict');
    const asked = client.calls.position;
    clock.step(10_000);
    expect(await bodyOf(store, 'lease')).toBe('memory:old');
    expect(client.calls.position).toBe(asked + 1);
  });

  it('renews beside the readers once a third has passed', async () => {
    const { store, client } = processOn(hub);
    await fill(store);
    await bodyOf(store, 'strict');
    const asked = client.calls.position;
    clock.advance(100);
    await bodyOf(store, 'lease');
    await bodyOf(store, 'lease');
    await new Promise(setImmediate);
    expect(client.calls.position).toBe(asked + 1);
    clock.advance(200);
    expect(await bodyOf(store, 'lease')).toBe('memory:old');
  });
});

describe('pushes', () => {
  it('FAULT 23 a duplicate is ignored, a gap empties memory', async () => {
    const { store, memory } = processOn(hub);
    await fill(store);
    const { epoch, seq } = await store.position();
    store.push(epoch, seq + 1, ['student:9']);
    store.push(epoch, seq + 1, ['student:1']);
    expect(memory.size).toBe(1);
    store.push(epoch, seq + 3, ['student:9']);
    expect(memory.size).toBe(0);
    expect(events).toContainEqual({ kind: 'distrust', reason: 'gap' });
  });

  it('a new epoch empties memory, also when it is first seen in an answer', async () => {
    const { store, memory } = processOn(hub);
    await fill(store);
    expect(memory.size).toBe(1);
    hub.loseHistory({ silently: true });
    expect(await bodyOf(store, 'strict')).toBe('miss');
    expect(memory.size).toBe(0);
    expect(events).toContainEqual({ kind: 'distrust', reason: 'epoch' });
  });

  it('RACE publish against write: an entry is not admitted to memory if its invalidation was pushed while it was stored', async () => {
    const writer = processOn(hub);
    const reader = processOn(hub);
    const position = await reader.store.position();
    const gate = reader.client.holdPutAnswers();
    const put = reader.store.put('k', makeEntry(position, clock.now()));
    await gate.answered;
    await writer.store.invalidate(['student:1']);
    gate.open();
    expect(await put).toBe('stored');
    expect(reader.memory.size).toBe(0);
    expect(await bodyOf(reader.store, 'lease')).toBe('miss');
  });

  it('an answer from before a change of epoch does not bring the old epoch back', async () => {
    const { store, client, memory } = processOn(hub);
    await fill(store);
    await bodyOf(store, 'strict');
    const gate = client.holdPositions();
    const reading = bodyOf(store, 'strict');
    await gate.answered;
    clock.advance(1);
    hub.loseHistory();
    gate.open();
    expect(await reading).toBe('miss');
    expect(memory.table.position.epoch).toBe(hub.epoch);
  });
});
