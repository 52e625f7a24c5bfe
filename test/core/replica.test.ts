// Memory in front of a shared store, the finer points: from when a proof counts, and what ends it.
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheEvent } from '../../src/contract/events.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { SharedHub, type HubClient } from '../fakes/shared-hub.js';
import { memoryOn, tick } from './set-up.js';

let clock: FakeClock;
let hub: SharedHub;
let events: CacheEvent[];

beforeEach(() => {
  clock = new FakeClock();
  hub = new SharedHub(clock);
  events = [];
});

/** A process that begins now: nothing that lies before is known to it. */
function newProcess() {
  const client = hub.client();
  const memory = memoryOn(clock, '');
  const emit = (event: CacheEvent) => void events.push(event);
  const store = new TieredStore(memory, client, { leaseMs: 250, overdueMs: 100 }, clock, emit);
  client.listen(store);
  const bodyOf = async (consistency: 'strict' | 'lease', key = 'k') => {
    const found = await store.lookup(key, consistency);
    return found.outcome === 'hit' ? `${found.layer}:${found.entry.body.toString()}` : found.outcome;
  };
  return { client, memory, store, bodyOf };
}

/** A process whose memory holds `k` (about student 1) with a lease that has just begun, and another one that writes. */
async function warm() {
  const writer = hub.client();
  const process = newProcess();
  await put(process.store, 'old');
  expect(await process.bodyOf('strict')).toBe('memory:old');
  return { writer, ...process };
}

async function put(store: TieredStore, body: string) {
  const entry = makeEntry(await store.position(), clock.now(), { body: Buffer.from(body) });
  expect(await store.put('k', entry)).toBe('stored');
}

/** The look-ups of `client` are executed at once and answered when the gate opens. */
function holdLookups(client: HubClient) {
  const lookup = client.lookup.bind(client);
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  client.lookup = async (key) => {
    const found = await lookup(key);
    await gate;
    return found;
  };
  return () => open();
}

describe('from when a proof counts', () => {
  it('a lease runs from when the question was sent, however late the answer came', async () => {
    const { writer, client, store, bodyOf } = await warm();
    client.deaf = true;
    const gate = client.holdPositions();
    const asking = store.position();
    await gate.answered;
    await writer.invalidate(['student:1']);
    clock.advance(200);
    gate.open();
    await asking;
    clock.advance(100);
    expect(await bodyOf('lease')).toBe('miss');
  });

  it('so does the lease that a look-up of another report renews', async () => {
    const { writer, client, store, bodyOf } = await warm();
    client.deaf = true;
    const open = holdLookups(client);
    const asking = store.lookup('another', 'lease');
    await writer.invalidate(['student:1']);
    clock.advance(200);
    open();
    await asking;
    clock.advance(100);
    expect(await bodyOf('lease')).toBe('miss');
  });

  it('an answer that shows pushes to be outstanding proves nothing', async () => {
    const { writer, client, store, bodyOf } = await warm();
    client.deaf = true;
    await writer.invalidate(['student:1']);
    clock.advance(300);
    await store.position();
    expect(await bodyOf('lease')).toBe('miss');
  });

  it('a wall clock that was set back ends the lease, because nobody knows by how much', async () => {
    const { writer, client, bodyOf } = await warm();
    client.deaf = true;
    await writer.invalidate(['student:1']);
    clock.step(-10_000);
    expect(await bodyOf('lease')).toBe('miss');
  });

  it('a wall clock that was set back by as much as has passed does not make a lease longer', async () => {
    const { writer, client, bodyOf } = await warm();
    client.deaf = true;
    await writer.invalidate(['student:1']);
    clock.advance(300);
    clock.step(-300);
    expect(await bodyOf('lease')).toBe('miss');
  });

  it('an entry that the shared store refused is not kept in memory, where nobody knows better yet', async () => {
    const { writer, client, store, bodyOf } = await warm();
    const position = await store.position();
    client.deaf = true;
    await writer.invalidate(['student:1']);
    store.evict();
    expect(await store.put('k', makeEntry(position, clock.now(), { body: Buffer.from('old') }))).toBe('stale');
    expect(await bodyOf('lease')).toBe('miss');
  });

  it('after a gap a lease has to be proved anew', async () => {
    const { client, store, bodyOf } = await warm();
    client.deaf = true;
    await hub.client().invalidate(['other:1']);
    client.deaf = false;
    await hub.client().invalidate(['other:2']);
    expect(events).toEqual([
      { kind: 'distrust', reason: 'epoch' },
      { kind: 'distrust', reason: 'gap' },
    ]);
    const { epoch, seq } = hub.truth.position();
    await store.put('k', makeEntry({ epoch, seq }, clock.now()));
    const asked = client.calls.position;
    await bodyOf('lease');
    expect(client.calls.position).toBe(asked + 1);
  });

  it('a renewal that failed is tried again', async () => {
    const { client, bodyOf } = await warm();
    clock.advance(100);
    client.broken = true;
    expect(await bodyOf('lease')).toBe('memory:old');
    await tick();
    client.broken = false;
    const asked = client.calls.position;
    expect(await bodyOf('lease')).toBe('memory:old');
    await tick();
    expect(client.calls.position).toBe(asked + 1);
  });

  it('who has waited for a question that failed asks again, and so does everybody after him', async () => {
    const { client, store } = await warm();
    const position = client.position.bind(client);
    let fail: (error: Error) => void = () => undefined;
    client.position = () =>
      new Promise((_resolve, reject) => {
        fail = reject;
      });
    const failing = store.position();
    await tick();
    client.position = position;
    const waiting = store.position();
    fail(new Error('broken by the test'));
    await expect(failing).rejects.toThrow('broken by the test');
    expect(await waiting).toEqual(hub.truth.position());
    expect(await store.position()).toEqual(hub.truth.position());
  });

  it('an answer that comes late does not take back what a later question has proved', async () => {
    const { client, store, bodyOf } = await warm();
    const open = holdLookups(client);
    const early = store.lookup('another', 'lease');
    clock.advance(100);
    await store.position();
    open();
    await early;
    clock.advance(200);
    client.broken = true;
    expect(await bodyOf('lease')).toBe('memory:old');
  });

  it('one renewal at a time, however many readers come meanwhile', async () => {
    const { client, bodyOf } = await warm();
    clock.advance(100);
    const asked = client.calls.position;
    const gate = client.holdPositions();
    expect(await bodyOf('lease')).toBe('memory:old');
    await gate.answered;
    expect(await bodyOf('lease')).toBe('memory:old');
    gate.open();
    await tick();
    await tick();
    expect(client.calls.position).toBe(asked + 1);
  });

  it('a question that failed does not stand in the way of the next', async () => {
    const { client, store } = await warm();
    client.broken = true;
    await expect(store.position()).rejects.toThrow('broken by the test');
    client.broken = false;
    expect(await store.position()).toEqual(hub.truth.position());
  });
});

