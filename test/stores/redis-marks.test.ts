// MARK and CLEAR on a real server: between a write's mark and its end nothing that it touches is served or stored.
import { afterAll, describe, expect, it } from '@jest/globals';
import type { Dependency } from '../../src/contract/entry.js';
import { TieredStore } from '../../src/core/tiered-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { TagTable } from '../../src/stores/memory/tag-table.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
const { clock } = namespaces;
afterAll(() => namespaces.close());

const LONG = 60_000;

describe('a marked tag', () => {
  it('is neither served nor stored, and its entries are kept', async () => {
    const { store, fill, look, client, namespace } = await namespaces.create();
    await fill('k');
    await fill('other', ['student:2']);
    await store.mark(['student:1'], 'm', LONG);
    expect([await look('k'), await look('other')]).toEqual(['flux', 'hit']);
    expect(await fill('k')).toBe('flux');
    expect(await fill('new')).toBe('flux');
    expect(await client.exists(`{${namespace}}:e:1.1:k`, `{${namespace}}:e:1.1:new`)).toBe(1);
  });

  it('is served again after a rollback, as warm as before', async () => {
    const { store, fill, look, raw } = await namespaces.create();
    await fill('k');
    await store.mark(['student:1'], 'm', LONG);
    await store.unmark('m');
    expect(await look('k')).toBe('hit');
    expect(await fill('new')).toBe('stored');
    expect(await raw.marks()).toEqual({});
    expect(await raw.table()).not.toHaveProperty('!marks');
  });

  it('is invalid after the commit, and what is computed then is stored', async () => {
    const { store, fill, look, raw } = await namespaces.create();
    await fill('k');
    const during = await store.mark(['student:1'], 'm', LONG);
    await store.invalidate(['student:1'], { mark: 'm' });
    expect(await look('k')).toBe('invalidated');
    expect(await store.put('k', makeEntry(during, clock.now()))).toBe('stale');
    expect(await fill('k')).toBe('stored');
    expect(await raw.marks()).toEqual({});
    expect(await raw.table()).not.toHaveProperty('!marks');
  });

  it('of two writers stays marked until both have ended, however they end', async () => {
    const { store, fill, look } = await namespaces.create();
    await fill('k');
    await store.mark(['student:1'], 'one', LONG);
    await store.mark(['student:1', 'student:2'], 'two', LONG);
    await store.unmark('one');
    expect(await look('k')).toBe('flux');
    await store.mark(['student:1'], 'three', LONG);
    await store.invalidate(['student:1', 'student:2'], { mark: 'two' });
    expect(await fill('k')).toBe('flux');
    await store.mark(['student:1'], 'four', LONG);
    await store.unmark('four');
    expect(await fill('k')).toBe('flux');
    await store.unmark('three');
    expect(await fill('k')).toBe('stored');
    expect(await look('k')).toBe('hit');
  });

  it.each([
    ['the whole kind', 'student:*', ['student:1', 'student:*']],
    ['everything', '*', ['student:1']],
    ['one key', 'key:k', ['student:1']],
  ])('that means %s covers the entry', async (_what, tag, tags) => {
    const { store, fill, look } = await namespaces.create();
    await fill('k', tags);
    await fill('other', ['class:1']);
    await store.mark([tag], 'm', LONG);
    expect(await look('k')).toBe('flux');
    expect(await fill('k', tags)).toBe('flux');
    expect(await look('other')).toBe(tag === '*' ? 'flux' : 'hit');
    await store.unmark('m');
    expect(await look('k')).toBe('hit');
  });

  it.each([[0], [999], [1000], [8999]])('refuses what inherits it, number %i of 9000 too', async (place) => {
    const { store } = await namespaces.create();
    const { epoch, seq: asOf } = await store.position();
    const inherited: Dependency[] = [{ tags: Array.from({ length: 9000 }, (_, i) => `inner:${i}`), epoch, asOf }];
    await store.mark([`inner:${place}`], 'm', LONG);
    const entry = makeEntry({ epoch, seq: asOf }, clock.now(), { tags: ['outer:1'] });
    expect(await store.put('k', entry, inherited)).toBe('flux');
    await store.unmark('m');
    expect(await store.put('k', entry, inherited)).toBe('stored');
  });

  it('among several entries of one turn concerns its own', async () => {
    const { store, fill, look } = await namespaces.create();
    for (const id of [1, 2, 3]) await fill(`k${id}`, [`student:${id}`]);
    await store.mark(['student:2'], 'm', LONG);
    await store.invalidate(['student:3']);
    expect(await Promise.all(['k1', 'k2', 'k3', 'k4'].map(look))).toEqual(['hit', 'flux', 'invalidated', 'absent']);
  });
});

