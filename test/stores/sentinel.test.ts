// Redis Sentinel: a failover under traffic makes the cache cold, never stale, and it comes back by itself.
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedisSentinel } from '../support/redis-sentinel.mjs';
import { ask, until } from '../support/redis-ask.mjs';
import { Fleet, type Member } from './support/fleet.js';

const FAILOVER_MS = 60_000;
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function group() {
  const sentinel = await startRedisSentinel();
  closing.push(() => sentinel.stop());
  const fleet = new Fleet('n');
  closing.push(() => fleet.close());
  const { sentinels, name } = sentinel;
  for (let member = 0; member < 2; member += 1) fleet.join(new Redis({ sentinels, name, sentinelRetryStrategy }));
  await fleet.warm();
  return { sentinel, fleet, epoch: () => epochAt(sentinel.masterPort()) };
}

/** The default waits ever longer; a test should not. */
const sentinelRetryStrategy = () => 50;

/** The first history that a member meets counts too. */
const hasSeenTheNewHistory = ({ events }: Member) =>
  events.filter((event) => event.kind === 'distrust' && event.reason === 'epoch').length > 1;

const epochAt = async (port: Promise<number>) => String(await ask(await port, 'HGET', '{n}:t', '!ep'));

describe('FAULT 17 a failover under traffic', () => {
  it.each([
    ['the master is killed', (port: number, { kill }: Sentinel) => kill(port)],
    ['the master is paused, and comes back as a replica', pauseUntilPromoted],
    ['SENTINEL FAILOVER: the master becomes a replica', async (_port: number, { failover }: Sentinel) => failover()],
  ])(
    '%s: cold, never stale, and writers are answered when they are in force',
    async (_name, fail) => {
      const { sentinel, fleet, epoch } = await group();
      const before = { epoch: await epoch(), port: await sentinel.masterPort() };
      const traffic = fleet.traffic();
      await fail(before.port, sentinel);
      await sentinel.promoted(before.port);
      // Whoever is still connected to the old master stays there until the sentinels have made it a replica.
      await until(async () => (await epoch()) !== before.epoch && fleet.members.every(hasSeenTheNewHistory));
      await traffic.stop();
      await fleet.warm();
      expect(fleet).toMatchObject({ stale: 0, errors: [] });
      // What one writes now reaches the other.
      const [reader, writer] = [fleet.members[0]!, fleet.members[1]!];
      await fleet.write(writer);
      await fleet.read(reader);
      expect(fleet.stale).toBe(0);
    },
    FAILOVER_MS,
  );

  it(
    'an invalidation that the dying master refused is tried again at the new one',
    async () => {
      const { sentinel, fleet } = await group();
      const [reader, writer] = [fleet.members[0]!, fleet.members[1]!];
      const port = await sentinel.masterPort();
      await sentinel.kill(port);
      await fleet.write(writer);
      const told = writer.events.filter(({ kind }) => kind === 'invalidateFailed' || kind === 'invalidate');
      expect(told[0]).toMatchObject({ kind: 'invalidateFailed', tags: ['student:1'] });
      expect(told.at(-1)).toMatchObject({ kind: 'invalidate', tags: ['student:1'] });
      await fleet.read(reader);
      await fleet.warm();
      expect(fleet).toMatchObject({ stale: 0, errors: [] });
    },
    FAILOVER_MS,
  );
});

type Sentinel = Awaited<ReturnType<typeof startRedisSentinel>>;

async function pauseUntilPromoted(port: number, sentinel: Sentinel) {
  sentinel.signal(port, 'SIGSTOP');
  await sentinel.promoted(port);
  sentinel.signal(port, 'SIGCONT');
}
