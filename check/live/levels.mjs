// The levels of the check: how the cache under test is set up, and what it promises.
import { CASCADE } from './entities.mjs';
import { createReportCache, tag } from './library.mjs';
import { KINDS } from './world.mjs';

/** @typedef {import('../../src/options/options.js').ReportCacheOptions} ReportCacheOptions */

/**
 * @typedef {object} Parts what a process has
 * @property {import('ioredis').Redis} redis
 * @property {import('typeorm').DataSource} dataSource
 * @property {string} namespace
 * @property {string} version of the application
 * @property {(event: any) => void} onEvent
 */

/**
 * @typedef {object} Level
 * @property {string} name
 * @property {'library' | 'control'} what controls must be caught
 * @property {boolean} durable outbox, sweeper and watermark; triggers for writes past the application
 * @property {boolean} mark
 * @property {number} leaseMs the longest that an answer may be stale under normal faults; 0: never
 * @property {(parts: Parts) => Promise<import('./reports.mjs').CacheUnderTest>} open
 */

export const LEASE_MS = 250;
export const LAMBDA_MS = 2_000;

/**
 * @param {Parts} parts
 * @param {{ consistency: 'strict' | 'lease' | 'barrier', mark: boolean, durable: boolean }} set
 * @returns {Promise<import('./reports.mjs').CacheUnderTest>}
 */
async function openLibrary({ redis, dataSource, namespace, version, onEvent }, { consistency, mark, durable }) {
  const types = Object.fromEntries(KINDS.map((kind) => [kind, { ttl: /** @type {const} */ ('10m'), consistency }]));
  const options = {
    redis,
    namespace,
    version,
    types,
    lease: `${LEASE_MS}ms`,
    onEvent,
    identify: (/** @type {import('express').Request} */ req) => ({ user: req.get('x-user') ?? '' }),
    ...(mark ? { mark: true } : {}),
  };
  const reports = createReportCache(/** @type {any} */ (options));
  for (const { entity, paths } of CASCADE) reports.cascade(entity, paths);
  await /** @type {any} */ (reports).connect(dataSource, { durable });
  const tags = (/** @type {readonly string[]} */ names) =>
    names.map((name) => tag(.../** @type {[string, string]} */ (name.split(':'))));
  return {
    getOrLoad: ({ kind, report, user, tags: names, tables }, loader) =>
      reports.getOrLoad({ type: kind, report, identity: { user }, tags: tags(names), tables }, loader),
    route: (kind) =>
      reports.cache(kind, {
        report: (req) => `${kind}-route-${String(req.params['subject'])}`,
        tags: (req) =>
          kind === 'list' ? [] : [tag(kind === 'own' ? 'grade' : kind, Number(req.params['subject']) + 1)],
        ...(kind === 'list' ? { tables: ['grade', 'student'] } : {}),
      }),
    close: () => reports.close(),
  };
}

/** @type {readonly Level[]} */
const LIBRARY = /** @type {const} */ (['strict', 'lease', 'barrier', 'mark']).flatMap((name) =>
  [true, false].map((durable) => {
    const mark = name === 'mark';
    const consistency = mark ? /** @type {const} */ ('strict') : name;
    return {
      name: durable ? name : `${name}-plain`,
      what: /** @type {const} */ ('library'),
      durable,
      mark,
      leaseMs: consistency === 'lease' ? LEASE_MS : 0,
      open: (/** @type {Parts} */ parts) => openLibrary(parts, { consistency, mark, durable }),
    };
  }),
);

export const LEVELS = LIBRARY;

/** @param {string} name @returns {Level} */
export function levelNamed(name) {
  const level = LEVELS.find((one) => one.name === name);
  if (level === undefined)
    throw new Error(`There is no level "${name}"; there are ${LEVELS.map((one) => one.name).join(', ')}.`);
  return level;
}
