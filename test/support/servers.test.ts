// The servers that tests start for themselves: they restart, crash and never outlive their owner.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { databaseUrl, ownNamespace, ownSchema, redisUrl } from './isolation.js';
import { query } from './postgres-service.mjs';
import { startPrivatePostgres } from './private-postgres.js';
import { startPrivateRedis } from './private-redis.js';
import { ping } from './redis-service.mjs';

const STARTS_TWICE_MS = 30_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('the run', () => {
  it('gives every test its own database and its own names', async () => {
    await ping(redisUrl());
    expect(await query(databaseUrl(), 'SELECT current_database() AS name')).toEqual([
      { name: expect.stringMatching(/^erc_test_/) },
    ]);
    expect(new Set([ownNamespace(), ownNamespace(), ownSchema(), ownSchema()]).size).toBe(4);
  });
});

describe('a private Redis', () => {
  it(
    'restarts empty and with a new replication id, after a stop and after a crash',
    async () => {
      const server = await startPrivateRedis();
      cleanups.push(() => server.stop());
      const ids = new Set<string>();
      for (const end of [() => server.stop(), () => server.kill()]) {
        await withRedis(server.url, async (client) => {
          expect(await client.dbsize()).toBe(0);
          ids.add(await replicationId(client));
          await client.set('a', '1');
        });
        await end();
        await expect(ping(server.url)).rejects.toThrow(/ECONNREFUSED/);
        await server.restart();
      }
      await withRedis(server.url, async (client) => ids.add(await replicationId(client)));
      expect(ids.size).toBe(3);
    },
    STARTS_TWICE_MS,
  );

  it('ends when its owner is killed', async () => {
    const module = fileURLToPath(new URL('./redis-service.mjs', import.meta.url));
    const script = `const { startRedis } = await import(${JSON.stringify(module)}); console.log((await startRedis()).url); setInterval(() => {}, 1000);`;
    const { NODE_OPTIONS: _, ...env } = process.env;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(owner.stdout, 'data');
    const client = new Redis(String(line).trim(), { retryStrategy: () => null });
    await client.ping();
    const closed = once(client, 'end');
    owner.kill('SIGKILL');
    await closed;
    await expect(ping(String(line).trim())).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('a private PostgreSQL', () => {
  it(
    'keeps what was committed over a restart and over a crash',
    async () => {
      const server = await startPrivatePostgres();
      cleanups.push(() => server.stop());
      await query(server.url, 'CREATE TABLE t (a int)');
      await server.restart();
      await query(server.url, 'INSERT INTO t VALUES (1)');
      await server.kill();
      await expect(query(server.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED|ECONNRESET|terminat/);
      await server.restart();
      expect(await query(server.url, 'SELECT a FROM t')).toEqual([{ a: 1 }]);
    },
    STARTS_TWICE_MS,
  );
});

async function withRedis(url: string, use: (client: Redis) => Promise<unknown>): Promise<void> {
  const client = new Redis(url);
  try {
    await use(client);
  } finally {
    client.disconnect();
  }
}

async function replicationId(client: Redis): Promise<string> {
  return /master_replid:(\w+)/.exec(await client.info('replication'))?.[1] ?? '';
}
