// The scripts on a real server, at their edges: thousands of tags, what is inherited, what happens between two commands.
import { once } from 'node:events';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Dependency } from '../../src/contract/entry.js';
import type { PipelineLike, RedisLike } from '../../src/contract/redis-like.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { ownNamespace, redisUrl } from '../support/isolation.js';

const client = new Redis(redisUrl(), { maxRetriesPerRequest: 1 });
await client.ping();
const clock = new FakeClock();
const stores: RedisStore[] = [];

afterAll(async () => {
  for (const store of stores) await store.close();
  const ended = once(client, 'end');
  client.disconnect();
  await ended;
});

function create({ namespace = ownNamespace(), over = client as RedisLike, maxTags = 100_000 } = {}) {
  const store = new RedisStore(over, { namespace, version: '1', maxTags }, clock);
  stores.push(store);
  return { namespace, store };
}

const tagsFrom = (from: number, count: number) => Array.from({ length: count }, (_, index) => `inner:${from + index}`);

describe('PUT', () => {
  it.each([[0], [999], [1000], [8999]])('compares every inherited tag, number %i of 9000 too', async (place) => {
    const { store } = create();
    const inner = await store.position();
    await store.invalidate([`inner:${place}`]);
    const entry = makeEntry(await store.position(), clock.now(), { tags: ['outer:1'] });
    const inherited: Dependency[] = [{ tags: tagsFrom(0, 9000), epoch: inner.epoch, asOf: inner.seq }];
    expect(await store.put('k', entry, inherited)).toBe('stale');
  });

  it('compares each inherited tag with its own age, whatever stands before it', async () => {
    const { store } = create();
    const early = await store.position();
    await store.invalidate(['inner:5']);
    const late = await store.position();
    const entry = makeEntry(await store.invalidate(['unrelated:1']), clock.now(), { tags: ['outer:1'] });
    const dependency = (tags: string[], { epoch, seq }: typeof early): Dependency => ({ tags, epoch, asOf: seq });
    // A thousand tags as of early, then one that was invalidated since, but read again after that.
    const filler = tagsFrom(1000, 1000);
    const kept = [dependency(filler, early), dependency(['inner:5'], late)];
    expect(await store.put('k', entry, kept)).toBe('stored');
    expect(await store.put('k', entry, [dependency(filler, late), dependency(['inner:5'], early)])).toBe('stale');
  });

  it('takes the age of the oldest inherited value for the floor', async () => {
    const { store } = create();
    const early = await store.position();
    const late = await store.invalidate(['*']);
    const entry = makeEntry(late, clock.now());
    const inherit = (asOf: number): Dependency => ({ tags: [], epoch: late.epoch, asOf });
    expect(await store.put('k', entry, [inherit(late.seq), inherit(early.seq)])).toBe('stale');
    expect(await store.put('k', entry, [inherit(late.seq)])).toBe('stored');
  });

  it('leaves the entry as old as it is', async () => {
    const { store } = create();
    const captured = await store.position();
    await store.invalidate(['unrelated:1']);
    expect(await store.put('k', makeEntry(captured, clock.now()))).toBe('stored');
    expect(await store.lookup('k')).toMatchObject({ entry: { asOf: captured.seq } });
  });

  it('refuses what was built from a value of another history', async () => {
    const { store } = create();
    const position = await store.position();
    const inherited: Dependency[] = [{ tags: ['inner:1'], epoch: 'another', asOf: position.seq + 1000 }];
    expect(await store.put('k', makeEntry(position, clock.now()), inherited)).toBe('epoch');
    expect((await store.lookup('k')).outcome).toBe('miss');
  });
});

describe('BUMP', () => {
  it('counts everything among other tags as everything', async () => {
    const { store } = create();
    await store.put('k', makeEntry(await store.position(), clock.now(), { tags: ['untouched:1'] }));
    await store.invalidate(['student:1', '*']);
    expect((await store.lookup('k')).outcome).toBe('miss');
  });

  it.each([[0], [499], [500], [5999]])('writes every tag, number %i of 6000 too', async (place) => {
    const { store } = create();
    await store.put('k', makeEntry(await store.position(), clock.now(), { tags: [`inner:${place}`] }));
    await store.put('other', makeEntry(await store.position(), clock.now(), { tags: ['untouched:1'] }));
    await store.invalidate(tagsFrom(0, 6000));
    expect((await store.lookup('k')).outcome).toBe('miss');
    expect((await store.lookup('other')).outcome).toBe('hit');
  });
});

describe('CHECK', () => {
  it('judges each of the entries asked about in one turn by its own key', async () => {
    const { store } = create();
    const position = await store.position();
    for (const key of ['a', 'b', 'c']) await store.put(key, makeEntry(position, clock.now()));
    await store.invalidate(['key:b']);
    const found = await Promise.all(['a', 'b', 'c', 'd'].map((key) => store.lookup(key)));
    expect(found.map((one) => (one.outcome === 'miss' ? one.reason : one.outcome))).toEqual([
      'hit',
      'invalidated',
      'hit',
      'absent',
    ]);
  });
});

