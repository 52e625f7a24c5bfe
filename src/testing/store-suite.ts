// The conformance suite of stores, for any test runner: what every store promises, sync or async.
import assert from 'node:assert/strict';
import type { Dependency, Entry, Position } from '../contract/entry.js';
import type { Store } from '../contract/store.js';
import { bytesIn } from '../entry/codings.js';

/** The two functions of the test runner that are used; jest, vitest and node:test have them. */
export interface Runner {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/** A fresh, empty store and the clock it reads. */
export interface StoreHarness {
  readonly store: Store;
  readonly clock: { now(): number; advance(ms: number): void };
  close(): Promise<void>;
}

/** An entry for tests; every field can be replaced. */
export function makeEntry(position: Position, now: number, overrides: Partial<Entry> = {}): Entry {
  return {
    body: Buffer.from('{"score":78}'),
    status: 200,
    headers: [['Content-Type', 'application/json; charset=utf-8']],
    etag: '"tag"',
    type: 'default',
    owner: 'u1',
    createdAt: now,
    staleAt: now + 60_000,
    deleteAt: now + 60_000,
    computeMs: 5,
    tags: ['student:1'],
    epoch: position.epoch,
    asOf: position.seq,
    ...overrides,
  };
}

const KEY = 'report:42:123:a1b2c3d4e5f6';

/** Defines the suite: call it inside the runner with a factory of fresh stores. */
export function storeSuite({ describe, it }: Runner, name: string, create: () => Promise<StoreHarness>): void {
  const scenario = (title: string, body: (harness: StoreHarness) => Promise<void>) => {
    it(title, async () => {
      const harness = await create();
      try {
        await body(harness);
      } finally {
        await harness.close();
      }
    });
  };
  const hitBody = async (store: Store, key: string): Promise<string | undefined> => {
    const found = await store.lookup(key);
    return found.outcome === 'hit' ? found.entry.body.toString('latin1') : undefined;
  };

  describe(`${name}: store conformance`, () => {
    scenario('a key that was never stored is absent, and the miss carries the position', async ({ store }) => {
      const found = await store.lookup(KEY);
      assert.equal(found.outcome, 'miss');
      assert(found.outcome === 'miss');
      assert.equal(found.reason, 'absent');
      assert.deepEqual(found.position, await store.position());
    });

    scenario('an entry comes back with every field and the same bytes', async ({ store, clock }) => {
      const body = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
      const entry = makeEntry(await store.position(), clock.now(), {
        body,
        status: 203,
        headers: [
          ['Content-Type', 'text/plain; charset=utf-8'],
          ['X-Note', ['one', 'two']],
        ],
        etag: 'W/"weak,with comma"',
        tags: ['student:1', 'student:*', 'type:default'],
        computeMs: 12.5,
        nextTtlMs: 90_000,
        cost: { inputTokens: 900, outputTokens: 600, models: ['small'], money: 0.000_495, currency: 'USD' },
      });
      assert.equal(await store.put(KEY, entry), 'stored');
      const found = await store.lookup(KEY);
      assert(found.outcome === 'hit');
      assert.deepEqual({ ...found.entry, body: undefined }, { ...entry, body: undefined });
      assert(found.entry.body.equals(body));
    });

    scenario('an empty body is a hit, not a miss', async ({ store, clock }) => {
      await store.put(KEY, makeEntry(await store.position(), clock.now(), { body: Buffer.alloc(0) }));
      assert.equal(await hitBody(store, KEY), '');
    });

    scenario('a body of a megabyte comes back whole', async ({ store, clock }) => {
      const body = Buffer.alloc(1024 * 1024, 'x');
      await store.put(KEY, makeEntry(await store.position(), clock.now(), { body }));
      const found = await store.lookup(KEY);
      assert(found.outcome === 'hit' && found.entry.body.equals(body));
    });

    scenario('a second put replaces the first', async ({ store, clock }) => {
      const position = await store.position();
      await store.put(KEY, makeEntry(position, clock.now(), { body: Buffer.from('old') }));
      await store.put(KEY, makeEntry(position, clock.now(), { body: Buffer.from('new') }));
      assert.equal(await hitBody(store, KEY), 'new');
    });

    scenario('entries of different keys do not touch', async ({ store, clock }) => {
      const position = await store.position();
      await store.put(KEY, makeEntry(position, clock.now(), { body: Buffer.from('one') }));
      await store.put(`${KEY}x`, makeEntry(position, clock.now(), { body: Buffer.from('two') }));
      assert.equal(await hitBody(store, KEY), 'one');
      assert.equal(await hitBody(store, `${KEY}x`), 'two');
    });

    scenario('another form of a body comes with its entry, which is otherwise as it was', async ({ store, clock }) => {
      const position = await store.position();
      const entry = makeEntry(position, clock.now(), { body: Buffer.from('plain, and longer than coded') });
      await store.put(KEY, entry);
      await store.keepForm(KEY, entry, 'gzip', Buffer.from('coded'));
      const found = await store.lookup(KEY);
      assert(found.outcome === 'hit');
      assert.equal(bytesIn(found.entry, 'gzip')?.toString(), 'coded');
      const bare = { body: undefined, coding: undefined, forms: undefined };
      assert.deepEqual({ ...found.entry, ...bare }, { ...entry, ...bare });
      await store.invalidate(['student:1']);
      assert.equal((await store.lookup(KEY)).outcome, 'miss');
    });

    scenario('a form of an entry that was replaced is not kept', async ({ store, clock }) => {
      const position = await store.position();
      const older = makeEntry(position, clock.now());
      await store.put(KEY, older);
      await store.put(KEY, makeEntry(position, clock.now() + 1, { body: Buffer.from('newer') }));
      await store.keepForm(KEY, older, 'gzip', Buffer.from('older, coded'));
      const found = await store.lookup(KEY);
      assert(found.outcome === 'hit');
      assert.equal(bytesIn(found.entry, 'identity')?.toString(), 'newer');
      assert.equal(bytesIn(found.entry, 'gzip'), undefined);
    });

    scenario('a put leaves no form of the entry that it replaces', async ({ store, clock }) => {
      const position = await store.position();
      const older = makeEntry(position, clock.now());
      await store.put(KEY, older);
      await store.keepForm(KEY, older, 'gzip', Buffer.from('older, coded'));
      await store.put(KEY, makeEntry(position, clock.now(), { body: Buffer.from('newer') }));
      const found = await store.lookup(KEY);
      assert(found.outcome === 'hit');
      assert.equal(bytesIn(found.entry, 'identity')?.toString(), 'newer');
      assert.equal(bytesIn(found.entry, 'gzip'), undefined);
    });

    scenario('a form of an entry that is gone brings nothing back', async ({ store, clock }) => {
      const entry = makeEntry(await store.position(), clock.now());
      await store.keepForm(KEY, entry, 'gzip', Buffer.from('coded'));
      assert.equal(await hitBody(store, KEY), undefined);
      await store.put(KEY, entry);
      await store.invalidate(['student:1']);
      await store.keepForm(KEY, entry, 'gzip', Buffer.from('coded'));
      assert.equal(await hitBody(store, KEY), undefined);
    });

    scenario('an entry past its ttl comes back until deleteAt and not at it', async ({ store, clock }) => {
      await store.put(
        KEY,
        makeEntry(await store.position(), clock.now(), { staleAt: clock.now() + 500, deleteAt: clock.now() + 1000 }),
      );
      clock.advance(999);
      assert.notEqual(await hitBody(store, KEY), undefined);
      clock.advance(1);
      assert.equal(await hitBody(store, KEY), undefined);
    });

    scenario('an entry that is already over is declined', async ({ store, clock }) => {
      const now = clock.now();
      const entry = makeEntry(await store.position(), now, { staleAt: now, deleteAt: now });
      assert.equal(await store.put(KEY, entry), 'declined');
    });

    scenario('invalidating a tag takes exactly the entries that carry it', async ({ store, clock }) => {
      const position = await store.position();
      await store.put('a', makeEntry(position, clock.now(), { tags: ['student:1', 'class:9'] }));
      await store.put('b', makeEntry(position, clock.now(), { tags: ['student:10', 'class:9'] }));
      await store.invalidate(['student:1']);
      assert.equal(await hitBody(store, 'a'), undefined);
      assert.notEqual(await hitBody(store, 'b'), undefined);
      await store.invalidate(['class:9']);
      assert.equal(await hitBody(store, 'b'), undefined);
    });

    scenario('an invalidation moves the position on, and the same one again does no harm', async ({ store }) => {
      const before = await store.position();
      const once = await store.invalidate(['student:1']);
      const twice = await store.invalidate(['student:1']);
      assert(once.seq > before.seq && twice.seq > once.seq);
      const { epoch, seq } = await store.position();
      assert.deepEqual({ epoch, seq }, { epoch: twice.epoch, seq: twice.seq });
    });

    scenario(
      'RACE load against invalidate: what was read before an invalidation is not stored after it',
      async ({ store, clock }) => {
        const captured = (await store.lookup(KEY)) as { position: Position };
        await store.invalidate(['student:1']);
        assert.equal(await store.put(KEY, makeEntry(captured.position, clock.now())), 'stale');
        assert.equal(await hitBody(store, KEY), undefined);
      },
    );

    scenario('an unrelated invalidation during a load does not refuse it', async ({ store, clock }) => {
      const { position } = (await store.lookup(KEY)) as { position: Position };
      await store.invalidate(['student:2']);
      assert.equal(await store.put(KEY, makeEntry(position, clock.now())), 'stored');
      assert.notEqual(await hitBody(store, KEY), undefined);
    });

    scenario(
      'RACE load against delete: a deleted key does not come back from a load that began before',
      async ({ store, clock }) => {
        const { position } = (await store.lookup(KEY)) as { position: Position };
        await store.put(KEY, makeEntry(position, clock.now()));
        await store.invalidate([`key:${KEY}`]);
        assert.equal(await hitBody(store, KEY), undefined);
        assert.equal(await store.put(KEY, makeEntry(position, clock.now())), 'stale');
        assert.equal(await store.put('other', makeEntry(position, clock.now())), 'stored');
      },
    );

    scenario('the tag * invalidates everything read before it and nothing read after', async ({ store, clock }) => {
      const before = await store.position();
      await store.put('a', makeEntry(before, clock.now()));
      const after = await store.invalidate(['*']);
      assert.equal(await hitBody(store, 'a'), undefined);
      assert.equal(await store.put('a', makeEntry(before, clock.now())), 'stale');
      assert.equal(await store.put('a', makeEntry(after, clock.now())), 'stored');
      assert.notEqual(await hitBody(store, 'a'), undefined);
    });

    scenario('an entry of another epoch is refused', async ({ store, clock }) => {
      const { seq } = await store.position();
      assert.equal(await store.put(KEY, makeEntry({ epoch: 'another', seq: seq + 1000 }, clock.now())), 'epoch');
      assert.equal(await hitBody(store, KEY), undefined);
    });

    scenario(
      'a report built from a cached one is refused if that one has been invalidated',
      async ({ store, clock }) => {
        const inner = await store.position();
        await store.invalidate(['inner:1']);
        const outer = await store.position();
        const inherited: Dependency[] = [{ tags: ['inner:1'], epoch: inner.epoch, asOf: inner.seq }];
        const entry = makeEntry(outer, clock.now(), { tags: ['outer:1', 'inner:1'] });
        assert.equal(await store.put(KEY, entry, inherited), 'stale');
        assert.equal(await store.put(KEY, entry), 'stored');
      },
    );

    scenario(
      'a report built from a cached one is stored while that one holds, and goes with it',
      async ({ store, clock }) => {
        const inner = await store.position();
        await store.invalidate(['outer:1']);
        const outer = await store.position();
        const inherited: Dependency[] = [{ tags: ['inner:1'], epoch: inner.epoch, asOf: inner.seq }];
        const entry = makeEntry(outer, clock.now(), { tags: ['outer:1', 'inner:1'] });
        assert.equal(await store.put(KEY, entry, inherited), 'stored');
        assert.notEqual(await hitBody(store, KEY), undefined);
        await store.invalidate(['inner:1']);
        assert.equal(await hitBody(store, KEY), undefined);
      },
    );

    scenario(
      'a report built from a cached one is refused if everything was invalidated in between',
      async ({ store, clock }) => {
        const inner = await store.position();
        const outer = await store.invalidate(['*']);
        const inherited: Dependency[] = [{ tags: ['inner:1'], epoch: inner.epoch, asOf: inner.seq }];
        assert.equal(await store.put(KEY, makeEntry(outer, clock.now(), { tags: ['inner:1'] }), inherited), 'stale');
      },
    );

    scenario('two hundred tags on an entry and five thousand in one invalidation', async ({ store, clock }) => {
      const tags = Array.from({ length: 200 }, (_, index) => `student:${index}`);
      await store.put(KEY, makeEntry(await store.position(), clock.now(), { tags }));
      await store.invalidate(Array.from({ length: 5000 }, (_, index) => `other:${index}`));
      assert.notEqual(await hitBody(store, KEY), undefined);
      await store.invalidate([...Array.from({ length: 4999 }, (_, index) => `other:${index}`), 'student:199']);
      assert.equal(await hitBody(store, KEY), undefined);
    });

    scenario('eviction may lose entries and never brings any back', async ({ store, clock }) => {
      await store.put(KEY, makeEntry(await store.position(), clock.now(), { body: Buffer.from('old') }));
      store.evict();
      await store.invalidate(['student:1']);
      assert.equal(await hitBody(store, KEY), undefined);
    });

    scenario(
      'RACE many loads against many invalidations: no answer is older than an acknowledged write',
      async ({ store, clock }) => {
        let version = 0;
        let acknowledged = 0;
        const writer = async () => {
          for (let turn = 0; turn < 60; turn += 1) {
            version += 1;
            const mine = version;
            await store.invalidate(['student:1']);
            acknowledged = Math.max(acknowledged, mine);
          }
        };
        const reader = async () => {
          for (let turn = 0; turn < 120; turn += 1) {
            const floor = acknowledged;
            const found = await store.lookup(KEY);
            if (found.outcome === 'hit') {
              assert(Number(found.entry.body.toString()) >= floor, 'served an answer older than an acknowledged write');
            } else if (found.outcome === 'miss') {
              const read = version;
              await Promise.resolve();
              await store.put(KEY, makeEntry(found.position, clock.now(), { body: Buffer.from(String(read)) }));
            }
          }
        };
        await Promise.all([writer(), reader(), reader(), reader()]);
        assert.equal(acknowledged, 60);
      },
    );
  });
}
