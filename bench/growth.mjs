// Measures what grows: fills caches with more and more entries and tags, on a Redis that nobody else uses.
import { Redis } from 'ioredis';
import { startRedis } from '../test/support/redis-service.mjs';
import { growthCases } from './growth-cases.mjs';
import { median } from './judge.mjs';
import { cores, order, start, stop } from './processes.mjs';

/**
 * `bytes`: memory of the process per entry beside the value. `hit`: µs of CPU. `invalidation`: ms, of one tag.
 * `commands`: what Redis is told for one invalidation. `redisBytes`: memory of Redis per entry beside the value.
 * @typedef {import('./growth-cases.mjs').Case & { bytes: number, hit: number, invalidation?: number, commands?: number, redisBytes?: number }} Growth
 * @returns {Promise<{ rows: Growth[], skipped: Map<string, string> }>} what could be measured, and why the others could not
 */
export async function measureGrowth({ quick, say }) {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const rows = [];
  const skipped = new Map();
  try {
    for (const one of growthCases(quick)) {
      const { cache, layer, curve, entries, share, tags } = one;
      const name = `${cache.name} ${layer} ${curve}: ${entries} entries, ${share} of a tag, ${tags} tags`;
      say(`growth  ${name}`);
      await redis.flushall();
      try {
        rows.push({ ...one, ...(await measure(one, redis, server.url)) });
      } catch (error) {
        skipped.set(name, error.message);
      }
    }
  } finally {
    redis.disconnect();
    await server.stop();
  }
  return { rows, skipped };
}

async function measure(one, redis, redisUrl) {
  const overRedis = one.layer === 'redis';
  const before = await usedMemory(redis);
  const execArgv = ['--expose-gc', '--max-old-space-size=8192'];
  const worker = start('growth-worker.mjs', { core: cores.server, execArgv });
  try {
    const job = { ...one, redisUrl, namespace: 'bench-growth' };
    const { bytes, hit, invalidation } = await order(worker, job);
    const figures = { bytes, hit, ...(invalidation.length > 0 && { invalidation: median(invalidation) }) };
    if (!overRedis) return figures;
    const redisBytes = ((await usedMemory(redis)) - before) / one.entries;
    return { ...figures, redisBytes, commands: await commandsOf(redis, () => order(worker, 'invalidate')) };
  } finally {
    await stop(worker);
  }
}

/** Commands that reach Redis while `task` runs; what scripts call inside does not count. */
async function commandsOf(redis, task) {
  const monitor = await redis.monitor();
  let count = 0;
  const seen = new Promise((resolve) => {
    monitor.on('monitor', (_time, [name, text], source) => {
      if (name.toLowerCase() === 'echo' && text === 'over') resolve();
      else if (source !== 'lua') count += 1;
    });
  });
  await task();
  await redis.echo('over');
  await seen;
  monitor.disconnect();
  return count;
}

async function usedMemory(redis) {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))[1]);
}
