// Two well-known caches, wired as their documentation says, to show that the check can fail.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { KINDS, USERS } from '../world.mjs';

/** They have a package of their own, so that nobody who uses the library gets them. */
const FOLDER = fileURLToPath(new URL('../../peers/', import.meta.url));
const require = createRequire(`${FOLDER}package.json`);
const INSTALL_LIMIT_MS = 120_000;

/**
 * @typedef {import('../levels.mjs').Parts} Parts
 * @typedef {import('../reports.mjs').CacheUnderTest} CacheUnderTest
 */

/** Fetches them once. @returns {Promise<string | undefined>} why they are not there */
export async function installPeers() {
  if (existsSync(`${FOLDER}node_modules/bentocache`) && existsSync(`${FOLDER}node_modules/apicache`)) return undefined;
  try {
    const options = { cwd: FOLDER, timeout: INSTALL_LIMIT_MS };
    await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], options);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? 'unknown') : String(error);
  }
}

/**
 * Middleware of routes; keys are addresses, here with the user. What a write concerns is cleared by key after it, as
 * one does with Redis, where groups are known only to the process that made them.
 * @param {Parts} parts @returns {Promise<CacheUnderTest>}
 */
export async function openApicache({ redis }) {
  const { host, port } = redis.options;
  const client = require('redis').createClient({ host, port, prefix: 'apicache:' });
  client.on('error', () => undefined);
  const apicache = require('apicache').newInstance({
    redisClient: client,
    appendKey: (/** @type {import('express').Request} */ req) => req.get('x-user'),
  });
  return {
    route: () => apicache.middleware('10 minutes'),
    async wrote(tags) {
      for (const tag of tags)
        for (let user = 0; user < USERS; user += 1) apicache.clear(`${addressOf(tag)}$$appendKey=${user}`);
    },
    close: () => new Promise((resolve) => client.quit(() => resolve())),
  };
}

/** @param {string} tag */
function addressOf(tag) {
  const [kind, id] = tag.split(':');
  return kind === 'table' ? '/list/0' : `/${kind === 'grade' ? KINDS[0] : kind}/${Number(id) - 1}`;
}

/**
 * Memory, Redis and a bus over Redis; entries with tags, which are deleted after a write.
 * @param {Parts} parts @returns {Promise<CacheUnderTest>}
 */
export async function openBentocache({ redis }) {
  const from = (/** @type {string} */ name) => import(require.resolve(name));
  const { BentoCache, bentostore } = await from('bentocache');
  const { memoryDriver } = await from('bentocache/drivers/memory');
  const { redisDriver, redisBusDriver } = await from('bentocache/drivers/redis');
  const { host, port } = redis.options;
  const connection = { host, port };
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxSize: '50mb' }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }));
  const bento = new BentoCache({ default: 'reports', stores: { reports: store } });
  return {
    getOrLoad: ({ report, user, tags, tables }, loader) =>
      bento.getOrSet({
        key: `${report}:${user}`,
        ttl: '10m',
        tags: [...tags, ...(tables.length > 0 ? ['table:all'] : [])],
        factory: loader,
      }),
    wrote: async (tags) => void (await bento.deleteByTag({ tags: [...tags] })),
    close: () => bento.disconnectAll(),
  };
}
