// Redis users who may do little: the commands that the cache needs, and what it does where INFO is refused.
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { systemClock } from '../../src/contract/clock.js';
import type { CacheEvent } from '../../src/contract/events.js';
import { NEEDED_COMMANDS } from '../../src/stores/redis/needed-commands.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { makeEntry } from '../../src/testing/store-suite.js';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';
import { Fleet } from './support/fleet.js';

/** What the README tells to grant, with the keys `{namespace}:*` and the channels `{namespace}:*`. */
const { reports, budgets } = NEEDED_COMMANDS;
/** Statistics ask for it, and no store. */
const NEEDED = Object.keys(reports).filter((command) => command !== 'hgetall' && command !== 'ping');
const ALL = [...NEEDED, ...Object.keys(budgets)];
const ROOMY = { maxBytes: 1e9, maxBytesPerOwner: 1e9 };
/** Everything goes at once. */
const NONE = { maxBytes: 1, maxBytesPerOwner: 1 };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const optionsOf = (user: string) => ({
  username: user,
  password: 'pw',
  retryStrategy: () => 20,
  maxRetriesPerRequest: null,
  // It is done with INFO, and where that is refused ioredis prints so and goes on.
  enableReadyCheck: false,
});

async function connect(redis: PrivateRedis, user?: string): Promise<Redis> {
  const client = user === undefined ? new Redis(redis.url) : new Redis(redis.url, optionsOf(user));
  client.on('error', () => undefined);
  closing.push(async () => {
    // While it waits to connect again it ends without saying so.
    const ended = client.status === 'ready' ? once(client, 'end') : undefined;
    client.disconnect();
    await ended;
  });
  await client.ping();
  return client;
}

/** Unlike once(), which gives up at the first attempt that fails. */
const backAgain = (client: Redis) => new Promise<void>((resolve) => client.once('ready', resolve));

const grant = (admin: Redis, user: string, ...rules: string[]) =>
  admin.call('ACL', 'SETUSER', user, 'reset', 'on', '>pw', '~{n}:*', '&{n}:*', '+ping', ...rules);

/** Everything that the cache ever asks of Redis, as `user`. */
async function everything(redis: PrivateRedis, user: string) {
  const client = await connect(redis, user);
  const storeWith = (limits: typeof ROOMY) =>
    new RedisStore(client, { namespace: 'n', version: '1', maxTags: 1000, limits }, systemClock);
  const store = storeWith(ROOMY);
  const from = await store.position();
  await store.position(100);
  const entry = makeEntry(from, systemClock.now());
  await store.put('k', entry);
  await store.keepForm('k', entry, 'gzip', Buffer.from('coded'));
  const hit = await store.lookup('k');
  await storeWith(NONE).put('other', makeEntry(from, systemClock.now(), { owner: 'u2' }));
  await store.claim('k', 'token', 1000);
  await store.endClaim('k', 'token', 1000);
  await store.mark(['student:1'], 'm1', 1000);
  await store.unmark('m1');
  await store.mark(['student:1'], 'm2', 0);
  await store.mark(['student:1'], 'm3', 0);
  await store.put('k', makeEntry(await store.position(), systemClock.now()));
  await store.invalidate(['student:1'], { lsn: '1' });
  await store.invalidate(['*']);
  const { position, now } = await store.history.observe();
  await store.history.keepAlive(position, now, 1000);
  await store.history.prune(position);
  await store.history.adopt(position.epoch, 'next', 2);
  store.acknowledge('somebody', 'e', 1);
  await client.ping();
  return hit.outcome;
}

describe('a user with little permission', () => {
  let redis: PrivateRedis;
  let admin: Redis;
  beforeAll(async () => {
    redis = await startPrivateRedis();
    admin = new Redis(redis.url);
  });
  afterAll(async () => {
    const ended = once(admin, 'end');
    admin.disconnect();
    await ended;
    await redis.stop();
  });

  const denied = async () =>
    ((await admin.call('ACL', 'LOG')) as unknown[][]).map((line) => String(line[line.indexOf('object') + 1]));
  const reset = async () => {
    await admin.flushall();
    await admin.call('SCRIPT', 'FLUSH');
    await admin.call('ACL', 'LOG', 'RESET');
  };

  it('needs these commands and no other', async () => {
    await reset();
    await grant(admin, 'app', ...ALL.map((command) => `+${command}`));
    expect(await everything(redis, 'app')).toBe('hit');
    const fleet = new Fleet('n');
    closing.push(() => fleet.close());
    for (const _ of [1, 2]) fleet.join(new Redis(redis.url, { username: 'app', password: 'pw' }));
    await fleet.warm();
    await fleet.write(fleet.members[1]!);
    await fleet.warm();
    expect(fleet).toMatchObject({ stale: 0, errors: [] });
    expect(await denied()).toEqual([]);
  });

  it.each(ALL.filter((command) => command !== 'info' && command !== 'subscribe'))('needs %s', async (missing) => {
    await reset();
    await grant(admin, 'app', ...ALL.filter((one) => one !== missing).map((command) => `+${command}`));
    await everything(redis, 'app').catch(() => undefined);
    expect(await denied()).toContain(missing);
  });

  it('without what the budgets need everything else works, and it is said once', async () => {
    await reset();
    await grant(admin, 'app', ...NEEDED.map((command) => `+${command}`));
    const client = await connect(redis, 'app');
    const events: CacheEvent[] = [];
    const options = { namespace: 'n', version: '1', maxTags: 1000, limits: ROOMY };
    const store = new RedisStore(client, options, systemClock, (event) => events.push(event));
    for (const key of ['k1', 'k2', 'k3']) {
      expect(await store.put(key, makeEntry(await store.position(), systemClock.now()))).toBe('stored');
      // Once for the hash of the script, once for its text.
      await client.ping();
      await client.ping();
      expect(await store.lookup(key)).toMatchObject({ outcome: 'hit' });
    }
    expect(events).toEqual([expect.objectContaining({ kind: 'advice', code: 'redis-budget' })]);
  });
});