describe('what is older than what this process knows', () => {
  it('a process that has begun later keeps what it finds, because the shared store vouches for it', async () => {
    const { client, bodyOf } = await warm();
    await hub.client().invalidate(['other:1']);
    const late = newProcess();
    expect(await late.bodyOf('strict')).toBe('redis:old');
    expect(await late.bodyOf('strict')).toBe('memory:old');
    expect(await late.bodyOf('lease')).toBe('memory:old');
    expect(await bodyOf('strict')).toBe('memory:old');
    expect(client.calls.lookup).toBe(0);
  });

  it('so does one that has missed pushes, or whose table was full', async () => {
    const { client, store, memory, bodyOf } = await warm();
    client.deaf = true;
    await hub.client().invalidate(['other:1']);
    client.deaf = false;
    await hub.client().invalidate(['other:2']);
    expect(events.at(-1)).toEqual({ kind: 'distrust', reason: 'gap' });
    expect(await bodyOf('strict')).toBe('redis:old');
    expect(await bodyOf('strict')).toBe('memory:old');
    await store.invalidate(Array.from({ length: 2000 }, (_, index) => `many:${index}`));
    expect(memory.table.floor).toBe(memory.table.position.seq);
    expect(await bodyOf('strict')).toBe('redis:old');
    expect(await bodyOf('strict')).toBe('memory:old');
  });

  it('and drops it as soon as it is invalidated, in every form', async () => {
    const { writer } = await warm();
    await hub.client().invalidate(['other:1']);
    const late = newProcess();
    expect(await late.bodyOf('strict')).toBe('redis:old');
    const found = await late.store.lookup('k', 'lease');
    if (found.outcome !== 'hit') throw new Error(found.outcome);
    await late.store.keepForm('k', found.entry, 'gzip', Buffer.from('coded'));
    expect(await late.bodyOf('lease')).toBe('memory:old');
    await writer.invalidate(['student:1']);
    expect(await late.bodyOf('lease')).toBe('miss');
  });

  it('RACE an answer from before a gap proves nothing after it', async () => {
    const { writer } = await warm();
    await hub.client().invalidate(['other:1']);
    const late = newProcess();
    await late.store.position();
    const open = holdLookups(late.client);
    const asking = late.store.lookup('k', 'strict');
    await tick();
    late.client.deaf = true;
    await writer.invalidate(['student:1']);
    late.client.deaf = false;
    await writer.invalidate(['other:2']);
    open();
    // He had asked before the write, so he is served; nobody who comes after it.
    expect(await asking).toMatchObject({ outcome: 'hit', layer: 'redis' });
    expect(late.memory.size).toBe(0);
    expect(await late.bodyOf('strict')).toBe('miss');
  });

  it('what is kept as a fallback stands until this process hears that it was invalidated', async () => {
    await warm();
    await hub.client().invalidate(['other:1']);
    const late = newProcess();
    const found = await late.store.lookup('k');
    if (found.outcome !== 'hit') throw new Error(found.outcome);
    expect(late.store.refutes('k', found.entry, found.position)).toBe(false);
    await hub.client().invalidate(['other:2']);
    expect(late.store.refutes('k', found.entry, found.position)).toBe(false);
    await hub.client().invalidate(['student:1']);
    expect(late.store.refutes('k', found.entry, found.position)).toBe(true);
  });

  it('a proof of another history is none', async () => {
    await warm();
    await hub.client().invalidate(['other:1']);
    const late = newProcess();
    const found = await late.store.lookup('k');
    if (found.outcome !== 'hit') throw new Error(found.outcome);
    expect(late.store.refutes('k', found.entry, { epoch: 'another', seq: 1000 })).toBe(true);
    expect(late.memory.admit('k', found.entry, { epoch: 'another', seq: 1000 })).toBe(false);
    hub.loseHistory();
    expect(late.store.refutes('k', found.entry, hub.truth.position())).toBe(true);
    expect(late.memory.admit('k', found.entry, hub.truth.position())).toBe(false);
  });
});

