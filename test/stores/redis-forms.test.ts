// Coded bodies in a real Redis: one form for each entry, changed only while it is the same entry, fetched in one round trip.
import { once } from 'node:events';
import zlib from 'node:zlib';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Entry } from '../../src/contract/entry.js';
import type { RedisLike } from '../../src/contract/redis-like.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const client = new Redis(redisUrl(), { maxRetriesPerRequest: 1 });
await client.ping();
const stores: RedisStore[] = [];

afterAll(async () => {
  for (const store of stores) await store.close();
  const ended = once(client, 'end');
  client.disconnect();
  await ended;
});

const BODY = Buffer.from('{"grade":78}'.repeat(500));
const GZIP = zlib.gzipSync(BODY);
const BR = zlib.brotliCompressSync(BODY);

function create({ namespace = ownNamespace(), over = client as RedisLike } = {}) {
  const clock = new FakeClock();
  const store = new RedisStore(over, { namespace, version: '1', maxTags: 1000 }, clock);
  stores.push(store);
  const name = `{${namespace}}:e:1.1:k`;
  const put = async (more: Partial<Entry> = {}) => {
    const entry = makeEntry(await store.position(), clock.now(), { body: BODY, ...more });
    expect(await store.put('k', entry)).toBe('stored');
    return entry;
  };
  const found = async (): Promise<Entry> => {
    const lookup = await store.lookup('k');
    if (lookup.outcome !== 'hit') throw new Error(lookup.outcome);
    return lookup.entry;
  };
  const fields = async () => (await client.hkeys(name)).toSorted();
  return { clock, namespace, store, name, put, found, fields };
}

/** Round trips of a client, each with the bytes of the bodies that came back. */
function counting() {
  const trips: number[] = [];
  const counted = (bytes: number) => void trips.push(bytes);
  const over: RedisLike = {
    get status() {
      return client.status;
    },
    options: {},
    call: (command, ...args) => (counted(0), client.call(command, ...args)),
    pipeline() {
      const pipeline = client.pipeline();
      return {
        call: (command, ...args) => pipeline.call(command, ...args),
        hmgetBuffer: (key, ...fields) => pipeline.hmgetBuffer(key, ...fields),
        async exec() {
          const answers = await pipeline.exec();
          const [, , ...bodies] = (answers?.[1]?.[1] ?? []) as (Buffer | null)[];
          counted(bodies.reduce((sum, body) => sum + (body?.length ?? 0), 0));
          return answers;
        },
      };
    },
    duplicate: () => client.duplicate(),
    on: (event, listener) => client.on(event, listener),
    off: (event, listener) => client.off(event, listener),
  };
  return { over, trips };
}

describe('a coded body', () => {
  it.each([
    ['gzip', 'gz', GZIP],
    ['br', 'br', BR],
  ] as const)('%s takes the place of the plain one, which is gone', async (coding, field, bytes) => {
    const { store, put, found, fields } = create();
    const entry = await put();
    expect(await fields()).toEqual(['b', 'g', 'h']);
    await store.keepForm('k', entry, coding, bytes);
    expect(await fields()).toEqual([field, 'g', 'h'].toSorted());
    expect(await found()).toEqual({ ...entry, body: bytes, coding });
  });

  it('comes in the round trip of CHECK, and no other body comes with it', async () => {
    const { over, trips } = counting();
    const { store, put, found } = create({ over });
    await store.keepForm('k', await put(), 'gzip', GZIP);
    trips.length = 0;
    await found();
    expect(trips).toEqual([GZIP.length]);
  });

  it('keeps the time that the entry has left to live', async () => {
    const { store, put, name } = create();
    const entry = await put();
    await client.pexpire(name, 5000);
    await store.keepForm('k', entry, 'gzip', GZIP);
    const left = await client.pttl(name);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(5000);
  });

  it('of an entry that is coded already changes nothing: the first one stays', async () => {
    const { over, trips } = counting();
    const { store, put, found, fields } = create({ over });
    const entry = await put();
    await store.keepForm('k', entry, 'gzip', GZIP);
    await store.keepForm('k', entry, 'br', BR);
    const coded = await found();
    trips.length = 0;
    await store.keepForm('k', coded, 'br', BR);
    await store.keepForm('k', coded, 'identity', BODY);
    expect(trips).toEqual([]);
    expect(await fields()).toEqual(['g', 'gz', 'h']);
  });
});

describe('races between compressing and Redis', () => {
  it('REPLACED: the newer entry keeps its own body', async () => {
    const { clock, store, put, found } = create();
    const older = await put();
    clock.advance(1);
    const newer = await put({ body: Buffer.from('newer') });
    await store.keepForm('k', older, 'gzip', GZIP);
    expect(await found()).toEqual(newer);
  });

  it('REPLACED by one as of the same position under the same entity-tag: what differs is when it was computed', async () => {
    const { store, put, found } = create();
    const older = await put({ computeMs: 1.25 });
    const newer = await put({ computeMs: 1.5, body: Buffer.from('newer') });
    await store.keepForm('k', older, 'gzip', GZIP);
    expect(await found()).toEqual(newer);
  });

  it('REPLACED by one as of a later position, otherwise the same', async () => {
    const { store, put, found } = create();
    const older = await put();
    await store.invalidate(['student:1']);
    const newer = await put({ body: Buffer.from('newer') });
    await store.keepForm('k', older, 'gzip', GZIP);
    expect(await found()).toEqual(newer);
  });

  it('INVALIDATED: it stays invalidated', async () => {
    const { store, put } = create();
    const entry = await put();
    await store.invalidate(['student:1']);
    await store.keepForm('k', entry, 'gzip', GZIP);
    expect(await store.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'invalidated' });
  });

  it('EVICTED: nothing comes back', async () => {
    const { store, put, name } = create();
    const entry = await put();
    await client.unlink(name);
    await store.keepForm('k', entry, 'gzip', GZIP);
    expect(await client.exists(name)).toBe(0);
  });

  it('REPLACED after it was coded: the older coded body is gone with it', async () => {
    const { clock, store, put, found, fields } = create();
    await store.keepForm('k', await put(), 'gzip', GZIP);
    clock.advance(1);
    const newer = await put({ body: Buffer.from('newer') });
    expect(await fields()).toEqual(['b', 'g', 'h']);
    expect(await found()).toEqual(newer);
  });

  it('another key of the same entry, or a key of another type, is left as it is', async () => {
    const { store, put, name, namespace } = create();
    const entry = await put();
    await client.set(`{${namespace}}:e:1.1:odd`, 'text');
    await expect(store.keepForm('odd', entry, 'gzip', GZIP)).rejects.toThrow(/WRONGTYPE/);
    expect(await client.hexists(name, 'b')).toBe(1);
  });
});
