// The watermark in Redis: somebody vouches, by the clock of Redis, that committed writes have been invalidated, or nothing is served.
import { afterAll, describe, expect, it } from '@jest/globals';
import { makeEntry } from '../../src/testing/store-suite.js';
import { RedisNamespaces } from '../support/redis-namespace.js';

const namespaces = new RedisNamespaces();
const { clock } = namespaces;
afterAll(() => namespaces.close());

const HOUR = 3_600_000;
const DEAD = { outcome: 'unavailable', reason: 'watermark' };

describe('LIVE', () => {
  it('moves the watermark forwards only', async () => {
    const { store, raw } = await namespaces.create();
    const position = await store.position();
    const now = await raw.now();
    expect(await store.history.keepAlive(position, now - 100, HOUR)).toBe(true);
    expect(await store.history.keepAlive(position, now - 200, HOUR)).toBe(false);
    expect(await store.history.keepAlive(position, now - 100, HOUR)).toBe(false);
    expect(await raw.table()).toMatchObject({ '!live': String(now - 100), '!lambda': String(HOUR) });
    expect(await store.history.keepAlive(position, now - 50, HOUR)).toBe(true);
    expect(await raw.table()).toMatchObject({ '!live': String(now - 50) });
  });

  it('is refused for another epoch', async () => {
    const { store, raw } = await namespaces.create();
    const position = await store.position();
    expect(await store.history.keepAlive({ ...position, epoch: 'another' }, await raw.now(), HOUR)).toBe(false);
    expect(await raw.table()).not.toHaveProperty('!live');
  });

  it('is refused from the future', async () => {
    const { store, raw } = await namespaces.create();
    const position = await store.position();
    expect(await store.history.keepAlive(position, (await raw.now()) + HOUR, HOUR)).toBe(false);
    expect(await raw.table()).not.toHaveProperty('!live');
  });

  it('replaces a watermark from the future, the trace of a clock that was set back', async () => {
    const { store, raw, fill, look } = await namespaces.create();
    await fill('k');
    const position = await store.position();
    const now = await raw.now();
    await store.history.keepAlive(position, now, HOUR);
    await raw.set('!live', now + HOUR);
    expect(await look('k')).toBe('watermark');
    expect(await store.history.keepAlive(position, now, HOUR)).toBe(true);
    expect(await look('k')).toBe('hit');
  });

  it('is told to the sweeper with its age', async () => {
    const { store, raw } = await namespaces.create();
    const position = await store.position();
    expect((await store.history.observe()).ageMs).toBeUndefined();
    const at = (await raw.now()) - 5000;
    await store.history.keepAlive(position, at, HOUR);
    const { ageMs = 0, now, position: seen } = await store.history.observe();
    expect(now - ageMs).toBe(at);
    expect(seen.epoch).toBe(position.epoch);
  });
});

describe('a dead watermark', () => {
  it('stops every look-up, and storing goes on', async () => {
    const { store, raw, fill } = await namespaces.create();
    await fill('k');
    const position = await store.position();
    await store.history.keepAlive(position, (await raw.now()) - 5000, 2000);
    expect(await store.lookup('k')).toEqual(DEAD);
    expect(await store.lookup('absent')).toEqual(DEAD);
    expect(await store.position()).toMatchObject({ live: false });
    expect(await store.put('new', makeEntry(position, clock.now()))).toBe('stored');
    await store.history.keepAlive(position, await raw.now(), 2000);
    expect(await store.lookup('new')).toMatchObject({ outcome: 'hit' });
    expect(await store.position()).not.toHaveProperty('live');
  });

  it('is obeyed by a process that has not asked for one', async () => {
    const { store, raw, namespace, fill } = await namespaces.create();
    await fill('k');
    const position = await store.position();
    await store.history.keepAlive(position, (await raw.now()) - 5000, 2000);
    const unaware = namespaces.store(await namespaces.connect(), namespace);
    expect(await unaware.lookup('k')).toEqual(DEAD);
  });

  it('is what a process sees that wants one where there is none', async () => {
    const { store, raw, fill, look } = await namespaces.create();
    await fill('k');
    expect(await look('k')).toBe('hit');
    store.requireWatermark(2000);
    expect(await store.lookup('k')).toEqual(DEAD);
    const position = await store.position();
    await store.history.keepAlive(position, await raw.now(), 2000);
    expect(await look('k')).toBe('hit');
    await raw.lose('t');
    expect(await store.lookup('k')).toEqual(DEAD);
    store.requireWatermark(undefined);
    expect(await look('k')).toBe('absent');
  });

  it('is judged by what this process requires, where that is known', async () => {
    const { store, raw, fill, look } = await namespaces.create();
    await fill('k');
    const position = await store.position();
    await store.history.keepAlive(position, (await raw.now()) - 5000, 2000);
    store.requireWatermark(HOUR);
    expect(await look('k')).toBe('hit');
    store.requireWatermark(1000);
    expect(await look('k')).toBe('watermark');
  });
});

