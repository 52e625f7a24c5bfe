// The doctor against real Redis servers with something wrong with them, and a process that is not well.
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { NEEDED_COMMANDS } from '../../src/stores/redis/needed-commands.js';
import { systemClock } from '../../src/contract/clock.js';
import { RedisStore } from '../../src/stores/redis/redis-store.js';
import { Scenes } from '../admin/look-scene.js';
import { startPrivateRedis } from '../support/private-redis.js';
import { run } from './support.js';

const scenes = new Scenes();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await scenes.close();
  for (const close of closing.splice(0).reverse()) await close();
});

async function redisWith(...args: string[]) {
  const redis = await startPrivateRedis(args);
  closing.push(() => redis.stop());
  const admin = new Redis(redis.url);
  admin.on('error', () => undefined);
  closing.push(async () => {
    // While it waits to connect again it ends without saying so.
    const ended = admin.status === 'ready' ? once(admin, 'end') : undefined;
    admin.disconnect();
    await ended;
  });
  await admin.ping();
  return { ...redis, admin };
}

/** Codes of what is not well, with their severity. */
async function examined(...args: string[]) {
  const { code, json, err } = await run(['doctor', '--json', '--namespace', 'n', ...args]);
  const findings = (json?.findings ?? []) as { code: string; severity: string; what: string }[];
  const bad = findings.filter(({ severity }) => severity !== 'ok').map((one) => `${one.severity} ${one.code}`);
  return { code, bad, findings, err };
}

async function begun(client: Redis): Promise<void> {
  const store = new RedisStore(client, { namespace: 'n', version: '1', maxTags: 1000 }, systemClock);
  await store.position();
  await store.close();
}

it('a Redis as it should be', async () => {
  const { url, admin } = await redisWith('--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lfu');
  await begun(admin);
  const { code, bad, findings } = await examined('--redis', url);
  // Nothing was stored yet.
  expect([code, bad]).toEqual([0, ['advice budget']]);
  expect(findings.map(({ code: one }) => one)).toEqual(
    expect.arrayContaining(['redis-reachable', 'redis-round-trip', 'clock-skew', 'redis-version', 'redis-permissions']),
  );
});

it.each([
  [['--maxmemory', '100mb', '--maxmemory-policy', 'noeviction'], 'warning redis-memory'],
  [['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'], 'warning redis-memory'],
  [[], 'advice redis-memory'],
  [['--appendonly', 'yes', '--dir', '/tmp'], 'advice redis-persistence'],
])('%j: %s', async (args, found) => {
  const { url } = await redisWith(...args);
  expect((await examined('--redis', url)).bad).toContain(found);
});

it('a namespace in which there is nothing', async () => {
  const { url } = await redisWith();
  const { code, bad } = await examined('--redis', url);
  expect([code, bad.includes('warning namespace-empty')]).toEqual([1, true]);
});

it('a replica', async () => {
  const primary = await redisWith();
  const replica = await redisWith(
    '--replicaof',
    '127.0.0.1',
    String(primary.port),
    '--replica-serve-stale-data',
    'yes',
  );
  const { code, bad } = await examined('--redis', replica.url);
  expect([code, bad.includes('error redis-role')]).toEqual([1, true]);
});

