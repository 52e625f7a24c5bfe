// Forms made in the background: each once, a few at a time, and never for another entry than the one they were made of.
import zlib from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { Coding, Entry } from '../../src/contract/entry.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { BackgroundForms } from '../../src/core/forms.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';

const OLD = Buffer.from('{"grade":78}'.repeat(500));
const NEW = Buffer.from('{"grade":81}'.repeat(500));
const LIMITS = { maxBytes: 1 << 20, maxBytesPerOwner: 1 << 20, maxTtlMs: 30_000 };

function setUp(limits: Partial<typeof LIMITS> = {}) {
  const clock = new FakeClock();
  const store = new MemoryStore(new TagTable('epoch-1', 1000), { ...LIMITS, ...limits }, clock);
  const events: CacheEvent[] = [];
  const forms = new BackgroundForms(store, clock, (event) => events.push(event));
  const put = (key: string, body: Buffer, more: Partial<Entry> = {}): Entry => {
    expect(store.put(key, makeEntry(store.position(), clock.now(), { body, etag: `"${body.length}"`, ...more }))).toBe(
      'stored',
    );
    return entryOf(key) as Entry;
  };
  const entryOf = (key: string): Entry | undefined => {
    const found = store.lookup(key);
    return found.outcome === 'hit' ? found.entry : undefined;
  };
  /** Resolves once so many have been compressed, and kept if they could be. */
  const compressed = async (count = 1) => {
    while (events.filter(({ kind }) => kind === 'compressed').length < count)
      await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, store, events, forms, put, entryOf, compressed };
}

describe('a form', () => {
  it('is made of the body and kept beside it', async () => {
    const { forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    await compressed();
    const entry = entryOf('k');
    expect(entry?.body.equals(OLD)).toBe(true);
    expect(zlib.gunzipSync(entry?.forms?.gzip ?? Buffer.alloc(0)).equals(OLD)).toBe(true);
  });

  it('is made once, however many want it', async () => {
    const { events, forms, put, entryOf, compressed } = setUp();
    const entry = put('k', OLD);
    for (let i = 0; i < 50; i++) forms.make('k', entry, 'gzip');
    await compressed();
    forms.make('other', put('other', OLD), 'br');
    await compressed(2);
    expect(events.map((event) => event.kind === 'compressed' && [event.key, event.coding])).toEqual([
      ['k', 'gzip'],
      ['other', 'br'],
    ]);
    expect(Object.keys(entryOf('k')?.forms ?? {})).toEqual(['gzip']);
  });

  it('that is no smaller is not kept, nor made again', async () => {
    const { events, forms, put, entryOf, compressed } = setUp();
    const noise = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * i * 7919 + i * 104_729) >> 3));
    const incompressible = zlib.gzipSync(noise, { level: 9 });
    const entry = put('k', incompressible);
    forms.make('k', entry, 'gzip');
    forms.make('k2', put('k2', OLD), 'gzip');
    await compressed();
    forms.make('k', entry, 'gzip');
    forms.make('k3', put('k3', OLD), 'gzip');
    await compressed(2);
    expect(entryOf('k')?.forms).toBeUndefined();
    expect(events.map((event) => 'key' in event && event.key)).toEqual(['k2', 'k3']);
  });

  it('waits its turn: two at a time, the others are made when they are wanted again', async () => {
    const { forms, put, entryOf, compressed } = setUp();
    const keys = ['a', 'b', 'c', 'd'];
    const entries = keys.map((key) => put(key, OLD));
    for (const [at, key] of keys.entries()) forms.make(key, entries[at] as Entry, 'gzip');
    await compressed(2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(keys.filter((key) => entryOf(key)?.forms?.gzip)).toEqual(['a', 'b']);
    forms.make('c', entries[2] as Entry, 'gzip');
    forms.make('d', entries[3] as Entry, 'gzip');
    await compressed(4);
    expect(keys.every((key) => entryOf(key)?.forms?.gzip)).toBe(true);
  });

  it('is not kept after the cache was closed', async () => {
    const { events, forms, put, entryOf } = setUp();
    const second = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    forms.close();
    second.forms.make('k', second.put('k', OLD), 'gzip');
    await second.compressed();
    await new Promise((resolve) => setImmediate(resolve));
    expect([entryOf('k')?.forms, events]).toEqual([undefined, []]);
  });

  it('that this Node cannot make is an event, once', async () => {
    const { events, forms, put } = setUp();
    const entry = put('k', OLD);
    for (let i = 0; i < 3; i++) forms.make('k', entry, 'unknown' as Coding);
    while (events.length === 0) await new Promise((resolve) => setImmediate(resolve));
    forms.make('k', entry, 'unknown' as Coding);
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toMatchObject([{ kind: 'layerFailed', operation: 'compress' }]);
  });

  it('fails alone: a store that throws costs nobody anything', async () => {
    const { clock, put } = setUp();
    const events: CacheEvent[] = [];
    const broken = { keepForm: () => Promise.reject(new Error('broken')) };
    const forms = new BackgroundForms(broken, clock, (event) => events.push(event));
    const entry = put('k', OLD);
    const coded = { ...entry, body: zlib.gzipSync(OLD), coding: 'gzip' as const };
    expect((await forms.withIdentity('k', coded)).forms?.identity?.equals(OLD)).toBe(true);
    while (events.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(events).toMatchObject([{ kind: 'layerFailed', operation: 'keepForm', error: 'broken' }]);
  });
});