describe('the WAL position', () => {
  const LSN = (n: number) => n.toString(16).toUpperCase().padStart(16, '0');

  it('is the highest that was told, in every answer', async () => {
    const { store, fill } = await namespaces.create();
    const { epoch: lsnEpoch, ...nothing } = await store.position();
    expect(nothing).not.toHaveProperty('lsn');
    await store.invalidate(['student:1'], { lsn: LSN(0x9ff), lsnEpoch });
    expect(await store.invalidate(['student:2'], { lsn: LSN(0x10) })).toMatchObject({ lsn: LSN(0x9ff) });
    expect(await store.invalidate(['student:3'], { lsn: LSN(0xa00) })).toMatchObject({ lsn: LSN(0xa00) });
    expect(await store.position()).toMatchObject({ lsn: LSN(0xa00) });
    expect(await store.lookup('absent')).toMatchObject({ position: { lsn: LSN(0xa00) } });
    await fill('k');
    await store.invalidate(['*'], { lsn: LSN(0xa00) });
    expect(await store.position()).toMatchObject({ lsn: LSN(0xa00) });
  });

  it('is not known after a write that tells none, nor after a mark whose writer never came back', async () => {
    const { store } = await namespaces.create();
    await store.invalidate(['student:1'], { lsn: LSN(0x9ff), lsnEpoch: (await store.position()).epoch });
    expect(await store.invalidate(['student:2'])).not.toHaveProperty('lsn');
    await store.invalidate(['student:1'], { lsn: LSN(0x9ff) });
    await store.mark(['student:3'], 'dead', 0);
    expect(await store.mark(['student:3'], 'm', 60_000)).not.toHaveProperty('lsn');
    expect(await store.position()).not.toHaveProperty('lsn');
  });

  it('RACE asked for under the history before: not believed, but counted in, until one from after its beginning comes', async () => {
    const { store, raw } = await namespaces.create();
    const { epoch: before } = await store.position();
    await raw.lose('t');
    const { epoch: lsnEpoch } = await store.position();
    // Somebody has committed at 20 and told the history that was lost.
    expect(await store.invalidate(['student:1'], { lsn: LSN(9), lsnEpoch: before })).not.toHaveProperty('lsn');
    expect(await store.invalidate(['student:2'], { lsn: LSN(30) })).not.toHaveProperty('lsn');
    expect(await store.invalidate(['student:3'], { lsn: LSN(21), lsnEpoch })).toMatchObject({ lsn: LSN(30) });
    expect(await store.invalidate(['student:1'], { lsn: LSN(40), lsnEpoch: before })).toMatchObject({ lsn: LSN(40) });
  });

  it('is given by a sweep only for the number that it has seen', async () => {
    const { store, raw } = await namespaces.create();
    const seen = { ...(await store.invalidate(['student:1'])), lsn: LSN(0x10) };
    await store.invalidate(['student:2']);
    expect(await store.history.keepAlive(seen, (await raw.now()) - 10, HOUR)).toBe(true);
    expect(await store.position()).not.toHaveProperty('lsn');
    const now = { ...(await store.position()), lsn: LSN(0x20) };
    expect(await store.history.keepAlive(now, await raw.now(), HOUR)).toBe(true);
    expect(await store.position()).toMatchObject({ lsn: LSN(0x20) });
  });

  it('is lost with the epoch: nobody knows any more', async () => {
    const { store, raw } = await namespaces.create();
    await store.invalidate(['student:1'], { lsn: LSN(0x9ff), lsnEpoch: (await store.position()).epoch });
    await raw.lose('t');
    expect(await store.position()).not.toHaveProperty('lsn');
    await store.invalidate(['student:1'], { lsn: LSN(1) });
    const { epoch } = await store.position();
    expect(await store.history.adopt(epoch, 'adopted', 1)).not.toHaveProperty('lsn');
  });
});