describe('a table of another history', () => {
  it('is emptied, so that it does not grow with every restart', async () => {
    const { store, namespace } = create();
    await store.invalidate(tagsFrom(0, 50));
    await client.hset(`{${namespace}}:t`, '!inc', '0'.repeat(40));
    await store.position();
    expect(await client.hkeys(`{${namespace}}:t`)).toEqual(['!ep', '!inc', '!seq', '!floor', '!born']);
  });
});

describe('between the two commands of a look-up', () => {
  /** A client on which somebody else's command runs between CHECK and the reading of the fields. */
  const interrupted = (between: (pipeline: ReturnType<Redis['pipeline']>) => void): RedisLike => ({
    status: 'ready',
    options: {},
    call: (command, ...args) => client.call(command, ...args),
    duplicate: () => client.duplicate(),
    on: () => undefined,
    off: () => undefined,
    pipeline(): PipelineLike {
      const pipeline = client.pipeline();
      return {
        call(command, ...args) {
          pipeline.call(command, ...args);
          between(pipeline);
        },
        hmgetBuffer: (key, ...fields) => pipeline.hmgetBuffer(key, ...fields),
        async exec() {
          const replies = (await pipeline.exec()) ?? [];
          return [replies[0], replies.at(-1)].filter((reply) => reply !== undefined);
        },
      };
    },
  });

  it.each([
    ['evicted', (name: string) => (pipeline: ReturnType<Redis['pipeline']>) => void pipeline.unlink(name)],
    [
      'robbed of its body',
      (name: string) => (pipeline: ReturnType<Redis['pipeline']>) => void pipeline.hdel(name, 'b'),
    ],
    [
      'replaced by one of another history',
      (name: string) => (pipeline: ReturnType<Redis['pipeline']>) =>
        void pipeline.hset(name, 'g', 'another 0 student:1'),
    ],
  ])('an entry that is %s is a miss', async (_name, between) => {
    const { namespace, store } = create();
    await store.put('k', makeEntry(await store.position(), clock.now()));
    expect((await store.lookup('k')).outcome).toBe('hit');
    const { store: meeting } = create({ namespace, over: interrupted(between(`{${namespace}}:e:1.1:k`)) });
    expect(await meeting.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'absent' });
  });
});

describe('pushes', () => {
  it('of a table that has outgrown its bound name everything, so that memory is cold like Redis', async () => {
    const { store } = create({ maxTags: 20 });
    const pushed: (readonly string[])[] = [];
    let wake: () => void = () => undefined;
    store.listen({
      push: (_epoch, _seq, tags) => (pushed.push(tags), wake()),
      acknowledged: () => undefined,
      lost: () => undefined,
    });
    while (pushed.length === 0) {
      await store.invalidate(['probe:1']);
      await client.ping();
    }
    const woken = new Promise<void>((resolve) => {
      wake = () => pushed.at(-1)?.includes('probe:1') || resolve();
    });
    await store.invalidate(tagsFrom(0, 30));
    await woken;
    expect(pushed.at(-1)).toEqual(['*']);
  });

  it('end with close()', async () => {
    const { store, namespace } = create();
    const channel = `{${namespace}}:c`;
    const subscribers = async () => Number((await client.pubsub('NUMSUB', channel))[1]);
    store.listen({ push: () => undefined, acknowledged: () => undefined, lost: () => undefined });
    for (let turn = 0; turn < 1000 && (await subscribers()) === 0; turn += 1);
    expect(await subscribers()).toBe(1);
    await store.close();
    for (let turn = 0; turn < 1000 && (await subscribers()) > 0; turn += 1);
    expect(await subscribers()).toBe(0);
  });

  it('of one namespace do not reach another', async () => {
    const [one, two] = [create(), create()];
    const heard: Record<'one' | 'two', string[]> = { one: [], two: [] };
    let wake: () => void = () => undefined;
    const listen = (store: RedisStore, name: 'one' | 'two') =>
      store.listen({
        push: (_epoch, _seq, tags) => {
          heard[name].push(...tags);
          wake();
        },
        acknowledged: () => undefined,
        lost: () => undefined,
      });
    listen(one.store, 'one');
    listen(two.store, 'two');
    // Both subscriptions are in force once each has heard something of its own.
    while (heard.one.length === 0 || heard.two.length === 0) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await one.store.invalidate(['one:1']);
      await two.store.invalidate(['two:1']);
      await Promise.race([woken, client.ping()]);
    }
    await one.store.invalidate(['one:last']);
    await two.store.invalidate(['two:last']);
    while (!heard.one.includes('one:last') || !heard.two.includes('two:last')) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    expect(heard.one.filter((tag) => !tag.startsWith('one:'))).toEqual([]);
    expect(heard.two.filter((tag) => !tag.startsWith('two:'))).toEqual([]);
  });
});