describe('a user who may not run INFO', () => {
  async function restricted(args: readonly string[] = []) {
    const acl = ['--user', 'app', 'on', '>pw', '~*', '&*', '+@all', '-info'];
    const redis = await startPrivateRedis([...args, ...acl]);
    closing.push(() => redis.stop());
    return redis;
  }

  async function storeOn(redis: PrivateRedis) {
    const client = await connect(redis, 'app');
    const events: CacheEvent[] = [];
    const emit = (event: CacheEvent) => void events.push(event);
    const store = new RedisStore(client, { namespace: 'n', version: '1', maxTags: 1000 }, systemClock, emit);
    return { client, events, store };
  }

  const fill = async (store: RedisStore) =>
    expect(await store.put('k', makeEntry(await store.position(), systemClock.now()))).toBe('stored');

  /** A server with an entry in its snapshot that was invalidated after it, and a store that knows of both. */
  async function withOldSnapshot() {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    closing.push(() => rm(folder, { recursive: true }));
    const redis = await restricted(['--dir', folder]);
    const { client, store } = await storeOn(redis);
    await fill(store);
    await (await connect(redis)).save();
    await store.invalidate(['student:1']);
    return { redis, client, store };
  }

  it('is served all the same, and advised once', async () => {
    const redis = await restricted();
    const fleet = new Fleet('n');
    closing.push(() => fleet.close());
    for (const _ of [1, 2]) fleet.join(new Redis(redis.url, optionsOf('app')));
    await fleet.warm();
    for (let round = 0; round < 5; round += 1) {
      await fleet.write(fleet.members[1]!);
      await fleet.warm();
    }
    expect(fleet).toMatchObject({ stale: 0, errors: [] });
    for (const { events } of fleet.members) {
      const advice = events.filter(({ kind }) => kind === 'advice');
      expect(advice).toEqual([expect.objectContaining({ code: 'redis-info' })]);
    }
  });

  it('everything is cold once whenever a process connects, and then no more', async () => {
    const redis = await restricted();
    const { client, store } = await storeOn(redis);
    await fill(store);
    const { epoch } = await store.position();
    expect((await store.lookup('k')).outcome).toBe('hit');
    const ready = backAgain(client);
    await (await connect(redis)).call('CLIENT', 'KILL', 'USER', 'app');
    await ready;
    // Many at once begin one history together.
    const found = await Promise.all([store.lookup('k'), store.lookup('l'), store.position()]);
    expect(found[0]).toMatchObject({ outcome: 'miss', reason: 'epoch' });
    expect(found[2].epoch).not.toBe(epoch);
    expect(await store.position()).toEqual(found[2]);
    const newcomer = await storeOn(redis);
    await fill(store);
    expect((await newcomer.store.lookup('k')).outcome).toBe('miss');
    await fill(store);
    expect((await newcomer.store.lookup('k')).outcome).toBe('hit');
  });

  it('shares entries with a process that may', async () => {
    const redis = await restricted();
    const may = new RedisStore(await connect(redis), { namespace: 'n', version: '1', maxTags: 1000 }, systemClock);
    const { store: mayNot } = await storeOn(redis);
    for (const [one, other] of [
      [mayNot, may],
      [may, mayNot],
    ] as const) {
      await one.position();
      await other.position();
      await fill(one);
      const position = await other.position();
      expect(await other.lookup('k')).toMatchObject({ outcome: 'hit', position });
      await one.invalidate(['student:1']);
      expect(await other.lookup('k')).toMatchObject({ outcome: 'miss', reason: 'invalidated' });
      expect((await one.position()).epoch).toBe(position.epoch);
    }
  });

  it('FAULT 16 restarted from a snapshot of before an invalidation: cold', async () => {
    const { redis, client, store } = await withOldSnapshot();
    const ready = backAgain(client);
    await redis.kill();
    await redis.restart();
    await ready;
    expect(await (await connect(redis)).exists('{n}:t', '{n}:e:1.1:k')).toBe(2);
    expect((await store.lookup('k')).outcome).toBe('miss');
    expect((await (await storeOn(redis)).store.lookup('k')).outcome).toBe('miss');
  });

  it('FAULT 16 what was asked before the restart and is answered after it is not believed', async () => {
    const { redis, client, store } = await withOldSnapshot();
    await (await connect(redis)).call('CLIENT', 'PAUSE', 60_000, 'ALL');
    const asked = [store.position(), store.lookup('k')].map((answer) => answer.then(() => 'believed', String));
    // The look-up waits for the end of the turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const ready = backAgain(client);
    await redis.kill();
    await redis.restart();
    await ready;
    for (const answer of asked) expect(await answer).toMatch(/reconnected|aborted/);
  });
});
