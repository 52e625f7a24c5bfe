// Redis Cluster: one namespace is one slot of one shard; slots that move and nodes that die make it cold, never stale.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import type { ReportCacheOptions } from '../../src/index.js';
import { ask, until } from '../support/redis-ask.mjs';
import { startRedisCluster } from '../support/redis-cluster.mjs';
import { ownNamespace } from '../support/isolation.js';
import { Fleet, type Client } from './support/fleet.js';

type RedisCluster = Awaited<ReturnType<typeof startRedisCluster>>;

interface HostOptions {
  keyPrefix?: string;
  enableAutoPipelining?: true;
  lazyConnect?: true;
  scaleReads?: 'slave';
}

const SLOW_MS = 60_000;
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Two caches over one namespace. */
async function fleetOn(
  { nodes }: RedisCluster,
  options: HostOptions = {},
  cache: Partial<ReportCacheOptions> = {},
  namespace = ownNamespace(),
) {
  const fleet = new Fleet(namespace, cache);
  closing.push(() => fleet.close());
  for (let member = 0; member < 2; member += 1)
    fleet.join(new Cluster(nodes, { clusterRetryStrategy: () => 50, ...options }) as unknown as Client);
  await fleet.warm();
  // While a cluster is being discovered, look-ups fail.
  for (const { events } of fleet.members) events.length = 0;
  const [reader, writer] = [fleet.members[0]!, fleet.members[1]!];
  return { fleet, reader, writer, table: `${options.keyPrefix ?? ''}{${namespace}}:t` };
}