describe('a mark', () => {
  it('is told to every process with a number of its own, and leaves the table as it is', async () => {
    const { store, raw, pushes } = await namespaces.create();
    const before = await store.invalidate(['student:1']);
    const told = await pushes();
    const { epoch, seq } = await store.mark(['student:1', 'class:2'], 'm', LONG);
    expect(seq).toBe(before.seq + 1);
    expect(await told()).toEqual([{ epoch, seq, tags: ['student:1', 'class:2'] }]);
    const table = await raw.table();
    expect(table[':student:1']).toBe(String(before.seq));
    expect(table).not.toHaveProperty(':class:2');
    await store.unmark('m');
    expect(await told()).toEqual([]);
    expect((await store.position()).seq).toBe(seq);
  });

  it('ends with all its tags, whatever its write has turned out to touch', async () => {
    const { store, fill, look } = await namespaces.create();
    for (const id of [1, 2, 3]) await fill(`k${id}`, [`student:${id}`]);
    await store.mark(['student:1', 'student:2'], 'm', LONG);
    await store.invalidate(['student:2', 'student:3'], { mark: 'm' });
    expect(await Promise.all(['k1', 'k2', 'k3'].map(look))).toEqual(['hit', 'invalidated', 'invalidated']);
    expect(await fill('k2', ['student:2'])).toBe('stored');
  });

  it('whose end was carried out but not heard of is ended again without harm to others', async () => {
    const { store, fill, look } = await namespaces.create();
    await store.mark(['student:1'], 'm', LONG);
    await store.invalidate(['student:1'], { mark: 'm' });
    await store.mark(['student:1'], 'other', LONG);
    await store.invalidate(['student:1'], { mark: 'm' });
    await store.unmark('m');
    expect(await fill('k')).toBe('flux');
    await store.unmark('other');
    expect(await fill('k')).toBe('stored');
    expect(await look('k')).toBe('hit');
  });

  it('sent twice, as a client does after a reconnect, ends once', async () => {
    const { store, fill, raw } = await namespaces.create();
    await store.mark(['student:1'], 'm', LONG);
    await store.mark(['student:1'], 'm', LONG);
    await store.invalidate(['student:1'], { mark: 'm' });
    expect(await fill('k')).toBe('stored');
    expect(await raw.marks()).toEqual({});
    expect(await raw.table()).not.toHaveProperty('!marks');
  });

  it('outlives an invalidation of everything by somebody else', async () => {
    const { store, fill } = await namespaces.create();
    await store.mark(['student:1'], 'm', LONG);
    await store.invalidate(['*']);
    expect(await fill('k')).toBe('flux');
    await store.unmark('m');
    expect(await fill('k')).toBe('stored');
  });

  it('goes with the table: another history, nothing marked, nothing served', async () => {
    const { store, fill, look, raw } = await namespaces.create();
    await fill('k');
    await store.mark(['student:1'], 'm', LONG);
    await raw.lose('t');
    expect(await look('k')).toBe('epoch');
    expect(await raw.marks()).toEqual({});
    expect(await raw.table()).not.toHaveProperty('!marks');
    expect(await fill('k')).toBe('stored');
  });

  it('is found by a process that hears no pushes: its memory serves nothing that is marked', async () => {
    const { store } = await namespaces.create();
    const limits = { maxBytes: 1 << 20, maxBytesPerOwner: 1 << 20, maxTtlMs: Infinity };
    const memory = new MemoryStore(new TagTable('', 1000), limits, clock);
    const deaf = new TieredStore(memory, store, { leaseMs: 250, overdueMs: 100 }, clock, () => undefined);
    await deaf.put('k', makeEntry(await deaf.position(), clock.now()));
    expect(await deaf.lookup('k')).toMatchObject({ outcome: 'hit', layer: 'memory' });
    await store.mark(['student:1'], 'm', LONG);
    expect(await deaf.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'flux' });
    await store.unmark('m');
    expect(await deaf.lookup('k')).toMatchObject({ outcome: 'hit' });
    await deaf.close();
  });
});
