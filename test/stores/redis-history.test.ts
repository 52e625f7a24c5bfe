// What the sweeper does to the history in Redis: adopts it, forgets what is too old, and what of it survives clearing everything.
import { afterAll, describe, expect, it } from '@jest/globals';
import { makeEntry } from '../../src/testing/store-suite.js';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
const { clock } = namespaces;
afterAll(() => namespaces.close());

const LONG = 60_000;

describe('ADOPT', () => {
  it('begins the named epoch, empty, with its generation, and tells every process', async () => {
    const { store, fill, look, pushes, raw } = await namespaces.create();
    await fill('k');
    await store.mark(['student:9'], 'm', LONG);
    const captured = await store.position();
    const told = await pushes();
    const adopted = await store.history.adopt(captured.epoch, 'adopted', 7);
    expect(adopted).toEqual({ epoch: 'adopted', seq: captured.seq + 1 });
    expect(await told()).toEqual([{ epoch: 'adopted', seq: captured.seq + 1, tags: [] }]);
    expect(await store.history.observe()).toMatchObject({ generation: 7, position: adopted });
    expect(await look('k')).toBe('epoch');
    expect(await store.put('k', makeEntry(captured, clock.now()))).toBe('epoch');
    expect(await raw.marks()).toEqual({});
    expect(await fill('new', ['student:9'])).toBe('stored');
  });

  it('is refused in place of another epoch than the expected one', async () => {
    const { store, fill, look } = await namespaces.create();
    await fill('k');
    const { epoch, seq } = await store.position();
    expect(await store.history.adopt('another', 'adopted', 7)).toBeUndefined();
    expect(await store.history.observe()).toMatchObject({ generation: undefined, position: { epoch, seq } });
    expect(await look('k')).toBe('hit');
  });

  it('a second time, by who has seen the same epoch, changes nothing', async () => {
    const { store } = await namespaces.create();
    const { epoch } = await store.position();
    await store.history.adopt(epoch, 'first', 7);
    expect(await store.history.adopt(epoch, 'second', 8)).toBeUndefined();
    expect(await store.history.observe()).toMatchObject({ generation: 7, position: { epoch: 'first' } });
  });

  it('takes the generation away with the history it belonged to', async () => {
    const { store, raw } = await namespaces.create();
    await store.history.adopt((await store.position()).epoch, 'adopted', 7);
    await raw.set('!inc', '0'.repeat(40));
    expect((await store.history.observe()).generation).toBeUndefined();
  });

  it('has no watermark until a sweep has given it one', async () => {
    const { store, raw } = await namespaces.create();
    const position = await store.position();
    await store.history.keepAlive(position, await raw.now(), LONG);
    await store.history.adopt(position.epoch, 'adopted', 7);
    expect((await store.history.observe()).ageMs).toBeUndefined();
  });
});

describe('what is kept of the table', () => {
  const KEPT = ['!born', '!ep', '!floor', '!gen', '!inc', '!lambda', '!leases', '!live', '!lsn', '!marks', '!seq'];

  const LSN = '000000000000000A';

  async function full(maxTags: number) {
    const all = await namespaces.create({ maxTags });
    const { store, raw } = all;
    await store.history.adopt((await store.position()).epoch, 'adopted', 7);
    await store.invalidate(['student:1', 'student:2'], { lsn: LSN });
    await store.history.keepAlive(await store.position(), await raw.now(), LONG);
    await store.mark(['student:3'], 'm', LONG);
    await store.position(LONG);
    return { ...all, before: await raw.table() };
  }

  it('by an invalidation of everything: all but the tags', async () => {
    const { store, raw, before } = await full(100_000);
    const { seq } = await store.invalidate(['*'], { lsn: LSN });
    const after = await raw.table();
    expect(Object.keys(after).toSorted()).toEqual(KEPT);
    expect(after).toEqual({ ...pick(before, KEPT), '!seq': String(seq), '!floor': String(seq) });
  });

  it('by a table that outgrows its bound: the same', async () => {
    const { store, raw, before } = await full(20);
    const { seq } = await store.invalidate(
      Array.from({ length: 30 }, (_, index) => `class:${index}`),
      { lsn: LSN },
    );
    expect(await raw.table()).toEqual({ ...pick(before, KEPT), '!seq': String(seq), '!floor': String(seq) });
  });

  it('before anybody has given them: neither generation nor watermark nor leases', async () => {
    const { store, raw } = await namespaces.create();
    await store.invalidate(['*']);
    expect(Object.keys(await raw.table()).toSorted()).toEqual(['!born', '!ep', '!floor', '!inc', '!lsn', '!seq']);
    expect(await store.position()).not.toHaveProperty('lsn');
  });
});

describe('PRUNE', () => {
  it('forgets what is old on every page, and keeps what is younger', async () => {
    const { store, raw, fill, look } = await namespaces.create();
    await fill('old', ['untouched:1']);
    for (let from = 0; from < 3000; from += 100)
      await store.invalidate(Array.from({ length: 100 }, (_, index) => `student:${from + index}`));
    const { seq } = await store.position();
    await store.invalidate(['student:1', 'class:1']);
    await fill('young', ['untouched:1']);
    expect(Object.keys(await raw.table()).length).toBeGreaterThan(3000);
    await store.history.prune({ ...(await store.position()), seq: seq });
    const { '!floor': floor, '!seq': now, ...rest } = await raw.table();
    expect([floor, now]).toEqual([String(seq), String(seq + 1)]);
    expect(
      Object.keys(rest)
        .filter((field) => field.startsWith(':'))
        .toSorted(),
    ).toEqual([':class:1', ':student:1']);
    expect(rest).toMatchObject({ '!ep': (await store.position()).epoch, '!inc': expect.any(String) });
    expect([await look('old'), await look('young')]).toEqual(['invalidated', 'hit']);
  });

  it('never lowers the floor, and keeps an entry that is exactly as old as it', async () => {
    const { store, raw, fill, look } = await namespaces.create();
    const { seq } = await store.invalidate(['student:9']);
    await fill('k');
    await store.history.prune({ ...(await store.position()), seq: seq });
    await store.history.prune({ ...(await store.position()), seq: seq - 1 });
    expect(await raw.table()).toMatchObject({ '!floor': String(seq) });
    expect(await look('k')).toBe('hit');
  });

  it('refuses what was read before and is stored after', async () => {
    const { store } = await namespaces.create();
    const captured = await store.position();
    const { seq } = await store.invalidate(['student:1']);
    await store.history.prune({ ...(await store.position()), seq: seq });
    expect(await store.put('k', makeEntry(captured, clock.now()))).toBe('stale');
  });

  it('meant for a history that was lost, with higher numbers, does not keep out everything of the new one', async () => {
    const { store, fill, look, raw } = await namespaces.create();
    await raw.lose('t');
    await store.history.prune({ ...(await store.position()), seq: 1_000_000 });
    expect(await fill('k')).toBe('stored');
    expect(await look('k')).toBe('hit');
  });
});

function pick(table: Record<string, string>, fields: readonly string[]) {
  return Object.fromEntries(Object.entries(table).filter(([field]) => fields.includes(field)));
}
