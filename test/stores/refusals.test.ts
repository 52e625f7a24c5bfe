// A Redis that answers with a refusal: readers get their report computed, writers are in force as soon as it takes them.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startPrivateRedis, type PrivateRedis } from '../support/private-redis.js';
import { ask, until } from '../support/redis-ask.mjs';
import { Fleet, type Member } from './support/fleet.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function server(args: readonly string[] = []): Promise<PrivateRedis> {
  const redis = await startPrivateRedis(args);
  closing.push(() => redis.stop());
  return redis;
}

/** Two caches; they may be on different servers. */
async function fleetOn(ports: readonly number[], options: { enableReadyCheck?: false } = {}) {
  const fleet = new Fleet('n', { redisDeadline: '5s' });
  closing.push(() => fleet.close());
  for (const port of ports) fleet.join(new Redis(port, '127.0.0.1', { retryStrategy: () => 20, ...options }));
  const [reader, writer] = [fleet.members[0]!, fleet.members[1]!];
  return { fleet, reader, writer };
}

const failures = ({ events }: Member, kind: 'layerFailed' | 'invalidateFailed') =>
  events.flatMap((event) => (event.kind === kind ? [event.error] : []));

/** While Redis answers with `refusal`: a reader computes, a writer is held and tried again. Then both are served. */
async function assertBridged(
  fleet: Fleet,
  reader: Member,
  writer: Member,
  refusal: RegExp,
  relent: () => Promise<unknown>,
) {
  expect(await fleet.read(reader)).toBe('unavailable');
  expect(failures(reader, 'layerFailed').at(-1)).toMatch(refusal);
  const writing = fleet.write(writer);
  await until(async () => failures(writer, 'invalidateFailed').length > 1);
  for (const error of failures(writer, 'invalidateFailed')) expect(error).toMatch(refusal);
  expect(await fleet.read(writer)).toBe('unavailable');
  await relent();
  await writing;
  await fleet.read(reader);
  await fleet.warm();
  expect(fleet).toMatchObject({ stale: 0, errors: [] });
}

describe('a refusal', () => {
  it('READONLY: connected to a replica, which has the table and the entries but may lag behind', async () => {
    const [master, replica] = [await server(['--repl-diskless-sync-delay', '0']), await server()];
    const { fleet: filling } = await fleetOn([master.port, master.port]);
    await filling.warm();
    await ask(replica.port, 'REPLICAOF', '127.0.0.1', master.port);
    await until(async () => String(await ask(replica.port, 'INFO', 'replication')).includes('link_status:up'));
    await filling.warm();
    await ask(master.port, 'WAIT', 1, 10_000);
    expect(await ask(replica.port, 'EXISTS', '{n}:t')).toBe(1);
    const { fleet, reader, writer } = await fleetOn([replica.port, replica.port]);
    await until(async () => [reader, writer].every(({ client }) => client.status === 'ready'));
    await assertBridged(fleet, reader, writer, /READONLY/, () => ask(replica.port, 'REPLICAOF', 'NO', 'ONE'));
  });

  it('NOREPLICAS: too few replicas to write; hits are not served either, since no invalidation could reach them', async () => {
    const redis = await server();
    const { fleet, reader, writer } = await fleetOn([redis.port, redis.port]);
    await fleet.warm();
    const need = (replicas: number) => ask(redis.port, 'CONFIG', 'SET', 'min-replicas-to-write', replicas);
    await need(1);
    await assertBridged(fleet, reader, writer, /NOREPLICAS/, () => need(0));
  });

  it('LOADING: a server that reads its snapshot', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    closing.push(() => rm(folder, { recursive: true }));
    const slow = ['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024'];
    const redis = await server(['--dir', folder, ...slow]);
    // With its check ioredis would not be ready before the server is.
    const { fleet, reader, writer } = await fleetOn([redis.port, redis.port], { enableReadyCheck: false });
    await fleet.warm();
    const incompressible = () => randomBytes(2000).toString('hex');
    const filler = Array.from({ length: 200 }, (_, key) => [`key-${key}`, incompressible()]);
    await ask(redis.port, 'MSET', ...filler.flat());
    await ask(redis.port, 'SAVE');
    await redis.kill();
    const loaded = redis.restart();
    await until(async () => {
      expect(await fleet.read(reader)).toBe('unavailable');
      return failures(reader, 'layerFailed').at(-1)?.includes('LOADING') === true && writer.client.status === 'ready';
    });
    await assertBridged(fleet, reader, writer, /LOADING/, () => loaded);
  });

  it('OOM: a full server that evicts nothing takes invalidations, and no entries', async () => {
    const redis = await server(['--maxmemory-policy', 'noeviction']);
    const { fleet, reader, writer } = await fleetOn([redis.port, redis.port]);
    await fleet.warm();
    await ask(redis.port, 'CONFIG', 'SET', 'maxmemory', 1);
    expect(await fleet.read(reader)).toBe('memory');
    reader.reports.evict();
    expect(await fleet.read(reader)).toBe('redis');
    await fleet.write(writer);
    expect(await fleet.read(reader)).toBe('invalidated');
    expect(failures(reader, 'layerFailed').at(-1)).toMatch(/OOM/);
    expect(await fleet.read(reader)).toBe('absent');
    expect(failures(writer, 'invalidateFailed')).toEqual([]);
    await ask(redis.port, 'CONFIG', 'SET', 'maxmemory', 0);
    await fleet.warm();
    expect(fleet).toMatchObject({ stale: 0, errors: [] });
  });
});
