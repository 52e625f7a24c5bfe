// The levels of the check: how the cache under test is set up, and what it promises.
import { openApicache, openBentocache } from './controls/peers.mjs';
import { CASCADE } from './entities.mjs';
import { createReportCache, tag } from './library.mjs';
import { KINDS } from './world.mjs';

/** @typedef {import('../../src/options/options.js').ReportCacheOptions} ReportCacheOptions */
/** @typedef {import('./reports.mjs').CacheUnderTest} CacheUnderTest */

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
 * @property {'strict' | 'lease' | 'barrier'} consistency
 * @property {boolean} mark
 * @property {boolean} [aborts] a write that cannot be announced is refused
 * @property {boolean} fencedAnswers
 * @property {boolean} [fetched] from the registry, when it is needed
 * @property {number} leaseMs the longest that an answer may be stale under normal faults; 0: never
 * @property {(parts: Parts) => Promise<CacheUnderTest>} open
 */

export const LEASE_MS = 250;
export const LAMBDA_MS = 2_000;

/** @param {Parts} parts @param {'strict' | 'lease' | 'barrier'} consistency @returns {ReportCacheOptions} */
function optionsOf({ redis, namespace, version, onEvent }, consistency) {
  return {
    redis: /** @type {any} */ (redis),
    namespace,
    version,
    types: Object.fromEntries(KINDS.map((kind) => [kind, { ttl: /** @type {const} */ ('10m'), consistency }])),
    lease: `${LEASE_MS}ms`,
    lambda: `${LAMBDA_MS}ms`,
    onEvent,
    identify: (req) => ({ user: req.get('x-user') ?? '' }),
  };
}

/** @param {string} kind @returns {import('../../src/options/options.js').RouteOptions} */
const routeOptions = (kind) => ({
  report: (req) => `${kind}-route-${String(req.params['subject'])}`,
  tags: (req) => (kind === 'list' ? [] : [tag(kind === 'own' ? 'grade' : kind, Number(req.params['subject']) + 1)]),
  ...(kind === 'list' ? { tables: ['grade', 'student'] } : {}),
});

/**
 * @param {Parts} parts
 * @param {{ consistency: 'strict' | 'lease' | 'barrier', mark: boolean, aborts: boolean, durable: boolean, fencedAnswers: boolean }} set
 * @returns {Promise<CacheUnderTest>}
 */
async function openLibrary(parts, { consistency, mark, aborts, durable, fencedAnswers }) {
  const onMarkError = aborts ? 'abort' : 'proceed';
  const reports = createReportCache({ ...optionsOf(parts, consistency), mark, onMarkError });
  for (const { entity, paths } of CASCADE) reports.cascade(entity, paths);
  await reports.connect(parts.dataSource, { durable, fencedAnswers });
  const tags = (/** @type {readonly string[]} */ names) =>
    names.map((name) => tag(.../** @type {[string, string]} */ (name.split(':'))));
  return {
    getOrLoad: ({ kind, report, user, tags: names, tables }, loader) =>
      reports.getOrLoad({ type: kind, report, identity: { user }, tags: tags(names), tables }, loader),
    route: (kind) => reports.cache(kind, routeOptions(kind)),
    close: () => reports.close(),
  };
}

/**
 * The broken caches of the arms, which know routes only.
 * @param {Parts} parts @param {'store-without-compare' | 'delete-by-broadcast'} name
 * @returns {Promise<CacheUnderTest>}
 */
async function openBroken(parts, name) {
  const reports =
    name === 'store-without-compare'
      ? (await import('../broken/store-without-compare.mjs')).createWithoutCompare(optionsOf(parts, 'strict'))
      : (await import('../broken/delete-by-broadcast.mjs')).createByBroadcast(optionsOf(parts, 'strict'));
  for (const { entity, paths } of CASCADE) reports.cascade(entity, paths);
  await reports.connect(parts.dataSource);
  return { route: (kind) => reports.cache(kind, routeOptions(kind)), close: () => reports.close() };
}

/**
 * @param {string} name @param {'strict' | 'lease' | 'barrier'} consistency
 * @param {{ mark?: boolean, aborts?: boolean, durable?: boolean, fencedAnswers?: boolean }} [set]
 * @returns {Level}
 */
function ofLibrary(name, consistency, { mark = false, aborts = false, durable = true, fencedAnswers = false } = {}) {
  const set = { consistency, mark, aborts, durable, fencedAnswers };
  const leaseMs = consistency === 'lease' ? LEASE_MS : 0;
  return { name, what: 'library', leaseMs, ...set, open: (parts) => openLibrary(parts, set) };
}

/** @param {string} name @param {Level['open']} open @param {boolean} [fetched] @returns {Level} */
function control(name, open, fetched = false) {
  return {
    name,
    what: 'control',
    consistency: 'strict',
    durable: false,
    mark: false,
    fencedAnswers: false,
    leaseMs: 0,
    fetched,
    open,
  };
}

/** @type {readonly Level[]} */
export const LEVELS = [
  ofLibrary('strict', 'strict'),
  ofLibrary('lease', 'lease'),
  ofLibrary('barrier', 'barrier'),
  ofLibrary('mark', 'strict', { mark: true }),
  ofLibrary('mark-or-refuse', 'strict', { mark: true, aborts: true }),
  ofLibrary('fenced', 'strict', { fencedAnswers: true }),
  ofLibrary('strict-plain', 'strict', { durable: false }),
  ofLibrary('lease-plain', 'lease', { durable: false }),
  ofLibrary('barrier-plain', 'barrier', { durable: false }),
  ofLibrary('mark-plain', 'strict', { mark: true, durable: false }),
  control('store-without-compare', (parts) => openBroken(parts, 'store-without-compare')),
  control('delete-by-broadcast', (parts) => openBroken(parts, 'delete-by-broadcast')),
  control('apicache', openApicache, true),
  control('bentocache', openBentocache, true),
];

/** @param {string} name @returns {Level} */
export function levelNamed(name) {
  const level = LEVELS.find((one) => one.name === name);
  if (level === undefined)
    throw new Error(`There is no level "${name}"; there are ${LEVELS.map((one) => one.name).join(', ')}.`);
  return level;
}