describe('a user', () => {
  const all = [...new Set(Object.values(NEEDED_COMMANDS).flatMap((commands) => Object.keys(commands)))];
  const grant = (admin: Redis, commands: readonly string[], ...more: string[]) =>
    admin.call(
      'ACL',
      'SETUSER',
      'app',
      'reset',
      'on',
      '>pw',
      '~{n}:*',
      '&{n}:*',
      ...commands.map((one) => `+${one}`),
      ...more,
    );
  const asApp = (url: string) => url.replace('redis://', 'redis://app:pw@');
  const ofPermissions = (bad: readonly string[]) => bad.filter((one) => /permissions|info/.test(one));

  it('with what the README lists lacks nothing', async () => {
    const { url, admin } = await redisWith();
    await grant(admin, all);
    expect(ofPermissions((await examined('--redis', url, '--acl-user', 'app')).bad)).toEqual([]);
  });

  it.each(all)('without %s is found, by an administrator', async (missing) => {
    const { url, admin } = await redisWith();
    await grant(
      admin,
      all.filter((one) => one !== missing),
    );
    const { code, findings } = await examined('--redis', url, '--acl-user', 'app');
    expect(code).toBe(1);
    expect(
      findings.filter(({ code: one }) => one.startsWith('redis-permissions-')).map(({ what }) => what),
    ).toContainEqual(expect.stringContaining(`lacks +${missing}.`));
  });

  it('of other keys is found', async () => {
    const { url, admin } = await redisWith();
    await grant(admin, all, 'resetkeys', '~other:*');
    expect((await examined('--redis', url, '--acl-user', 'app')).bad).toContain('error redis-permissions-reports');
  });

  it('is looked at by himself, if he may', async () => {
    const { url, admin } = await redisWith();
    await grant(
      admin,
      all.filter((one) => one !== 'zadd'),
      '+acl|whoami',
      '+acl|dryrun',
    );
    expect(ofPermissions((await examined('--redis', asApp(url))).bad)).toEqual(['warning redis-permissions-budgets']);
  });

  it('who may not ask is told so; everything else is looked at', async () => {
    const { url, admin } = await redisWith();
    await begun(admin);
    await grant(admin, all);
    const { bad, findings } = await examined('--redis', asApp(url));
    expect(ofPermissions(bad)).toEqual(['advice redis-permissions']);
    expect(findings.map(({ code }) => code)).toContain('namespace-found');
  });

  it('whom nobody knows is not taken for one without permissions', async () => {
    const { url } = await redisWith();
    expect(ofPermissions((await examined('--redis', url, '--acl-user', 'nobody')).bad)).toEqual([
      'advice redis-permissions',
    ]);
  });

  it('who may not run INFO is found, and the look begins no history', async () => {
    const { url, admin } = await redisWith();
    await begun(admin);
    const epoch = await admin.hget('{n}:t', '!ep');
    await grant(
      admin,
      all.filter((one) => one !== 'info'),
    );
    const { bad } = await examined('--redis', asApp(url));
    expect(bad).toContain('warning redis-info');
    const stats = await run(['stats', '--redis', asApp(url), '--namespace', 'n']);
    expect([stats.code, stats.out.includes('may not run INFO')]).toEqual([0, true]);
    expect(await admin.hget('{n}:t', '!ep')).toBe(epoch);
  });

  it('with a wrong password is not reachable, and the password is not shown', async () => {
    const { url, admin } = await redisWith();
    await grant(admin, all);
    const { code, err } = await examined('--redis', url.replace('redis://', 'redis://app:wr0ng@'));
    expect([code, err.includes('wr0ng')]).toEqual([3, false]);
  });
});

it('what is in a namespace: a dead watermark, marks that were left, an old history, a task that has failed', async () => {
  const { url, admin } = await redisWith();
  await begun(admin);
  await admin.hset('{n}:t', '!live', 1, '!lambda', 2000, '!inc', 'another');
  await admin.hset('{n}:x', 'student:1', 'm1 1000', '!m1', '1000 student:1');
  await admin.hset('{n}:j:warm', 'missed', 3);
  await admin.lpush(
    '{n}:j:warm:runs',
    JSON.stringify({ at: 1, ms: 5, outcome: 'failed', attempts: 3, process: 'p', error: 'Error' }),
  );
  const { bad } = await examined('--redis', url);
  expect(bad).toEqual(
    expect.arrayContaining([
      'error watermark',
      'advice marks',
      'advice history-over',
      'warning task-warm',
      'advice task-warm-missed',
    ]),
  );
});

it('what the entries take, against the budget that it is told of', async () => {
  const scene = await scenes.start({
    routes: (app, reports) => void app.get('/r', reports.cache('analytics', {}), (_req, res) => void res.json({})),
  });
  await scene.read('/r', '7');
  await scene.counted(1);
  const args = ['--redis', String(process.env['REDIS_URL']), '--namespace', scene.namespace];
  const found = async (...more: string[]) => {
    const { json } = await run(['doctor', '--json', ...args, ...more]);
    return (json.findings as { code: string; severity: string; what: string }[]).find(({ code }) => code === 'budget');
  };
  expect(await found()).toMatchObject({ severity: 'ok', what: expect.stringMatching(/^1 entry, /) });
  expect(await found('--budget', '100')).toMatchObject({ severity: 'advice' });
});

describe('a process', () => {
  it('that is ready, and one that is down', async () => {
    const redis = await redisWith();
    const { port } = await scenes.start({ url: redis.url, cache: { redisDeadline: '100ms' } });
    const api = ['--url', `http://127.0.0.1:${port}/cache`, '--header', 'x-user: operator'];
    expect(await examined(...api)).toMatchObject({ code: 0, bad: [] });
    redis.admin.disconnect();
    await redis.stop();
    const { code, bad } = await examined(...api);
    expect([code, bad]).toEqual([1, ['error health-store-unreachable']]);
  });

  it('that cannot be reached is a finding where there is something else to look at', async () => {
    const { url } = await redisWith();
    const { code, bad } = await examined('--url', 'http://127.0.0.1:9/x', '--redis', url);
    expect([code, bad.includes('error api-unreachable')]).toEqual([1, true]);
  });
});