describe('races while a body is being compressed', () => {
  it('REPLACED: the newer entry does not get the form of the older one', async () => {
    const { clock, forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    clock.advance(1);
    put('k', NEW);
    await compressed();
    expect(entryOf('k')?.body.equals(NEW)).toBe(true);
    expect(entryOf('k')?.forms).toBeUndefined();
  });

  it('REPLACED by a computation that took another time, in the same millisecond, under the same entity-tag', async () => {
    const { forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD, { etag: '"v1"', computeMs: 5.000_1 }), 'gzip');
    put('k', NEW, { etag: '"v1"', computeMs: 5.000_2 });
    await compressed();
    expect(entryOf('k')?.forms).toBeUndefined();
  });

  it('INVALIDATED: the form brings nothing back', async () => {
    const { store, forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    store.invalidate(['student:1']);
    await compressed();
    expect(entryOf('k')).toBeUndefined();
  });

  it('INVALIDATED and computed again: the new entry has its own bytes only', async () => {
    const { store, forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    store.invalidate(['student:1']);
    put('k', NEW);
    await compressed();
    expect(entryOf('k')?.forms).toBeUndefined();
    expect(entryOf('k')?.body.equals(NEW)).toBe(true);
  });

  it('EVICTED: the form brings nothing back', async () => {
    const { store, forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    store.evict();
    await compressed();
    expect(entryOf('k')).toBeUndefined();
    expect(store.bytes).toBe(0);
  });

  it('EXPIRED: the form brings nothing back', async () => {
    const { clock, store, forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    clock.advance(30_000);
    await compressed();
    expect(entryOf('k')).toBeUndefined();
    expect(store.bytes).toBe(0);
  });
});

describe('what memory keeps', () => {
  it('is not kept longer for having been compressed', async () => {
    const { clock, forms, put, entryOf, compressed } = setUp();
    const entry = put('k', OLD);
    clock.advance(29_999);
    forms.make('k', entry, 'gzip');
    await compressed();
    expect(entryOf('k')?.forms?.gzip).toBeDefined();
    clock.advance(1);
    expect(entryOf('k')).toBeUndefined();
  });

  it('counts every form against all budgets, and gives it back', async () => {
    const { store, forms, put, entryOf, compressed } = setUp();
    const before = store.bytes;
    forms.make('k', put('k', OLD), 'gzip');
    const plain = store.bytesOf('u1');
    await compressed();
    const { length } = entryOf('k')?.forms?.gzip ?? Buffer.alloc(0);
    expect(store.bytesOf('u1')).toBeGreaterThanOrEqual(plain + length);
    expect(store.bytes).toBe(before + store.bytesOf('u1'));
    store.invalidate(['student:1']);
    store.lookup('k');
    expect([store.bytes, store.bytesOf('u1')]).toEqual([before, 0]);
  });

  it('drops no entry for a form that does not fit beside it', () => {
    const { store, put, entryOf } = setUp({ maxBytesPerOwner: OLD.length + 3000 });
    const entry = put('k', OLD);
    store.keepForm('k', entry, 'gzip', Buffer.alloc(3000));
    expect(entryOf('k')).toBe(entry);
    store.keepForm('k', entry, 'gzip', Buffer.alloc(500));
    expect(entryOf('k')?.forms?.gzip?.length).toBe(500);
  });

  it('has memory of its own: a small form keeps no large buffer alive', async () => {
    const { forms, put, entryOf, compressed } = setUp();
    forms.make('k', put('k', OLD), 'gzip');
    await compressed();
    const gzip = entryOf('k')?.forms?.gzip;
    expect(gzip?.buffer.byteLength).toBeLessThanOrEqual((gzip?.length ?? 0) + 64);
  });
});

describe('a body that came coded', () => {
  it('is decoded once for all who wait, and kept', async () => {
    const { store, forms, put, entryOf } = setUp();
    const entry = put('k', zlib.gzipSync(OLD), { coding: 'gzip' });
    const all = await Promise.all([1, 2, 3].map(() => forms.withIdentity('k', entry)));
    expect(new Set(all).size).toBe(1);
    expect(all[0]?.forms?.identity?.equals(OLD)).toBe(true);
    expect(entryOf('k')?.forms?.identity?.equals(OLD)).toBe(true);
    expect(store.bytes).toBeGreaterThan(OLD.length);
  });

  it('REPLACED while it is decoded: the newer entry keeps its own', async () => {
    const { clock, forms, put, entryOf } = setUp();
    const decoding = forms.withIdentity('k', put('k', zlib.gzipSync(OLD), { coding: 'gzip' }));
    clock.advance(1);
    put('k', NEW);
    expect((await decoding).forms?.identity?.equals(OLD)).toBe(true);
    expect(entryOf('k')?.forms).toBeUndefined();
  });

  it('rejects, and tells, where it is in no coding', async () => {
    const { events, forms, put } = setUp();
    const entry = put('k', OLD, { coding: 'br' });
    await expect(forms.withIdentity('k', entry)).rejects.toThrow();
    expect(events).toMatchObject([{ kind: 'layerFailed', operation: 'decompress' }]);
  });
});