describe('what is heard while the shared store is asked', () => {
  it('a push that comes before the answer counts, though the answer does not know of it', async () => {
    const { writer, client, bodyOf } = await warm();
    const gate = client.holdPositions();
    const reading = bodyOf('strict');
    await gate.answered;
    await writer.invalidate(['student:1']);
    gate.open();
    expect(await reading).toBe('miss');
  });

  it('a push that comes just behind the answer saves the look-up', async () => {
    const { writer, client, store, bodyOf } = await warm();
    client.deaf = true;
    const { epoch, seq } = await writer.invalidate(['other:1']);
    const gate = client.holdPositions();
    const reading = bodyOf('strict');
    await gate.answered;
    const asked = client.calls.lookup;
    gate.open();
    for (let step = 0; step < 10; step += 1) await Promise.resolve();
    store.push(epoch, seq, ['other:1']);
    expect(await reading).toBe('memory:old');
    expect(client.calls.lookup).toBe(asked);
  });

  it('a push that was waited for and comes leaves no timer', async () => {
    const { writer, client, store, bodyOf } = await warm();
    client.deaf = true;
    const { epoch, seq } = await writer.invalidate(['other:1']);
    expect(await bodyOf('strict')).toBe('redis:old');
    expect(clock.waiting).toBe(1);
    store.push(epoch, seq, ['other:1']);
    expect(clock.waiting).toBe(0);
    clock.advance(1000);
    expect(await bodyOf('strict')).toBe('memory:old');
  });

  it('a push that never comes makes everything before it invalid', async () => {
    const { writer, client, bodyOf } = await warm();
    client.deaf = true;
    await writer.invalidate(['student:1']);
    expect(await bodyOf('strict')).toBe('miss');
    clock.advance(100);
    expect(await bodyOf('strict')).toBe('miss');
    expect(await bodyOf('lease')).toBe('miss');
  });
});

describe('a history that has ended', () => {
  it('is noticed in the answer to an own invalidation', async () => {
    const { client, store, memory, bodyOf } = await warm();
    client.deaf = true;
    hub.loseHistory({ silently: true });
    await store.invalidate(['student:1']);
    expect(memory.size).toBe(0);
    expect(await bodyOf('lease')).toBe('miss');
    expect(events.at(-1)).toEqual({ kind: 'distrust', reason: 'epoch' });
  });

  it.each([
    ['a push', false],
    ['another answer', true],
  ])('does not come back with an answer of before, where %s had told of the end', async (_name, silently) => {
    const { client, store, memory } = await warm();
    clock.advance(1);
    const gate = client.holdPositions();
    const early = store.position();
    await gate.answered;
    clock.advance(1);
    hub.loseHistory({ silently });
    if (silently) await store.lookup('another');
    expect(memory.table.position.epoch).toBe(hub.epoch);
    gate.open();
    await early;
    expect(memory.table.position.epoch).toBe(hub.epoch);
  });
});
