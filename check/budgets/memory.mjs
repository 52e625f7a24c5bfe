// What an entry takes beside its bytes: heap of this process and memory of a Redis server. `npm run check:memory`
import { Redis } from 'ioredis';
import { startRedis } from '../../test/support/redis-service.mjs';
import { MemoryStore, RedisStore, systemClock, TagTable } from './library.mjs';

const ENTRIES = 100_000;
const IN_REDIS = 20_000;
const ROOMY = { maxBytes: 1e12, maxBytesPerOwner: 1e12, maxTtlMs: Infinity };
const TTL_MS = 600_000;

/** @param {import('../../src/contract/entry.js').Position} at @param {number} index @param {number} bytes @param {number} owners */
function entryOf({ epoch, seq }, index, bytes, owners) {
  const owner = String(index % owners);
  const now = Date.now();
  return {
    key: `report:${index}:${owner}:${String(index).padStart(43, 'h')}`,
    entry: /** @type {import('../../src/contract/entry.js').Entry} */ ({
      ...{ body: Buffer.alloc(bytes, 'x'), status: 200, etag: `"${index}"`, type: 'student_progress', owner },
      headers: [['Content-Type', 'application/json; charset=utf-8']],
      ...{ createdAt: now, staleAt: now + TTL_MS, deleteAt: now + TTL_MS, computeMs: 20, epoch, asOf: seq },
      tags: ['type:student_progress', 'type:*', `report:${index}`, 'report:*', `viewer:${owner}`, 'viewer:*'],
    }),
  };
}

const inProcess = async () => {
  // Array buffers are given back between two turns.
  for (let round = 0; round < 3; round += 1) {
    global.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** @param {number} bytes @param {number} owners */
async function perEntryInMemory(bytes, owners) {
  const store = new MemoryStore(new TagTable('e', 1000), ROOMY, systemClock);
  const before = await inProcess();
  for (let index = 0; index < ENTRIES; index += 1) {
    const { key, entry } = entryOf({ epoch: 'e', seq: 0 }, index, bytes, owners);
    store.put(key, entry);
  }
  const taken = ((await inProcess()) - before) / ENTRIES;
  return { taken: Math.round(taken), beside: Math.round(taken - bytes), counted: Math.round(store.bytes / ENTRIES) };
}

/** @param {number} bytes @param {number} owners */
async function perEntryInRedis(bytes, owners) {
  const server = await startRedis({ args: [] });
  const client = new Redis(server.url);
  await client.ping();
  const used = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
  const store = new RedisStore(
    client,
    { namespace: 'n', version: '1', maxTags: 1_000_000, limits: ROOMY },
    systemClock,
  );
  const at = await store.position();
  const before = await used();
  for (let from = 0; from < IN_REDIS; from += 500) {
    const batch = Array.from({ length: 500 }, (_, nth) => entryOf(at, from + nth, bytes, owners));
    await Promise.all(batch.map(({ key, entry }) => store.put(key, entry)));
  }
  await client.ping();
  const taken = (await used()) - before;
  const counted = -Number(await client.zscore('{n}:b', '!'));
  const withEntries = await used();
  for (let from = 0; from < IN_REDIS; from += 500)
    await store.invalidate(Array.from({ length: 500 }, (_, nth) => `student:${from + nth}`));
  const perTag = ((await used()) - withEntries) / IN_REDIS;
  await store.close();
  client.disconnect();
  await server.stop();
  const each = (/** @type {number} */ sum) => Math.round(sum / IN_REDIS);
  return {
    taken: each(taken),
    beside: each(taken - IN_REDIS * bytes),
    counted: each(counted),
    perTag: Math.round(perTag),
  };
}

const cases = /** @type {const} */ ([
  [0, ENTRIES],
  [0, 100],
  [2048, ENTRIES],
  [2048, 100],
]);
const rows = [];
for (const [bytes, owners] of cases) {
  const whose = owners === 100 ? 'of 100 users' : 'of a user each';
  rows.push({ layer: 'memory', body: bytes, whose, ...(await perEntryInMemory(bytes, owners)) });
  rows.push({ layer: 'redis', body: bytes, whose, ...(await perEntryInRedis(bytes, owners)) });
}
console.table(rows);