describe('three masters', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  }, SLOW_MS);
  afterAll(() => cluster.stop());

  const other = (port: number) => cluster.masters.find((master) => master !== port)!;
  const epochOf = async (table: string) => {
    const port = await cluster.ownerOf(await cluster.slotOf(table));
    return ask(port, 'HGET', table, '!ep');
  };

  it.each<[string, HostOptions]>([
    ['as it is', {}],
    ['with a keyPrefix', { keyPrefix: 'host:' }],
    ['with automatic pipelining', { enableAutoPipelining: true }],
    ['that connects lazily', { lazyConnect: true }],
  ])('a client %s: hits, and one process hears what the other writes', async (_name, options) => {
    const { fleet, reader, writer } = await fleetOn(cluster, options);
    for (let round = 0; round < 5; round += 1) {
      expect(await fleet.read(reader)).toBe('memory');
      await fleet.write(writer);
      expect(await fleet.read(reader)).not.toBe('memory');
      await fleet.warm();
    }
    reader.reports.evict();
    expect(await fleet.read(reader)).toBe('redis');
    expect(fleet).toMatchObject({ stale: 0, errors: [] });
    expect(reader.events.filter(({ kind }) => kind === 'layerFailed')).toEqual([]);
  });

  it('pushes reach a process that is subscribed at another node', async () => {
    const { fleet, reader, writer, table } = await fleetOn(cluster);
    const channel = table.replace(/:t$/, ':c');
    const owner = await cluster.ownerOf(await cluster.slotOf(table));
    const subscribers = async () =>
      Promise.all(
        cluster.masters.map(async (port) => ((await ask(port, 'PUBSUB', 'NUMSUB', channel)) as [string, number])[1]),
      );
    // ioredis chooses a node by chance; who is cut off chooses again.
    await until(async () => {
      const counts = await subscribers();
      if (counts.reduce((sum, count) => sum + count, 0) < 2) return false;
      if (counts[cluster.masters.indexOf(owner)] === 0) return true;
      await ask(owner, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
      return false;
    });
    const gaps = () => reader.events.filter(({ kind }) => kind === 'distrust').length;
    await fleet.warm();
    const before = gaps();
    await fleet.write(writer);
    // A push that had to be missed would be noticed as a gap by whoever asks.
    await fleet.read(reader);
    await fleet.warm();
    expect(gaps()).toBe(before);
    expect(fleet.stale).toBe(0);
  });

  it('a writer waits until a process that serves without asking has acknowledged, wherever either is connected', async () => {
    const barrier = { lease: '500ms', types: { custom: { consistency: 'barrier' } } } as const;
    // With a prefix too, which ioredis puts in front of keys and not of channels.
    const { fleet, reader, writer } = await fleetOn(
      cluster,
      { keyPrefix: 'host:' },
      { ...barrier, redisDeadline: '40s' },
    );
    for (let round = 0; round < 20; round += 1) {
      expect(await fleet.read(reader)).toBe('memory');
      await fleet.write(writer);
      expect(await fleet.read(reader)).not.toBe('memory');
      await fleet.warm();
    }
    expect(fleet).toMatchObject({ stale: 0, errors: [] });
    expect(writer.events.map(({ kind }) => kind)).not.toContain('leaseAwaited');
  });

  it('a namespace costs one shard; several spread over the masters', async () => {
    const owners = new Set<number>();
    for (let index = 0; index < 60; index += 1) {
      const namespace = `${ownNamespace()}-${index}`;
      const names = [`{${namespace}}:t`, `{${namespace}}:x`, `{${namespace}}:e:1.1:k`, `{${namespace}}:c`];
      const slots = new Set(await Promise.all(names.map((name) => cluster.slotOf(name))));
      expect(slots.size).toBe(1);
      owners.add(await cluster.ownerOf([...slots][0]!));
      if (owners.size === cluster.masters.length) break;
    }
    expect(owners).toEqual(new Set(cluster.masters));
  });

  it(
    'FAULT 39 the slot moves under traffic: bypass meanwhile, then cold on the new shard, never stale',
    async () => {
      const { fleet, table } = await fleetOn(cluster);
      const epochs = [await epochOf(table)];
      const slot = await cluster.slotOf(table);
      const traffic = fleet.traffic();
      for (let round = 0; round < 4; round += 1) {
        const move = await cluster.beginMove(slot, other(await cluster.ownerOf(slot)));
        // Half moved: scripts are told TRYAGAIN, or asked to go over.
        await move.migrateKey(table);
        const reads = fleet.reads;
        await until(async () => fleet.reads > reads + 20);
        await move.finish();
        await until(async () => {
          const epoch = await epochOf(table);
          if (epoch === null || epochs.includes(epoch)) return false;
          epochs.push(epoch);
          return true;
        });
      }
      await traffic.stop();
      await fleet.warm();
      expect(fleet).toMatchObject({ stale: 0, errors: [] });
      expect(new Set(epochs).size).toBe(5);
      expect(fleet.members[0]!.events).toContainEqual({ kind: 'distrust', reason: 'epoch' });
    },
    SLOW_MS,
  );

  it(
    'FAULT 39 between the steps of a move: neither side serves what was invalidated at the other',
    async () => {
      const { fleet, reader, writer, table } = await fleetOn(cluster);
      const slot = await cluster.slotOf(table);
      const home = await cluster.ownerOf(slot);
      const move = await cluster.beginMove(slot, other(home));
      // The table is still here, an entry is already there.
      const [entry] = ((await ask(home, 'CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[]).filter((key) =>
        key.includes(':e:'),
      );
      await move.migrateKey(entry!);
      // A key that is missing may be on either side: scripts are refused, and the writer is held until it has arrived.
      const writing = fleet.write(writer);
      reader.reports.evict();
      expect(await fleet.read(reader)).not.toMatch(/memory|redis/);
      // Now the table follows.
      await move.migrateKey(table);
      reader.reports.evict();
      expect(await fleet.read(reader)).not.toMatch(/memory|redis/);
      expect(writer.events.map(({ kind }) => kind)).not.toContain('invalidate');
      await move.finish();
      await writing;
      await fleet.read(reader);
      await fleet.warm();
      expect(fleet).toMatchObject({ stale: 0, errors: [] });
    },
    SLOW_MS,
  );
});

describe('a master that dies', () => {
  it(
    'FAULT 17 with a replica: the replica takes over, cold, never stale',
    async () => {
      const cluster = await startRedisCluster({ replicasEach: 1 });
      closing.push(() => cluster.stop());
      const { fleet, table } = await fleetOn(cluster);
      const slot = await cluster.slotOf(table);
      const home = await cluster.ownerOf(slot);
      const epoch = await ask(home, 'HGET', table, '!ep');
      const traffic = fleet.traffic();
      await cluster.kill(home);
      await until(async () => (await cluster.ownerOf(slot)) !== home);
      await until(async () => (await ask(await cluster.ownerOf(slot), 'HGET', table, '!ep')) !== epoch);
      await traffic.stop();
      await fleet.warm();
      expect(fleet).toMatchObject({ stale: 0, errors: [] });
    },
    SLOW_MS,
  );

  it(
    'FAULT 15 without a replica: reports are computed, the writer is held; back and empty, it is cold',
    async () => {
      const cluster = await startRedisCluster();
      closing.push(() => cluster.stop());
      const { fleet, reader, writer, table } = await fleetOn(cluster);
      const home = await cluster.ownerOf(await cluster.slotOf(table));
      await cluster.kill(home);
      expect(await fleet.read(reader)).toBe('unavailable');
      const writing = fleet.write(writer);
      expect(await fleet.read(writer)).toBe('unavailable');
      expect(writer.events).toContainEqual(expect.objectContaining({ kind: 'layerFailed', operation: 'position' }));
      await cluster.restart(home);
      await writing;
      expect(writer.events).toContainEqual(expect.objectContaining({ kind: 'invalidate', tags: ['student:1'] }));
      await fleet.warm();
      expect(fleet).toMatchObject({ stale: 0, errors: [] });
    },
    SLOW_MS,
  );
});
